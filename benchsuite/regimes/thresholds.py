"""Thresholds that turn one number an example into one of two labels, chosen on the selection slice.

Sources: Radford et al. 2018 (GPT, section 5: the mean token log-probability against a threshold).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchsuite.errors import NotApplicable
from benchsuite.metrics import compute, outcome_columns
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import Prompt, TaskSpec

if TYPE_CHECKING:
    from benchsuite.tasks.task import SplitData, Task

NO_ANSWER = "no_answer_threshold"
"""What records call the margin below which a question is declared unanswerable."""


def noted(prompt: Prompt, threshold: float | None) -> dict[str, Any]:
    """What a record says of the threshold a prompt answers by.

    Where a model writes itself that there is no answer, that margin is 0, and nothing chose it.
    """
    if threshold is not None:
        return {"threshold": threshold}
    return {NO_ANSWER: 0.0, "tuned": False} if prompt.no_answer else {}


def threshold_slice(task: Task) -> SplitData:
    """The examples a threshold is taken from: the task's selection slice.

    Raises NotApplicable where there is no training split or it is too small for a slice.
    """
    data = task.selection()
    if not data.examples:
        raise NotApplicable(
            f"the train split of {task.id} is too small for a selection slice, "
            "so there is nothing to take a threshold from",
            "no training split",
        )
    return data


def labelled(slices: Mapping[str, SplitData]) -> int:
    """Labelled examples in slices: what a tuned threshold has looked at."""
    return sum(one.target is not None for data in slices.values() for one in data.examples)


def by_threshold(value: float, threshold: float) -> Prediction:
    """Label 1 above the threshold, 0 below; exactly on it both are tied."""
    if value == threshold:
        return Prediction(0, (0, 1))
    return Prediction(int(value > threshold))


def choose_threshold(
    task: TaskSpec, examples: Sequence[Example], values: Sequence[float], tuned: bool
) -> float:
    """The median of `values`, for which no label is looked at, or the tuned threshold.

    values: one of each of `examples`, which are the selection slice.
    """
    return tuned_threshold(task, examples, values) if tuned else statistics.median(values)


def tuned_threshold(task: TaskSpec, examples: Sequence[Example], values: Sequence[float]) -> float:
    """The threshold that is best by the task's headline metric on labelled examples.

    Tried: below all values, and halfway between each two neighbouring ones; of equally good
    thresholds the lowest is taken. Raises NotApplicable when no example is labelled.
    """
    labelled = [
        (example, value)
        for example, value in zip(examples, values, strict=True)
        if example.target is not None
    ]
    if not labelled:
        raise NotApplicable(
            f"threshold=tuned: the selection slice of {task.id} has no labels", "no labels"
        )
    kept = [example for example, _ in labelled]
    scores = np.array([value for _, value in labelled])
    below, above = (
        outcome_columns(task, kept, [Prediction(label)] * len(kept)) for label in (0, 1)
    )
    distinct = np.unique(scores)
    best, best_value = math.nan, -math.inf
    for threshold in [distinct[0] - 1.0, *(distinct[:-1] + distinct[1:]) / 2]:
        chosen = scores > threshold
        columns = {name: np.where(chosen, above[name], below[name]) for name in below}
        value = compute(task, task.headline_metric, columns)
        # A metric can be undefined where all labels are the same.
        if math.isnan(best) or value > best_value:
            best, best_value = float(threshold), -math.inf if math.isnan(value) else value
    return best
