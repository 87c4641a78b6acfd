"""Specs of every kind, with all its metrics."""

from __future__ import annotations

from tests.outcomes import make_task

CLASSES = make_task("classification", ["accuracy", "matthews", "f1"])
THREE = make_task(
    "classification", ["accuracy", "matthews", "f1"], labels=["a", "b", "c"], positive="b"
)
REGRESSION = make_task("regression", ["pearson", "spearman"])
TAGGING = make_task("tagging", ["entity_f1"])
SPAN = make_task("span", ["f1", "em"])
CHOICE = make_task("choice", ["accuracy"])
PAIRS = make_task("minimal_pair", ["accuracy"])
