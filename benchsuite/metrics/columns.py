"""Outcome columns: what each example contributes to every metric, in ids and numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchsuite.errors import CellFailed
from benchsuite.metrics.entities import entity_counts
from benchsuite.metrics.squad import span_scores
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec

Columns = dict[str, np.ndarray]
"""Name -> array of n values, one a row. `outcome_columns` lists the names."""

MOST_OPTIONS = 62
"""Ties are a bit mask in a signed 64-bit integer."""

_NUMBERS: dict[str, Any] = {
    "prediction": np.int64,
    "gold": np.int64,
    "tied": np.int64,
    "credit": np.float64,
    "x": np.float64,
    "y": np.float64,
    "tp": np.int64,
    "fp": np.int64,
    "fn": np.int64,
    "em": np.float64,
    "f1": np.float64,
    "scorable": np.bool_,
}
_NAMES = ("split", "subset", "group", "id", "cluster")


def outcome_columns(
    task: TaskSpec, examples: Sequence[Example], predictions: Sequence[Prediction]
) -> Columns:
    """One row a scorable example, in the order given.

    split, subset, group, id, cluster: of the example (str).
    prediction: predicted index; span: 1 answered, 0 said there is no answer; else -1.
    gold: likewise of the answer.
    tied: bit i set where index i shares the best score; 0 without a tie.
    credit: 1 right, 0 wrong, 1/k where the gold is one of k tied; span: its EM; tagging: 1 where
    every entity is right and none invented; regression: nan.
    x, y: predicted and gold number (regression, else nan).
    tp, fp, fn: entities (tagging, else 0). em, f1: of the answer (span, else nan).
    scorable: true, here.

    Raises CellFailed where a predicted number is not finite, ValueError where predictions do not
    fit the examples (a defect of the predictor).
    """
    columns = all_columns(task, examples, predictions)
    return take(columns, np.flatnonzero(columns["scorable"]))


def all_columns(
    task: TaskSpec, examples: Sequence[Example], predictions: Sequence[Prediction]
) -> Columns:
    """As outcome_columns, with unscorable examples too: their gold is -1, their credit nan."""
    # Which of the two official rules applies is a matter of the data, not of the one question.
    unanswerable = task.kind == "span" and any(example.target == () for example in examples)
    rows = [
        _row(task, example, prediction, unanswerable)
        for example, prediction in zip(examples, predictions, strict=True)
    ]
    columns: Columns = {
        name: np.array([getattr(example, name) for example in examples], dtype=str)
        for name in _NAMES
    }
    for name, dtype in _NUMBERS.items():
        columns[name] = np.array([row[name] for row in rows], dtype=dtype)
    return columns


def take(columns: Columns, rows: np.ndarray) -> Columns:
    """The given rows (indices) of every column."""
    return {name: column[rows] for name, column in columns.items()}


def _row(
    task: TaskSpec, example: Example, prediction: Prediction, unanswerable: bool
) -> dict[str, Any]:
    """The numbers of one example."""
    row: dict[str, Any] = dict.fromkeys(("credit", "x", "y", "em", "f1"), math.nan)
    row |= {"prediction": -1, "gold": -1, "tied": 0, "tp": 0, "fp": 0, "fn": 0}
    row["scorable"] = example.target is not None
    match task.kind:
        case "regression":
            row |= _regression(task, example, prediction)
        case "tagging":
            row |= _tagging(task, example, prediction)
        case "span":
            row |= _span(example, prediction, unanswerable)
        case _:
            row |= _index(task, example, prediction)
    return row


def _regression(task: TaskSpec, example: Example, prediction: Prediction) -> dict[str, Any]:
    if not math.isfinite(prediction.value):
        raise CellFailed(f"{task.id}: the prediction of example {example.id} is not finite")
    gold = math.nan if example.target is None else float(example.target)
    return {"x": float(prediction.value), "y": gold}


def _tagging(task: TaskSpec, example: Example, prediction: Prediction) -> dict[str, Any]:
    if example.target is None:
        return {}
    gold = [task.labels[tag] for tag in example.target]
    tp, fp, fn = entity_counts(gold, [task.labels[tag] for tag in prediction.value])
    return {"tp": tp, "fp": fp, "fn": fn, "credit": float(fp == fn == 0)}


def _span(example: Example, prediction: Prediction, unanswerable: bool) -> dict[str, Any]:
    answered = int(prediction.value.strip() != "")
    if example.target is None:
        return {"prediction": answered}
    em, f1 = span_scores(prediction.value, example.target, may_be_unanswerable=unanswerable)
    gold = int(len(example.target) > 0)
    return {"prediction": answered, "gold": gold, "em": em, "f1": f1, "credit": em}


def _index(task: TaskSpec, example: Example, prediction: Prediction) -> dict[str, Any]:
    options = option_count(task, example)
    said = (prediction.value, *prediction.tied)
    if options > MOST_OPTIONS:
        raise ValueError(f"{task.id}: example {example.id} has over {MOST_OPTIONS} options")
    if not all(-1 <= index < options for index in said):
        raise ValueError(f"{task.id}: example {example.id}: no option {max(said)} of {options}")
    tied = sorted(set(prediction.tied))
    row: dict[str, Any] = {"prediction": int(prediction.value)}
    if len(tied) > 1:
        row["tied"] = sum(1 << index for index in tied)
    if example.target is not None:
        chosen = tied if len(tied) > 1 else [prediction.value]
        row["gold"] = int(example.target)
        row["credit"] = 1 / len(chosen) if example.target in chosen else 0.0
    return row


def option_count(task: TaskSpec, example: Example) -> int:
    """Between how many indices an example asks to choose."""
    if task.kind == "choice":
        return len(example.fields["options"])
    return 2 if task.kind == "minimal_pair" else len(task.labels)
