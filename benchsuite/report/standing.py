"""Who is best in a column, and how rows stand over all columns."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TypeVar

import numpy as np

from benchsuite.records import Record
from benchsuite.stats import SEED, Rank, combine, holm, mean_ranks, rank_intervals

ALPHA = 0.05
TWO_METRICS = {
    "glue/mrpc": ("accuracy", "f1"),
    "glue/qqp": ("accuracy", "f1"),
    "glue/stsb": ("pearson", "spearman"),
}
"""GLUE's tasks of two metrics, which its mean takes the mean of first (Wang et al. 2018)."""
APART = ("glue/wnli", "glue/ax")
"""Not in GLUE's mean: WNLI's development set contradicts its train set, AX is a diagnosis."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Arm:
    """What one cell of a table holds: a score a seed, and replicates of each.

    scores: of the seeds, in the headline metric. mean: in what the table's mean takes (the mean of
    both metrics of MRPC). drawn: (seeds, R), None where any seed has none. way: of the data, which
    must be equal to compare. n: examples.
    """

    scores: tuple[float, ...]
    mean: float
    drawn: np.ndarray | None
    way: str
    n: int

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return fmean(self.scores)


def reference_way(column: Mapping[Key, Arm]) -> str:
    """The data that a column's arms are compared on: those of the most examples, then arms."""
    ways = [arm.way for arm in column.values()]
    return max(column.values(), key=lambda arm: (arm.n, ways.count(arm.way), arm.way)).way


def not_worse(column: Mapping[Key, Arm]) -> set[Key]:
    """The best of a column and all that are not significantly worse than it.

    One-sided, of the difference to the best on the same examples: its variance is that of the
    paired replicates plus, of arms with several seeds, that of their mean over seeds; Holm over the
    column. Arms of other data are left out, and so are those without replicates.
    """
    if not column:
        return set()
    way = reference_way(column)
    arms = {key: arm for key, arm in column.items() if arm.way == way and arm.drawn is not None}
    if not arms:
        return set()
    best = max(arms, key=lambda key: arms[key].value)
    others = [key for key in arms if key != best]
    adjusted = holm([_worse(arms[key], arms[best]) for key in others])
    return {best} | {key for key, p in zip(others, adjusted, strict=True) if p > ALPHA}


def _worse(arm: Arm, best: Arm) -> float:
    """P of a difference this low or lower, were the two equally good; 1 where they are equal."""
    assert arm.drawn is not None and best.drawn is not None
    gaps = arm.drawn.mean(axis=0) - best.drawn.mean(axis=0)
    gaps = gaps[~np.isnan(gaps)]
    if len(gaps) < 2:
        return 1.0
    parts = [
        (variance(one.scores) / len(one.scores), len(one.scores) - 1.0)
        for one in (arm, best)
        if len(one.scores) > 1
    ]
    return combine(float(gaps.var(ddof=1)), parts).below(arm.value - best.value)


def standings(
    rows: Mapping[Key, Mapping[str, Arm]], tasks: Sequence[str]
) -> dict[Key, tuple[float, Rank | None]]:
    """Mean over tasks and mean rank of each row that has all of them, on the same data.

    Ranks are by the headline metric; their intervals come from resampling the examples, and the
    seeds where there are several, the same examples for all rows. A rank is None where there is
    one row alone. Nothing is returned for fewer than two tasks, or where nobody has one of them.
    """
    tasks = [task for task in tasks if task not in APART]
    if len(tasks) < 2 or any(all(task not in row for row in rows.values()) for task in tasks):
        return {}
    ways = {
        task: reference_way({key: row[task] for key, row in rows.items() if task in row})
        for task in tasks
    }
    whole = [
        key
        for key, row in rows.items()
        if all(task in row and row[task].way == ways[task] for task in tasks)
    ]
    means = {key: fmean(rows[key][task].mean for task in tasks) for key in whole}
    if len(whole) < 2:
        return {key: (mean, None) for key, mean in means.items()}
    arms = [[rows[key][task] for task in tasks] for key in whole]
    scores = np.array([[arm.value for arm in row] for row in arms])
    if any(arm.drawn is None for row in arms for arm in row):
        ranks = [Rank(float(value), None, None) for value in mean_ranks(scores)]
    else:
        generator = np.random.default_rng(SEED)
        drawn = np.stack(
            [np.stack([_redrawn(arm, generator) for arm in row], axis=-1) for row in arms], axis=1
        )
        ranks = rank_intervals(scores, drawn)
    return {key: (means[key], rank) for key, rank in zip(whole, ranks, strict=True)}


def _redrawn(arm: Arm, generator: np.random.Generator) -> np.ndarray:
    """Replicates (R,) of the mean over seeds, which are drawn with replacement too.

    Where a replicate is undefined (a correlation of equal values) the arm's own score stands.
    """
    assert arm.drawn is not None
    seeds, replicates = arm.drawn.shape
    picks = generator.integers(0, seeds, size=(seeds, replicates))
    found: np.ndarray = np.take_along_axis(arm.drawn, picks, axis=0).mean(axis=0)
    return np.where(np.isnan(found), arm.value, found)


def in_mean(record: Record) -> float:
    """What a table's mean takes of a record: its headline, of two metrics the mean of both."""
    assert record.headline is not None and record.headline.value is not None
    metrics = TWO_METRICS.get(record.cell["task"])
    if metrics is None:
        return record.headline.value
    rows = [row for row in record.results if row.primary and row.metric in metrics]
    values = [row.value for row in rows if row.value is not None]
    # As many rows of either metric; a record of another version may have one alone.
    whole = len(values) == len(rows) and {row.metric for row in rows} == {*metrics}
    return fmean(values) if whole else record.headline.value
