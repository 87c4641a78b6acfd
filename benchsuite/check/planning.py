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
from statistics import variance
from typing import Any

from scipy.stats import norm

from benchsuite import records
from benchsuite.check.pairs import Pair, Stored, identity, read_records
from benchsuite.check.policy import load_policy
from benchsuite.check.result import tasks_of
from benchsuite.check.verdict import POWER
from benchsuite.errors import InputError
from benchsuite.report.table import one_a_seed
from benchsuite.results import tables_of
from benchsuite.stats import combine, paired_draws
from benchsuite.tasks.task import load_task

ALIKE = 0.9
"""Correlation assumed of two arms' answers where the baseline has no second arm to measure it."""
MOST_SEEDS = 100
HEADER = ("cell", "metric", "margin", "examples", "needed", "if unrelated", "seeds", "needed seeds")
LEGEND = (
    "needed: examples with which an unchanged candidate passes in 80% of cases, its answers as "
    "much alike as those of two seeds of the baseline, or 0.9 correlated where there are no seeds; "
    "if unrelated: were they not alike at all, the most it can be. needed seeds: of each arm, on "
    "the examples there are; none: more seeds alone do not do it, or there are no three to go by."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one cell of the baseline needs. seeds_needed: None where seeds do not matter or help."""

    name: str
    metric: str
    margin: float
    examples: int
    examples_needed: int
    examples_if_unrelated: int
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
            self.examples_needed,
            self.examples_if_unrelated,
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
    for one in read_records(baseline):
        record = one.record
        has_value = record.headline is not None and record.headline.value is not None
        if has_value and (scope is None or record.cell["task"] in scope):
            groups[identity(record, {})].append(one)
    if not groups:
        raise InputError(f"{baseline}: no scored record in scope")
    plans = []
    for _, group in sorted(groups.items()):
        by_key = {one.record.key: one for one in group}
        arm = tuple(by_key[r.key] for r in one_a_seed([one.record for one in group]))
        headline = arm[0].record.headline
        assert headline is not None
        cell = arm[0].record.cell
        own = margin if margin is not None else rules.margin(cell["task"], headline.metric)
        pair = Pair(cell["model"], cell["regime"], cell["task"], arm, arm)
        plans.append(_plan(pair, own, rules.alpha, tasks_dir))
    return plans


def _plan(pair: Pair, margin: float, alpha: float, tasks_dir: Sequence[Path]) -> Plan:
    arm = pair.baseline
    headline = arm[0].record.headline
    assert headline is not None and headline.n
    if headline.low is None or headline.high is None:
        raise InputError(f"{pair.name}: the record has no interval to plan by")
    alone = ((headline.high - headline.low) / (2 * norm.ppf(0.975))) ** 2
    unrelated = 2 * alone
    alike = _variance_between(arm, tasks_dir) if len(arm) > 1 else 2 * (1 - ALIKE) * alone
    reach = float(norm.ppf(1 - alpha) + norm.ppf(POWER))

    def needed(variance_now: float) -> int:
        return math.ceil(variance_now * headline.n * (reach / margin) ** 2)

    seeds_needed = None
    if pair.is_seeded and len(arm) > 2:
        between = variance(_value(one) for one in arm)
        seeds_needed = _seeds(alike, between, margin, alpha)
    return Plan(
        name=pair.name,
        metric=headline.metric,
        margin=margin,
        examples=headline.n,
        examples_needed=needed(alike),
        examples_if_unrelated=needed(unrelated),
        seeds=len(arm) if pair.is_seeded else None,
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
    spec = load_task(arm[0].record.cell["task"], tasks_dirs=tuple(tasks_dir)).spec
    headline = arm[0].record.headline
    assert headline is not None
    tables = [tables_of(records.read_outcomes(one.folder, one.record)) for one in arm]
    found = [
        float(paired_draws(spec, headline.metric, a, b).var(ddof=1))
        for a, b in zip(tables, tables[1:], strict=False)
    ]
    return sum(found) / len(found)


def _value(one: Stored) -> float:
    headline = one.record.headline
    assert headline is not None and headline.value is not None
    return headline.value
