"""Made tasks of lm-eval, and cells of them with a tiny decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import benchsuite
from benchsuite.integrations import lm_eval_results
from benchsuite.records import Record
from tests.integrations.harness import write_tasks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "tasks")


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    """lm-eval's correlation takes a millisecond a call, and most tests look at no interval."""
    monkeypatch.setattr(lm_eval_results, "REPLICATES", 20)


@pytest.fixture
def run(tiny_gpt2_folder: Path, folder: Path, tmp_path: Path) -> Callable[..., list[Record]]:
    """`benchsuite.run` with a tiny decoder, the made tasks and a store of its own."""

    def call(task: str = "made_choice", **settings: object) -> list[Record]:
        known = {
            "model": str(tiny_gpt2_folder),
            "tasks_dir": [folder],
            "store": tmp_path / "store",
            "task": f"lm-eval:{task}",
        }
        return benchsuite.run(**{**known, **settings})

    return call
