"""A made example, and a made task of two labels without data."""

from __future__ import annotations

from typing import Any

from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import TaskSpec
from tests.tasks.test_prompts import spec_of

LABELS = ["bad", "good"]


def example(number: int, target: Any = 0, **fields: Any) -> Example:
    return Example(str(number), "validation", "", str(number), "", fields, target)


def classification(prompts: list[dict[str, Any]], **parts: Any) -> TaskSpec:
    return spec_of(prompts, "classification", labels=LABELS, **parts)
