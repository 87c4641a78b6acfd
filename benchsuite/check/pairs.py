"""Which records of two stores belong together, which are missing, and which do not compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite import records
from benchsuite.cells import digest
from benchsuite.check.renaming import Renamed, canonical, check_renamed
from benchsuite.errors import BenchsuiteError, InputError
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
    "default_lr",
    "score",
)
"""Parts of a cell's key in which two arms may differ: comparing models, and ways of computing, is
what a gate is for. `score` leaves the headline as it is."""
SHARED_PARTS = ("task", "task_version", "task_rules", "data", "metrics_version")
"""All that must agree where `--map` pairs one regime with another; of two that are trained what
they are trained on, too."""
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

    @property
    def is_done(self) -> bool:
        """Whether there is a score to compare."""
        return self.record.status == "done"

    @property
    def seed(self) -> Any:
        """None where the regime draws nothing."""
        return self.record.cell.get("seed")

    @property
    def is_trained(self) -> bool:
        """Whether seeds are a sample: of a trained regime, not of drawn demonstrations."""
        return self.seed is not None and self.record.cell.get("regime_name") in TRAINED


@dataclass(frozen=True, slots=True)
class Pair:
    """The records of one cell in both stores, a seed each."""

    baseline: tuple[Stored, ...]
    candidate: tuple[Stored, ...]

    @property
    def task(self) -> str:
        """The task's id."""
        return str(self.baseline[0].record.cell["task"])

    @property
    def name(self) -> str:
        """For people: `gpt zeroshot glue/sst2`, and what it is compared with where that differs."""
        one, other = self.baseline[0], self.candidate[0]
        differs = [
            new
            for old, new in zip(_parts_of(one), _parts_of(other), strict=True)
            if new and new != old
        ]
        name = label(one, with_seed=not self.is_seeded)
        return f"{name} -> {' '.join(differs)}" if differs else name

    @property
    def is_seeded(self) -> bool:
        """Whether seeds make an arm of either side."""
        return self.baseline[0].is_trained or self.candidate[0].is_trained


@dataclass(frozen=True, slots=True)
class Paired:
    """What two stores have in common. missing: what the candidate lacks, a line each.

    unlike: what was made under different conditions, and how they differ. skipped: what the
    baseline itself has no score of, and what else was not compared.
    """

    pairs: list[Pair]
    missing: list[str]
    unlike: list[str]
    skipped: list[str]


class Missing(BenchsuiteError):
    """The candidate has no score of a cell of the baseline's, for the reason told."""


def read_records(store: Path, tasks: Sequence[str] | None = None) -> list[Stored]:
    """The records of a store, of these tasks or of all.

    Raises InputError where there are none or one cannot be read.
    """
    folders = records.store_folders(store)
    if not folders:
        raise InputError(f"{store}: no records here")
    found = []
    for folder in folders:
        record = records.read(folder)
        if tasks is None or record.cell["task"] in tasks:
            found.append(Stored(record, folder))
    return found


