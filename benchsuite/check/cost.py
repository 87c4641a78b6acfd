"""Whether a candidate costs more: profiles of two stores, with the noise of their repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchsuite import profiles
from benchsuite.check.policy import Policy
from benchsuite.check.verdict import Outcome
from benchsuite.errors import InputError
from benchsuite.profiles import Profile

MORE_IS_BETTER = ("training_examples_per_s", "examples_per_s")
SAME = ("hardware", "dtype", "device", "batch_tokens", "max_length", "threads", "examples")
"""What of a profile's description must agree for a cost to be compared."""


@dataclass(frozen=True, slots=True)
class CostVerdict:
    """One cost of one profile. ratio: candidate / baseline of the medians.

    bands: what the median may be, of the baseline, of the candidate.
    """

    name: str
    measure: str
    baseline: float
    candidate: float
    bands: tuple[tuple[float, float], tuple[float, float]]
    margin: float
    outcome: Outcome

    @property
    def ratio(self) -> float:
        """How many times the baseline's."""
        return self.candidate / self.baseline if self.baseline else float("inf")


def judge_costs(
    baseline: Path,
    candidate: Path,
    policy: Policy,
    tasks: Sequence[str] | None,
    renamed: Mapping[str, str],
) -> tuple[list[CostVerdict], list[str]]:
    """Verdicts on every measure of every profile of the baseline, and what the candidate lacks.

    Worse by more than the margin fails where the bands of the medians lie apart, and is
    inconclusive where they overlap. Raises InputError where a store has no profile, one cannot be
    read, or they were not made on the same hardware in the same way.
    """
    mine, theirs = _read(baseline), _read(candidate)
    by_name = {(one.cell["model"], one.cell["regime"], one.cell["task"]): one for one in theirs}
    verdicts: list[CostVerdict] = []
    missing: list[str] = []
    for one in mine:
        cell = one.cell
        if one.status != "done" or (tasks is not None and cell["task"] not in tasks):
            continue
        model, regime = (renamed.get(cell[part], cell[part]) for part in ("model", "regime"))
        other = by_name.get((model, regime, cell["task"]))
        if other is None or other.status != "done":
            missing.append(f"profile of {one.name}: not in the candidate, or not done there")
            continue
        different = [part for part in SAME if cell.get(part) != other.cell.get(part)]
        if different:
            raise InputError(
                f"profile of {one.name}: costs compare on one machine only; these differ in "
                f"{', '.join(different)}"
            )
        before, after = _measures(one), _measures(other)
        verdicts += [
            _verdict(one.name, name, before[name], after[name], getattr(policy.cost, name))
            for name in before
            if name in after
        ]
    if not verdicts and not missing:
        raise InputError(f"{baseline}: no profile in scope; make some with `bench profile`")
    return verdicts, missing


def _read(store: Path) -> list[Profile]:
    found, unreadable = profiles.read_all(store)
    if unreadable:
        raise InputError(unreadable[0])
    return found


def _measures(one: Profile) -> dict[str, list[float]]:
    """The repeats of each measure that a profile has; single values have one."""
    found: dict[str, Any] = {
        "training_examples_per_s": one.training.examples_per_s if one.training else None,
        "examples_per_s": one.inference.examples_per_s if one.inference else None,
        "latency_s": one.inference.latency_s if one.inference else None,
        "memory_peak_bytes": one.memory_peak_bytes,
        "artifact_bytes": one.artifact_bytes,
    }
    return {
        name: value if isinstance(value, list) else [float(value)]
        for name, value in found.items()
        if value
    }


def _verdict(
    name: str, measure: str, before: list[float], after: list[float], margin: float
) -> CostVerdict:
    mine, theirs = median(before), median(after)
    bands = (_band(before), _band(after))
    if measure in MORE_IS_BETTER:
        worse, apart = theirs < mine * (1 - margin), bands[1][1] < bands[0][0]
    else:
        worse, apart = theirs > mine * (1 + margin), bands[1][0] > bands[0][1]
    outcome: Outcome = "pass"
    if worse:
        outcome = "fail" if apart else "inconclusive"
    return CostVerdict(name, measure, mine, theirs, bands, margin, outcome)


def _band(values: list[float]) -> tuple[float, float]:
    """The 95% interval of the median by order statistics; of five repeats it is their range.

    Distribution-free: the number of values below the median is binomial (Conover 1999, chapter 3).
    """
    from scipy.stats import binom

    ordered = sorted(values)
    outer = max(1, int(binom.ppf(0.025, len(ordered), 0.5)))
    return ordered[outer - 1], ordered[-outer]
