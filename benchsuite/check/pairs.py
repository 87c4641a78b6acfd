"""Which records of two stores belong together, which are missing, and which do not compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite import records
from benchsuite.cells import digest
from benchsuite.errors import InputError
from benchsuite.records import Record
from benchsuite.regimes.support import TRAINED
from benchsuite.report.table import one_a_seed, settings

Identity = tuple[str, ...]

FREE_PARTS = (
    "weights",
    "tokenizer",
    "seed",
    "dtype",
    "device",
    "max_length",
    "batch_tokens",
    "bfloat16",
    "score",
)
"""Parts of a cell's key in which two arms may differ: comparing models, and ways of computing, is
what a gate is for. `score` leaves the headline as it is."""
SHARED_PARTS = ("task", "task_version", "task_rules", "data", "metrics_version")
"""All that must agree where one regime is compared with another."""
PART_NAMES = {
    "task_version": "task version",
    "task_rules": "rules of the task",
    "prompts": "prompts",
    "data": "evaluation data (split, cap or content)",
    "train": "training data (cap or content)",
    "options": "options of the regime",
    "regime_version": "version of the regime",
    "scorer_version": "version of the scoring engine",
    "metrics_version": "version of the metrics",
    "tune": "whether the rate was searched",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A record and where it stands."""

    record: Record
    folder: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """The records of one cell in both stores, a seed each.

    model, regime, task: the baseline's.
    """

    model: str
    regime: str
    task: str
    baseline: tuple[Stored, ...]
    candidate: tuple[Stored, ...]

    @property
    def name(self) -> str:
        """For people: `gpt zeroshot glue/sst2`, and what it is compared with where that differs."""
        own, theirs = self.baseline[0].record, self.candidate[0].record.cell
        seed = "" if self.is_seeded or own.cell.get("seed") is None else f" seed {own.cell['seed']}"
        against = [
            str(theirs[part])
            for part, name in (("model", self.model), ("regime", self.regime))
            if theirs[part] != name
        ]
        arrow = f" -> {' '.join(against)}" if against else ""
        extras = settings(own)
        how = f" ({', '.join(extras)})" if extras else ""
        return f"{self.model} {self.regime} {self.task}{seed}{how}{arrow}"

    @property
    def is_seeded(self) -> bool:
        """Whether seeds make the arms: of a trained regime, not of drawn demonstrations."""
        cell = self.baseline[0].record.cell
        return cell.get("seed") is not None and cell.get("regime_name") in TRAINED


@dataclass(frozen=True, slots=True)
class Paired:
    """What two stores have in common. missing: what the candidate lacks, a line each.

    skipped: what the baseline itself has no score of.
    """

    pairs: list[Pair]
    missing: list[str]
    skipped: list[str]


def read_records(store: Path) -> list[Stored]:
    """All records of a store. Raises InputError where there are none or one cannot be read."""
    folders = records.store_folders(store)
    if not folders:
        raise InputError(f"{store}: no records here")
    return [Stored(records.read(folder), folder) for folder in folders]


