"""benchsuite: which pretrained architecture, adapted how, is worth its cost on this task?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from benchsuite.api import run
    from benchsuite.artifacts import load_predictor
    from benchsuite.check.result import assert_no_regression
    from benchsuite.models.registry import load_model
    from benchsuite.records import Record
    from benchsuite.scoring import score
    from benchsuite.scoring.types import Request, Score
    from benchsuite.tasks.task import load_task

__all__ = [
    "Record",
    "Request",
    "Score",
    "assert_no_regression",
    "load_model",
    "load_predictor",
    "load_task",
    "run",
    "score",
]

_HOME = {
    "Record": "benchsuite.records",
    "Request": "benchsuite.scoring.types",
    "Score": "benchsuite.scoring.types",
    "assert_no_regression": "benchsuite.check.result",
    "load_model": "benchsuite.models.registry",
    "load_predictor": "benchsuite.artifacts",
    "load_task": "benchsuite.tasks.task",
    "run": "benchsuite.api",
    "score": "benchsuite.scoring",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are asked for, so that `import benchsuite` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module 'benchsuite' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