def pair(
    baseline: Sequence[Stored], candidate: Sequence[Stored], renamed: Renamed | None = None
) -> Paired:
    """Pair records by model, task, regime with options, and split.

    Args:
        renamed: a model or regime of the baseline -> the candidate's that stands for it.

    Raises InputError where nothing is comparable.
    """
    renamed = {canonical(old): canonical(new) for old, new in (renamed or {}).items()}
    check_renamed(renamed, baseline, candidate)
    theirs: dict[Identity, list[Stored]] = defaultdict(list)
    for one in candidate:
        theirs[identity(one.record, {})].append(one)
    groups: dict[tuple[Identity, str, Any], list[Stored]] = defaultdict(list)
    result = Paired([], [], [], [])
    undone = []
    for one in baseline:
        if one.is_done:
            seed = None if one.is_trained else one.seed
            groups[identity(one.record, {}), _way(one), seed].append(one)
        else:
            undone.append(one)
    claimed = {(identity(group[0].record, renamed), _way(group[0])) for group in groups.values()}
    scored = {label(one) for group in groups.values() for one in group}
    result.skipped.extend(
        f"{_because(one)} in the baseline" for one in undone if label(one) not in scored
    )
    alone = 0
    for group in groups.values():
        wanted = identity(group[0].record, renamed)
        try:
            found = _counterpart(group[0], theirs.get(wanted, []), claimed, renamed)
        except Missing as error:
            result.missing.append(str(error))
            continue
        except InputError as error:
            result.unlike.append(str(error))
            continue
        for arm in _arms_of(found):
            made = Pair(_arm(group), arm)
            if _folders(made.baseline) == _folders(made.candidate):
                alone += 1
            else:
                result.pairs.append(made)
        lost = [
            one
            for one in theirs[wanted]
            if one.record.status == "failed"
            and one.is_trained
            and settings(one.record) == settings(found[0].record)
            and _caps(one) == _caps(found[0])
            and not any(o.seed == one.seed and _time([o]) >= _time([one]) for o in found)
        ]
        result.missing.extend(dict.fromkeys(_because(one) for one in lost))
    if alone:
        result.skipped.append(f"{alone} cell(s) whose records are the same files on both sides")
    if not result.pairs and not result.missing:
        what = "; ".join([*result.unlike, *result.skipped][:3])
        raise InputError(f"nothing is comparable: {what or 'the baseline has nothing in scope'}")
    result.pairs.sort(key=lambda pair: pair.name)
    return result


def _counterpart(
    mine: Stored,
    found: Sequence[Stored],
    claimed: Collection[tuple[Identity, str]],
    renamed: Renamed,
) -> list[Stored]:
    """The candidate's records of a baseline's cell.

    found: all of the candidate's under that name. claimed: which of the baseline's cells there are,
    by name and settings: what another of them is compared with cannot stand for this one.

    Raises Missing where there is none, or the newest one failed, InputError where they were made
    under different conditions.
    """
    if not found:
        raise Missing(f"{label(mine)}: not in the candidate")
    exact = [one for one in found if settings(one.record) == settings(mine.record)]
    relaxed = canonical(mine.record.cell["regime"]) != canonical(found[0].record.cell["regime"])
    only = None
    if relaxed:
        learns = all(one.record.cell.get("regime_name") in TRAINED for one in (mine, found[0]))
        only = (*SHARED_PARTS, "train") if learns else SHARED_PARTS
    wanted = _conditions(mine.record, only)
    done = [one for one in found if one.is_done]
    same = [one for one in done if _conditions(one.record, only) == wanted]
    if not mine.is_trained and not relaxed and mine.seed is not None:
        same = [one for one in same if one.seed == mine.seed]
    alike = [one for one in same if one in exact]
    failed = [one for one in exact if not one.is_done and _caps(one) == _caps(mine)]
    if not mine.is_trained and not relaxed:
        failed = [one for one in failed if one.seed == mine.seed]
    # Of a cell that was run twice the last one counts; seeds of an arm are looked at one by one.
    if failed and not (alike and (mine.is_trained or _time(alike) >= _time(failed))):
        raise Missing(f"{_because(max(failed, key=lambda one: _time([one])))} in the candidate")
    if alike:
        return alike
    own = identity(mine.record, renamed)
    others = [one for one in done if (own, _way(one)) not in claimed]
    free = [one for one in same if one in others]
    # Another precision stands in for a record only where there is none of the same.
    if free and not any(one in exact for one in others):
        return free
    if not others:
        undone = [one for one in found if not one.is_done]
        if undone and not done:
            raise Missing(f"{_because(undone[0])} in the candidate")
        raise Missing(f"{label(mine)}: not in the candidate")
    nearest = next((one for one in others if one in exact), others[0])
    raise InputError(_difference(mine, nearest, only))


def _caps(one: Stored) -> tuple[Any, Any]:
    """Of the evaluation and of the training examples."""
    return one.record.cell.get("limit"), one.record.cell.get("train_limit")


