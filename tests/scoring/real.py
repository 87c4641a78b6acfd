"""Requests as a zero-shot run makes them from real data (needs BENCHSUITE_DATA)."""

from __future__ import annotations

import os

import pytest

from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.scoring import Request
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.task import load_task

needs_data = pytest.mark.skipif(
    not os.environ.get("BENCHSUITE_DATA"), reason="BENCHSUITE_DATA is not set"
)


def real_requests(name: str, limit: int, prompts: int | None = None) -> list[Request]:
    """Requests of a task's first evaluation split: `limit` examples a subset, the first prompts."""
    task = load_task(name, offline=True)
    split = task.spec.dataset.eval_splits[0]
    return [
        request
        for prompt in task.spec.prompts[:prompts]
        for example in task.evaluation(split, limit).examples
        for request in build_requests(prompt, values_of(task.spec, example))
    ]
