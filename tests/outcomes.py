"""Made tasks, examples and predictions for the tests of metrics, statistics and results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchsuite.metrics import Columns, outcome_columns
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec

FIELDS = {
    "classification": {"text": "text", "label": "label"},
    "regression": {"text": "text", "label": "label"},
    "tagging": {"tokens": "tokens", "tags": "tags"},
    "span": {"context": "context", "question": "question", "answers": "answers"},
    "choice": {"question": "question", "options": "options", "label": "label"},
    "minimal_pair": {"good": "good", "bad": "bad"},
}
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def make_task(kind: str, metrics: Sequence[str], **keys: Any) -> TaskSpec:
    """A task of `kind`; the dataset may be given as `dataset`."""
    if kind == "classification":
        keys.setdefault("labels", ["no", "yes"])
    if kind == "tagging":
        keys.setdefault("labels", TAGS)
    if kind == "regression":
        keys.setdefault("range", (0, 5))
    keys.setdefault("dataset", {"files": {"train": "x.csv", "validation": "y.csv"}})
    return TaskSpec(
        version=1,
        kind=kind,
        description="made",
        fields=FIELDS[kind],
        metrics=list(metrics),
        id=f"test/{kind}",
        **keys,
    )


def make_examples(
    targets: Sequence[Any],
    *,
    clusters: Sequence[Any] | None = None,
    subset: str = "",
    group: str = "",
    split: str = "validation",
    options: int = 4,
) -> list[Example]:
    """One example a target; each its own cluster unless `clusters` says otherwise."""
    return [
        Example(
            id=str(row),
            split=split,
            subset=subset,
            cluster=str(row if clusters is None else clusters[row]),
            group=group,
            fields={"options": ["?"] * options},
            target=target,
        )
        for row, target in enumerate(targets)
    ]


def columns_of(
    task: TaskSpec, targets: Sequence[Any], values: Sequence[Any], **keys: Any
) -> Columns:
    """Outcome columns of predicted values against targets."""
    predictions = [v if isinstance(v, Prediction) else Prediction(v) for v in values]
    return outcome_columns(task, make_examples(targets, **keys), predictions)