def _time(found: Sequence[Stored]) -> str:
    """When the newest of some records was made; times of one zone sort as text."""
    return max(str(one.record.provenance.get("time", "")) for one in found)


def _way(one: Stored) -> str:
    """Settings and conditions under which a record was made, its seed aside."""
    return digest({"how": [_conditions(one.record), settings(one.record)]})


def _arms_of(found: Sequence[Stored]) -> list[tuple[Stored, ...]]:
    """Seeds of a trained regime as one arm; of drawn demonstrations, each its own."""
    if found[0].is_trained:
        return [_arm(found)]
    by_seed: dict[Any, list[Stored]] = defaultdict(list)
    for one in found:
        by_seed[one.seed].append(one)
    return [_arm(group) for group in by_seed.values()]


def identity(record: Record, renamed: Renamed) -> Identity:
    """What a cell is called, as the candidate calls it; its seed, cap and settings aside."""
    cell = record.cell
    regime = canonical(cell["regime"])
    return (
        renamed.get(cell["model"], cell["model"]),
        renamed.get(regime, regime),
        cell["task"],
        "+".join(cell.get("splits") or ()),
    )


def _conditions(record: Record, only: Collection[str] | None = None) -> dict[str, Any]:
    """What must agree for two records to be compared. only: these parts, of two regimes."""
    parts = record.parts_but(FREE_PARTS)
    if only is not None:
        return {name: part for name, part in parts.items() if name in only}
    # Demonstrations are drawn by the seed, which pairs them.
    if record.cell.get("regime_name") == "fewshot":
        parts.pop("train", None)
    return parts


def _difference(mine: Stored, theirs: Stored, only: Collection[str] | None) -> str:
    """What two records differ in that must agree."""
    a, b = _conditions(mine.record, only), _conditions(theirs.record, only)
    found = []
    for part in sorted({*a, *b}):
        if a.get(part) != b.get(part):
            name = PART_NAMES.get(part, part)
            short = all(isinstance(one.get(part), int | bool) for one in (a, b))
            found.append(f"{name} ({a[part]} and {b[part]})" if short else name)
    counts = ""
    heads = mine.record.headline, theirs.record.headline
    if a.get("data") != b.get("data") and heads[0] and heads[1]:
        counts = f" ({heads[0].n:,} and {heads[1].n:,} examples)"
    return (
        f"{label(mine)}: baseline and candidate were not made under the same conditions: "
        f"{', '.join(found)}{counts}; make both in the same way"
    )


def _because(one: Stored) -> str:
    return f"{label(one)}: {one.record.status} ({one.record.reason})"


def _parts_of(one: Stored) -> tuple[str, str, str]:
    """Model, regime and what else is not the default."""
    cell = one.record.cell
    return cell["model"], cell["regime"], _extras(one)


def label(one: Stored, with_seed: bool = True) -> str:
    """Model, regime and task, with every setting that is not the default."""
    cell = one.record.cell
    seed = f" seed {one.seed}" if with_seed and one.seed is not None else ""
    extras = _extras(one)
    return " ".join([f"{cell['model']} {cell['regime']} {cell['task']}{seed}", extras]).strip()


def _extras(one: Stored) -> str:
    """Settings and caps that are not the default, in parentheses; "" without."""
    cell = one.record.cell
    extras = settings(one.record)
    if cell.get("limit"):
        extras.append(f"cap {cell['limit']:,}")
    if cell.get("train_limit") and cell.get("regime_name") in TRAINED:
        extras.append(f"{cell['train_limit']:,} training examples")
    return f"({', '.join(extras)})" if extras else ""


def _arm(group: Sequence[Stored]) -> tuple[Stored, ...]:
    """One record a seed, all made in the newest way there is in the group."""
    by_key = {one.record.key: one for one in group}
    return tuple(by_key[record.key] for record in one_a_seed([one.record for one in group]))


def _folders(arm: Sequence[Stored]) -> set[Path]:
    return {one.folder.resolve() for one in arm}
