"""What a task gives to no model at all: the floor beside which every figure is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchsuite.metrics.columns import Columns, option_count, outcome_columns
from benchsuite.metrics.measures import compute
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec


def baselines(
    task: TaskSpec,
    examples: Sequence[Example],
    train_targets: Sequence[Any] | None = None,
) -> dict[str, float]:
    """Name -> value of the headline metric, mean over the splits among `examples`.

    majority (classification, choice): always the class, or the position, that is most frequent in
        `train_targets` where given, else in the examples themselves; the first one on equality.
    all_positive (classification by F1): always the class that F1 is of, for the majority's answer
        has an F1 of 0 where that is the other one.
    chance: a uniform guess. Classification, choice and minimal pairs: every option tied, which is
        what constant logits get; F1 is then the ratio of expectations 2 p q / (p + q), with p the
        share of positives and q = 1 / classes. Regression: 0, the correlation with anything
        independent.
    all_o (tagging): no entity anywhere. no_answer (span): every question declared unanswerable.

    A baseline that is undefined, for want of scorable examples, is left out.
    """
    scorable = [example for example in examples if example.target is not None]
    if not scorable:
        return {}
    if task.kind == "regression":
        return {} if ":" in task.headline_metric else {"chance": 0.0}
    said: dict[str, list[Prediction]] = {}
    if task.kind in ("classification", "choice"):
        targets = train_targets or [example.target for example in scorable]
        said["majority"] = _majority(task, scorable, targets)
    if task.kind == "classification" and task.headline_metric == "f1":
        said["all_positive"] = [Prediction(task.positive_index)] * len(scorable)
    if task.kind in ("classification", "choice", "minimal_pair"):
        options = [option_count(task, example) for example in scorable]
        said["chance"] = [Prediction(0, tuple(range(count))) for count in options]
    if task.kind == "tagging":
        outside = task.labels.index("O")
        said["all_o"] = [Prediction((outside,) * len(example.target)) for example in scorable]
    if task.kind == "span":
        said["no_answer"] = [Prediction("")] * len(scorable)
    values = {
        name: compute(task, task.headline_metric, by_split(task, scorable, predictions))
        for name, predictions in said.items()
    }
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _majority(
    task: TaskSpec, examples: Sequence[Example], targets: Sequence[Any]
) -> list[Prediction]:
    """The most frequent index for every example; none where it has fewer options."""
    counts: Mapping[int, int] = Counter(target for target in targets if target is not None)
    top = max(sorted(counts), key=counts.__getitem__)
    return [Prediction(top if top < option_count(task, example) else -1) for example in examples]


def by_split(
    task: TaskSpec, examples: Sequence[Example], predictions: Sequence[Prediction]
) -> Columns:
    """Columns of examples of several splits, each split judged on its own as a model's would be."""
    tables = []
    for split in dict.fromkeys(example.split for example in examples):
        rows = [row for row, example in enumerate(examples) if example.split == split]
        tables.append(
            outcome_columns(
                task, [examples[row] for row in rows], [predictions[row] for row in rows]
            )
        )
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
