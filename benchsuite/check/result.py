"""The gate's whole answer, and its exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchsuite.check.arms import Verdict
from benchsuite.check.cost import CostVerdict, judge_costs
from benchsuite.check.pairs import pair, read_records
from benchsuite.check.policy import Policy, load_policy
from benchsuite.check.renaming import parse_map
from benchsuite.check.verdict import judge
from benchsuite.errors import InputError
from benchsuite.report import write_files
from benchsuite.tasks.registry import Registry

EXIT_CODES = {"pass": 0, "fail": 1, "not comparable": 2, "inconclusive": 3}


@dataclass(frozen=True, slots=True)
class Result:
    """Verdicts on all that was compared.

    missing: lines on what the candidate lacks. unlike: on what was made under other conditions.
    """

    baseline: str
    candidate: str
    policy: Policy
    verdicts: list[Verdict]
    missing: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    costs: list[CostVerdict] = field(default_factory=list)

    @property
    def judged(self) -> list[Verdict | CostVerdict]:
        """Everything that has an outcome."""
        return [*self.verdicts, *self.costs]

    @property
    def outcome(self) -> str:
        """`not comparable` where anything is not, whatever the rest says; `fail` where anything
        failed or is missing; `pass` where everything passed; `inconclusive` else."""
        found = {one.outcome for one in self.judged}
        if self.unlike:
            return "not comparable"
        if self.missing or "fail" in found:
            return "fail"
        return "inconclusive" if "inconclusive" in found else "pass"

    def exit_code(self, allow_inconclusive: bool = False) -> int:
        """0 pass, 1 fail or something missing, 2 not comparable, 3 inconclusive (0 if allowed)."""
        if allow_inconclusive and self.outcome == "inconclusive":
            return 0
        return EXIT_CODES[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """All of it in plain types."""
        verdicts = []
        for one in self.verdicts:
            row = asdict(one)
            del row["error"]
            row["se"] = one.error.se if one.error else None
            verdicts.append(row)
        return {
            "outcome": self.outcome,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "policy": self.policy.model_dump(),
            "verdicts": verdicts,
            "missing": self.missing,
            "not_comparable": self.unlike,
            "skipped": self.skipped,
            "costs": [asdict(one) for one in self.costs],
        }


def check(
    baseline: Path | str,
    candidate: Path | str,
    *,
    suite: str | None = None,
    policy: Policy | Path | str | None = None,
    renamed: Mapping[str, str] | Sequence[str] = (),
    cost: bool = False,
    tasks_dir: Sequence[Path] = (),
) -> Result:
    """Compare two stores of records and say whether the candidate got worse.

    Args:
        suite: tasks in scope; all of the baseline's without.
        policy: margins and the like, or the file that has them.
        renamed: models or regimes of the baseline -> the candidate's to compare them with; or
            `OLD=NEW` texts.
        cost: also compare the profiles (`bench profile`) in the two stores.

    Raises InputError where records cannot be read, or nothing is comparable.
    """
    if not isinstance(policy, Policy):
        policy = load_policy(None if policy is None else Path(policy))
    scope = tasks_of(suite, tasks_dir)
    mine, theirs = (read_records(Path(store), scope) for store in (baseline, candidate))
    if not isinstance(renamed, Mapping):
        parsed = [parse_map(text, mine, theirs) for text in renamed]
        renamed = dict(parsed)
        if len(renamed) < len(parsed):
            raise InputError("--map: a model or regime of the baseline stands there twice")
    found = pair(mine, theirs, renamed)
    verdicts, unjudged, broken = judge(found.pairs, policy, tasks_dir)
    unlike = [*found.unlike, *broken]
    if not verdicts and not found.missing:
        raise InputError(f"nothing is comparable: {'; '.join([*unlike, *unjudged][:3])}")
    costs: list[CostVerdict] = []
    lost: list[str] = []
    if cost:
        try:
            costs, lost, others = judge_costs(
                Path(baseline), Path(candidate), policy, scope, renamed
            )
            unlike += others
        except InputError as error:  # what the records say is told all the same
            unlike.append(str(error))
    return Result(
        baseline=str(baseline),
        candidate=str(candidate),
        policy=policy,
        verdicts=verdicts,
        missing=[*found.missing, *lost],
        unlike=unlike,
        skipped=[*found.skipped, *unjudged, *policy.unused(verdicts)],
        costs=costs,
    )


def tasks_of(suite: str | None, tasks_dir: Sequence[Path] = ()) -> list[str] | None:
    """Task ids of a suite; None for all. Raises InputError for an unknown one."""
    return None if suite is None else list(Registry(tasks_dir).suite(suite).tasks)


def write_text(path: Path, text: str) -> None:
    """Write a file of the answer. Raises InputError where that is not possible."""
    write_files(path.parent, {path.name: text})


def assert_no_regression(
    baseline: Path | str,
    candidate: Path | str,
    *,
    allow_inconclusive: bool = False,
    **options: Any,
) -> Result:
    """`check` for a test: AssertionError with the table where the gate does not open.

    options: those of `check`.
    """
    from benchsuite.check.render import to_markdown

    result = check(baseline, candidate, **options)
    if result.exit_code(allow_inconclusive) != 0:
        raise AssertionError(to_markdown(result))
    return result