def pair(
    baseline: Sequence[Stored],
    candidate: Sequence[Stored],
    *,
    tasks: Sequence[str] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Paired:
    """Pair records by model, task, regime with options, and split.

    Args:
        tasks: ids that are in scope; all of the baseline's without.
        renamed: a model or regime of the baseline -> the candidate's that stands for it.

    Raises InputError where records that belong together were made under different conditions, or
    nothing is comparable.
    """
    renamed = renamed or {}
    scope = [one for one in baseline if tasks is None or one.record.cell["task"] in tasks]
    _check_renamed(renamed, scope, candidate)
    theirs: dict[Identity, list[Stored]] = defaultdict(list)
    for one in candidate:
        theirs[identity(one.record, {})].append(one)
    groups: dict[tuple[Identity, Identity, str], list[Stored]] = defaultdict(list)
    result = Paired([], [], [])
    for one in scope:
        record = one.record
        if record.status == "done":
            how = digest({"parts": _conditions(record, renamed), "settings": settings(record)})
            groups[identity(record, {}), identity(record, renamed), how].append(one)
        else:
            result.skipped.append(
                f"{label(record)}: {record.status} in the baseline: {record.reason}"
            )
    alone = 0
    for (_, wanted, _), group in groups.items():
        first = group[0].record
        found = theirs.get(wanted, [])
        done = [one for one in found if one.record.status == "done"]
        if not done:
            result.missing.append(_absence(first, found))
            continue
        same = [
            one for one in done if _conditions(one.record, renamed) == _conditions(first, renamed)
        ]
        if not same:
            raise InputError(_difference(first, done[0].record, renamed))
        seeds = {one.record.cell.get("seed") for one in same}
        for one in found:
            if one.record.status != "done" and one.record.cell.get("seed") not in seeds:
                result.missing.append(
                    f"{label(one.record)}: {one.record.status}: {one.record.reason}"
                )
        alike = [one for one in same if settings(one.record) == settings(first)] or same
        cell = first.cell
        made = Pair(cell["model"], cell["regime"], cell["task"], _arm(group), _arm(alike))
        if _folders(made.baseline) == _folders(made.candidate):
            alone += 1
        else:
            result.pairs.append(made)
    if alone:
        result.skipped.append(f"{alone} cell(s) whose records are the same files on both sides")
    if not result.pairs and not result.missing:
        what = "; ".join(result.skipped[:3]) or "the baseline has nothing in scope"
        raise InputError(f"nothing is comparable: {what}")
    result.pairs.sort(key=lambda pair: pair.name)
    return result


def _check_renamed(
    renamed: Mapping[str, str], scope: Sequence[Stored], candidate: Sequence[Stored]
) -> None:
    """Raise InputError where `--map` names what is not there: a slip would look like a loss."""
    for stored, names, where in (
        (scope, renamed.keys(), "baseline"),
        (candidate, renamed.values(), "candidate"),
    ):
        known = {one.record.cell[part] for one in stored for part in ("model", "regime")}
        for name in names:
            if name not in known:
                raise InputError(
                    f"--map: the {where} has no model or regime '{name}'; it has "
                    f"{', '.join(sorted(known)) or 'nothing'}"
                )


def identity(record: Record, renamed: Mapping[str, str]) -> Identity:
    """What a cell is called, as the candidate calls it."""
    cell = record.cell
    drawn = cell.get("regime_name") not in TRAINED  # demonstrations: a seed is a cell of its own
    return (
        renamed.get(cell["model"], cell["model"]),
        renamed.get(cell["regime"], cell["regime"]),
        cell["task"],
        str(cell.get("seed")) if drawn else "",
    )


def _conditions(record: Record, renamed: Mapping[str, str]) -> dict[str, Any]:
    """What must agree for two records to be compared."""
    parts = record.parts_but(FREE_PARTS)
    regime = record.cell["regime"]
    if regime in renamed or regime in renamed.values():
        return {name: part for name, part in parts.items() if name in SHARED_PARTS}
    return parts


def _difference(mine: Record, theirs: Record, renamed: Mapping[str, str]) -> str:
    """What two records differ in that must agree."""
    a, b = _conditions(mine, renamed), _conditions(theirs, renamed)
    found = []
    for part in sorted({*a, *b}):
        if a.get(part) != b.get(part):
            name = PART_NAMES.get(part, part)
            short = all(isinstance(one.get(part), int | bool) for one in (a, b))
            found.append(f"{name} ({a[part]} and {b[part]})" if short else name)
    counts = ""
    if "data" in a and a["data"] != b.get("data") and mine.headline and theirs.headline:
        counts = f" ({mine.headline.n:,} and {theirs.headline.n:,} examples)"
    return (
        f"{label(mine)}: baseline and candidate were not made under the same conditions: "
        f"{', '.join(found)}{counts}; make both in the same way, or accept the candidate with "
        "--update"
    )


def _absence(record: Record, found: Sequence[Stored]) -> str:
    """Why the candidate has no score."""
    if not found:
        return f"{label(record)}: not in the candidate"
    other = found[0].record
    return f"{label(record)}: {other.status} in the candidate: {other.reason}"


def label(record: Record) -> str:
    extras = settings(record)
    return f"{record.name} ({', '.join(extras)})" if extras else record.name


def _arm(group: Sequence[Stored]) -> tuple[Stored, ...]:
    """One record a seed, all made in the newest way there is in the group."""
    by_key = {one.record.key: one for one in group}
    return tuple(by_key[record.key] for record in one_a_seed([one.record for one in group]))


def _folders(arm: Sequence[Stored]) -> set[Path]:
    return {one.folder.resolve() for one in arm}
