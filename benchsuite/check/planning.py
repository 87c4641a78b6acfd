"""How many examples, or seeds, a gate needs, from the baseline's own records.

Planned for a candidate that has not changed: it should pass in 80% of cases, that is, the one-sided
lower bound of a difference of 0 should lie above the margin: (z_alpha + z_power) SE <= margin
(of seeds: Student's t). SE^2 of a difference is 2 (1 - rho) times a score's own variance, rho being
how much alike the two arms answer.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, variance
from typing import Any

import numpy as np
from scipy.stats import norm

from benchsuite.check.arms import FEWEST_SEEDS
from benchsuite.check.pairs import Stored, identity, label, read_records
from benchsuite.check.policy import load_policy
from benchsuite.check.result import tasks_of
from benchsuite.check.verdict import POWER
from benchsuite.errors import InputError
from benchsuite.outcomes import headline_of, read_tables, spec_of
from benchsuite.report.table import one_a_seed
from benchsuite.stats import combine, paired_draws

ALIKE = 0.9
"""Correlation assumed of two arms' answers where the baseline has no second arm to measure it."""
MOST_SEEDS = 100
HEADER = ("cell", "metric", "margin", "examples", "needed", "if unrelated", "seeds", "needed seeds")
LEGEND = (
    "needed: examples with which an unchanged candidate passes in 80% of cases, its answers as "
    "much alike as those of two seeds of the baseline, or 0.9 correlated where there are no seeds; "
    "if unrelated: were they not alike at all, the most it can be; both with the seeds there are. "
    "needed seeds: of each arm, on the examples there are. none: that alone does not do it, "
    "or there are no three seeds to go by."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one cell of the baseline needs; None where that alone does not do it.

    seeds: of the cell, None where it has none.
    """

    name: str
    metric: str
    margin: float
    examples: int
    examples_needed: int | None
    examples_if_unrelated: int | None
    seeds: int | None
    seeds_needed: int | None

    def to_json(self) -> dict[str, Any]:
        """In plain types."""
        return asdict(self)

    def row(self) -> tuple[Any, ...]:
        """Under HEADER."""
        return (
            self.name,
            self.metric,
            f"{100 * self.margin:.2f}",
            self.examples,
            "none" if self.examples_needed is None else self.examples_needed,
            "none" if self.examples_if_unrelated is None else self.examples_if_unrelated,
            self.seeds,
            "none" if self.seeds and self.seeds_needed is None else self.seeds_needed,
        )


def plan(
    baseline: Path,
    *,
    suite: str | None = None,
    task: str | None = None,
    margin: float | None = None,
    policy: Path | None = None,
    tasks_dir: Sequence[Path] = (),
) -> list[Plan]:
    """Plans for all done cells in scope. Raises InputError where there are none."""
    if margin is not None and not 0 < margin < 1:
        raise InputError("--margin is a fraction above 0: 0.02 is two points")
    rules = load_policy(policy)
    scope = [task] if task is not None else tasks_of(suite, tasks_dir)
    groups: dict[tuple[str, ...], list[Stored]] = defaultdict(list)
    for one in read_records(baseline, scope):
        headline = one.record.headline
        if headline is not None and None not in (headline.low, headline.high):
            groups[identity(one.record, {})].append(one)
    # Where nothing has a width nothing varies, and no number of examples follows from it.
    groups = {name: group for name, group in groups.items() if any(map(_width, group))}
    if not groups:
        raise InputError(f"{baseline}: no record in scope that has an interval")
    plans = []
    for _, group in sorted(groups.items()):
        by_key = {one.record.key: one for one in group}
        arm = tuple(by_key[r.key] for r in one_a_seed([one.record for one in group]))
        task_id, metric = arm[0].record.cell["task"], headline_of(arm[0].record).metric
        own = margin if margin is not None else rules.margin(task_id, metric)
        plans.append(_plan(arm, own, rules.alpha, tasks_dir))
    return plans


def _plan(arm: tuple[Stored, ...], margin: float, alpha: float, tasks_dir: Sequence[Path]) -> Plan:
    headline = headline_of(arm[0].record)
    alone = fmean((_width(one) / (2 * norm.ppf(0.975))) ** 2 for one in arm)
    alike = _variance_between(arm, tasks_dir) if len(arm) > 1 else 2 * (1 - ALIKE) * alone
    reach = float(norm.ppf(1 - alpha) + norm.ppf(POWER))
    trained = arm[0].is_trained
    of_seeds, seeds_needed = 0.0, None
    if trained and len(arm) >= FEWEST_SEEDS:
        between = variance(_value(one) for one in arm)
        of_seeds = 2 * between / len(arm)
        seeds_needed = _seeds(alike, between, margin, alpha)

    def needed(of_examples: float) -> int | None:
        """Examples; None where the seeds' part alone is too large, or not known."""
        if trained and len(arm) < FEWEST_SEEDS:
            return None
        room = (margin / reach) ** 2 - of_seeds
        return math.ceil(of_examples * headline.n / room) if room > 0 else None

    return Plan(
        name=label(arm[0], with_seed=False),
        metric=headline.metric,
        margin=margin,
        examples=headline.n,
        examples_needed=needed(alike),
        examples_if_unrelated=needed(2 * alone),
        seeds=len(arm) if trained else None,
        seeds_needed=seeds_needed,
    )


def _seeds(of_examples: float, between: float, margin: float, alpha: float) -> int | None:
    """The fewest seeds of each arm, from 3, with which an unchanged candidate passes."""
    for seeds in range(3, MOST_SEEDS + 1):
        error = combine(of_examples / seeds, [(between / seeds, seeds - 1.0)] * 2)
        if (error.quantile(1 - alpha) + error.quantile(POWER)) * error.se <= margin:
            return seeds
    return None


def _variance_between(arm: Sequence[Stored], tasks_dir: Sequence[Path]) -> float:
    """Variance over examples of the difference of two seeds, the mean over neighbouring ones."""
    spec = spec_of(arm[0].record, tasks_dir)
    metric = headline_of(arm[0].record).metric
    tables = [read_tables(one.folder, one.record, spec) for one in arm]
    found = [
        float(np.nanvar(paired_draws(spec, metric, a, b), ddof=1))
        for a, b in zip(tables, tables[1:], strict=False)
    ]
    return sum(found) / len(found)


def _width(one: Stored) -> float:
    """Of a score's interval."""
    headline = headline_of(one.record)
    return (headline.high or 0.0) - (headline.low or 0.0)


def _value(one: Stored) -> float:
    value = headline_of(one.record).value
    assert value is not None  # it has an interval
    return value
