"""Whether a candidate costs more: profiles of two stores, with the noise of their repeats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchsuite import profiles
from benchsuite.cells import digest
from benchsuite.check.arms import Outcome
from benchsuite.check.policy import Policy
from benchsuite.check.renaming import canonical
from benchsuite.errors import InputError
from benchsuite.profiles import Profile

MORE_IS_BETTER = ("training_examples_per_s", "examples_per_s")
REPEATED = (*MORE_IS_BETTER, "latency_s")
FEWEST_REPEATS = 5
SAME = (
    "profile_version",
    "hardware",
    "dtype",
    "device",
    "batch_tokens",
    "max_length",
    "threads",
    "examples",
    "task_version",
    "data",
)
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
        if self.baseline == 0:
            return 1.0 if self.candidate == 0 else math.inf
        return self.candidate / self.baseline


def judge_costs(
    baseline: Path,
    candidate: Path,
    policy: Policy,
    tasks: Sequence[str] | None,
    renamed: Mapping[str, str],
) -> tuple[list[CostVerdict], list[str], list[str]]:
    """Verdicts on every measure of every profile of the baseline, and two lists of lines.

    The first says what the candidate lacks, the second which profiles were not made on the same
    hardware in the same way. Worse by more than the margin fails where the bands of the medians lie
    apart, and is inconclusive where they overlap. Raises InputError where a store has no profile,
    or one cannot be read.
    """
    verdicts: list[CostVerdict] = []
    missing: list[str] = []
    unlike: list[str] = []
    renamed = {canonical(old): canonical(new) for old, new in renamed.items()}
    theirs = _newest(_read(candidate))
    for (named, how), one in _newest(_read(baseline)).items():
        model, regime, task = named
        if tasks is not None and task not in tasks:
            continue
        wanted = (renamed.get(model, model), renamed.get(regime, regime), task)
        other = theirs.get((wanted, how))
        if other is None:
            others = [profile for (name, _), profile in theirs.items() if name == wanted]
            if others:
                different = [
                    part for part in SAME if one.cell.get(part) != others[0].cell.get(part)
                ]
                unlike.append(
                    f"profile of {one.name}: costs compare on one machine and alike only; these "
                    f"differ in {', '.join(different)}"
                )
                continue
            missing.append(f"profile of {one.name}: not in the candidate, or not done there")
            continue
        before, after = _measures(one), _measures(other)
        missing += [
            f"profile of {one.name}: no {name} in the candidate"
            for name in before
            if name not in after
        ]
        name = f"{one.name} (busy)" if one.is_crowded or other.is_crowded else one.name
        verdicts += [
            _verdict(name, measure, before[measure], after[measure], getattr(policy.cost, measure))
            for measure in before
            if measure in after
        ]
    if not verdicts and not missing and not unlike:
        raise InputError(f"{baseline}: no profile in scope; make some with `bench profile`")
    return verdicts, missing, unlike


def _newest(found: Sequence[Profile]) -> dict[tuple[tuple[str, str, str], str], Profile]:
    """Done profiles by model, regime and task, and by how they were made; of several the newest."""
    newest = {}
    for one in sorted(found, key=lambda one: str(one.provenance.get("time", ""))):
        cell = one.cell
        try:
            named = (str(cell["model"]), canonical(str(cell["regime"])), str(cell["task"]))
        except KeyError as error:
            raise InputError(f"a profile's cell lacks its {error}; profile again") from None
        if one.status == "done":
            newest[named, digest({part: cell.get(part) for part in SAME})] = one
    return newest


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
        if value is not None and value != []
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
    # The noise of fewer repeats than a profile makes by itself is not known.
    if measure in REPEATED and min(len(before), len(after)) < FEWEST_REPEATS:
        apart = False
    outcome: Outcome = "pass"
    if worse:
        outcome = "fail" if apart else "inconclusive"
    return CostVerdict(name, measure, mine, theirs, bands, margin, outcome)


def _band(values: list[float]) -> tuple[float, float]:
    """An interval of the median by order statistics, of 95%; the range of five repeats is of 94%.

    Distribution-free: the number of values below the median is binomial (Conover 1999, chapter 3).
    """
    from scipy.stats import binom

    ordered = sorted(values)
    outer = max(1, int(binom.ppf(0.025, len(ordered), 0.5)))
    return ordered[outer - 1], ordered[-outer]
