"""Who is best in a column, and how rows stand over all columns."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

import numpy as np

from benchsuite.records import Record
from benchsuite.regimes.support import TRAINED
from benchsuite.report.seeds import is_collapsed
from benchsuite.stats import SEED, Rank, combine, holm, mean_ranks, rank_intervals
from benchsuite.stats.seeds import part_of, within_part

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
    must be equal to compare. n: examples. cap: of training examples, infinite where there is none;
    None of a regime that trains nothing. seeded: whether another seed may give another score.
    collapsed: seeds that are no better than the trivial answer.
    """

    scores: tuple[float, ...]
    mean: float
    drawn: np.ndarray | None
    way: str
    n: int
    cap: float | None = None
    seeded: bool = False
    collapsed: int = 0

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return fmean(self.scores)


def arm_of(found: Sequence[Record], replicates: Mapping[str, np.ndarray]) -> Arm | None:
    """The seeds of one cell as what compares; None where one has no score."""
    scores = [record.headline.value for record in found if record.headline is not None]
    known = [score for score in scores if score is not None]
    if not found or len(known) < len(found):
        return None
    drawn = [replicates.get(record.key) for record in found]
    whole = [one for one in drawn if one is not None]
    first = found[0]
    assert first.headline is not None
    parts = first.parts_but(())
    way = [parts.get(name) for name in ("task_version", "data")]
    trains = first.cell.get("regime_name") in TRAINED
    return Arm(
        scores=tuple(known),
        mean=fmean(in_mean(record) for record in found),
        drawn=np.stack(whole) if len(whole) == len(drawn) else None,
        way=json.dumps([*way, first.headline.split, first.headline.metric], sort_keys=True),
        n=first.headline.n,
        cap=(first.cell.get("train_limit") or math.inf) if trains else None,
        seeded=first.cell.get("seed") is not None,
        collapsed=sum(is_collapsed(record) for record in found),
    )


def comparable(column: Mapping[Key, Arm], cap: float | None = None) -> set[Key]:
    """The arms of a column that compare: of the same examples, trained on as many at most.

    The examples are the most that any arm has, of equally many those of most arms; the cap is
    `cap`, or that of most arms where none has it. What trains nothing compares with all.
    """
    if not column:
        return set()
    ways = Counter(arm.way for arm in column.values())
    way = max(column.values(), key=lambda arm: (arm.n, ways[arm.way], arm.way)).way
    same = {key: arm for key, arm in column.items() if arm.way == way}
    if cap is None or all(arm.cap != cap for arm in same.values()):
        cap = usual_cap(same.values())
    return {key for key, arm in same.items() if arm.cap in (None, cap)}


def usual_cap(arms: Iterable[Arm]) -> float | None:
    """The cap of training examples that most arms have, of several the largest."""
    caps = Counter(arm.cap for arm in arms if arm.cap is not None)
    return max(caps, key=lambda cap: (caps[cap], cap), default=None)


def not_worse(alike: Mapping[Key, Arm]) -> set[Key]:
    """Of arms that compare, the best and all that are not significantly worse than it.

    One-sided, of the difference to the best on the same examples: its variance is that of the
    paired replicates plus that of the seeds; Holm over the column. Nobody where there are fewer
    than two arms with replicates, or where one without is the best.
    """
    arms = {key: arm for key, arm in alike.items() if arm.drawn is not None}
    best = max(alike, key=lambda key: (alike[key].value, key in arms), default=None)
    if best is None or best not in arms or len(arms) < 2:
        return set()
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
    error = combine(float(gaps.var(ddof=1)), _of_seeds(arm, best))
    return error.below(arm.value - best.value)


def _of_seeds(*arms: Arm) -> list[tuple[float, float]]:
    """The seeds' part of a difference's variance, as `combine` takes it.

    Where one arm has a single seed, or seeds of one collapsed, both are taken to scatter alike:
    an arm of which all seeds happen to collapse shows none. What no arm tells stays unknown: of
    single seeds the examples alone are counted.
    """
    sampled = [arm for arm in arms if arm.seeded]
    several = [arm for arm in sampled if len(arm.scores) > 1]
    unsure = len(several) == 1 or any(arm.collapsed for arm in sampled)
    if len(sampled) == 2 and several and unsure:
        return [within_part([arm.scores for arm in sampled])]
    return [part_of(arm.scores) for arm in several]


def standings(
    rows: Mapping[Key, Mapping[str, Arm]], tasks: Sequence[str]
) -> dict[Key, tuple[float, Rank | None]]:
    """Mean over tasks and mean rank of each row that has all of them, on the same data and caps.

    Ranks are by the headline metric; their intervals come from resampling the examples, the same
    for all rows, and from how several seeds scatter (of a single one nothing is known). A rank is
    None where there is one row alone. Nothing is returned for fewer than two tasks, or where
    nobody has one of them.
    """
    tasks = [task for task in tasks if task not in APART]
    if len(tasks) < 2 or any(all(task not in row for row in rows.values()) for task in tasks):
        return {}
    cap = usual_cap(row[task] for row in rows.values() for task in tasks if task in row)
    alike = [
        comparable({key: row[task] for key, row in rows.items() if task in row}, cap)
        for task in tasks
    ]
    whole = [key for key in rows if all(key in column for column in alike)]
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
            [np.stack([redrawn(arm, generator) for arm in row], axis=-1) for row in arms], axis=1
        )
        ranks = rank_intervals(scores, drawn)
    return {key: (means[key], rank) for key, rank in zip(whole, ranks, strict=True)}


def redrawn(arm: Arm, generator: np.random.Generator) -> np.ndarray:
    """Replicates (R,) of the mean over seeds, as far off as that of so few seeds may be.

    Seeds drawn with replacement would scatter too little: of three the percentiles hold the true
    mean in 73 of 100 cases, Student's t in 95. Where a replicate is undefined (a correlation of
    equal values) the arm's own score stands.
    """
    assert arm.drawn is not None
    seeds, replicates = arm.drawn.shape
    found: np.ndarray = arm.drawn.mean(axis=0)
    if seeds > 1:
        part, freedom = part_of(arm.scores)
        found = found + part**0.5 * generator.standard_t(freedom, size=replicates)
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
