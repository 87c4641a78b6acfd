"""Accept a candidate: its records take the place of the baseline's."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from benchsuite import records
from benchsuite.check.pairs import Stored, identity, label, read_records
from benchsuite.errors import InputError
from benchsuite.outcomes import NotJudged, read_tables, spec_of
from benchsuite.report.numbers import shown
from benchsuite.report.table import settings


def update(
    baseline: Path,
    candidate: Path,
    tasks: Sequence[str] | None = None,
    tasks_dir: Sequence[Path] = (),
) -> list[str]:
    """Put the candidate's records into the baseline, and say in a line each what was done.

    Replaced are records of the same model, regime, task, split, caps and settings, all their seeds;
    what the candidate has no score of stays. Record and outcomes are copied, no artifact.

    Args:
        tasks: ids that are in scope; all without. tasks_dir: folders of a user's own tasks.

    Raises InputError, nothing being written, where the candidate has a failed cell in scope or
    nothing to accept.
    """
    mine = read_records(baseline, tasks) if records.store_folders(baseline) else []
    theirs = _last_of_each(read_records(candidate, tasks))
    failed = [label(one) for one in theirs if one.record.status == "failed"]
    if failed:
        raise InputError(f"{candidate}: a failed cell is no baseline: {', '.join(failed[:3])}")
    done = [one for one in theirs if one.is_done]
    if not done:
        raise InputError(f"{candidate}: no scored record in scope; nothing is accepted")
    for one in done:  # what a check would refuse is no baseline
        with contextlib.suppress(NotJudged):
            read_tables(one.folder, one.record, spec_of(one.record, tasks_dir))
    outcomes = [records.read_outcomes(one.folder, one.record) for one in done]
    before: dict[Hashable, list[Stored]] = defaultdict(list)
    for one in mine:
        before[_cell(one)].append(one)
    lines = [_accepted(one, before[_cell(one)]) for one in done]
    keys = {one.record.key for one in done}
    try:
        for one, table in zip(done, outcomes, strict=True):
            records.write(baseline, one.record, table)
    except OSError as error:
        raise InputError(f"{baseline} cannot be written ({error.strerror})") from None
    accepted = {_cell(one) for one in done}
    seeds = {(_cell(one), one.seed) for one in done}
    for old in mine:
        if _cell(old) not in accepted:
            lines.append(f"kept: {label(old)}: {_value(old)}")
        elif old.folder.name != records.folder_name(old.record.cell):
            _remove(old.folder)  # a record under another name than its own
        elif old.record.key not in keys:
            if (_cell(old), old.seed) not in seeds:
                lines.append(f"removed: {label(old)}: {_value(old)}")
            _remove(old.folder)
    lines += [f"not accepted, no score: {label(one)}" for one in theirs if not one.is_done]
    return lines


def _last_of_each(found: Sequence[Stored]) -> list[Stored]:
    """Of a cell that was run several times, the last run."""
    ordered = sorted(found, key=lambda one: str(one.record.provenance.get("time", "")))
    last = {(_cell(one), one.seed): one for one in ordered}
    return [one for one in found if last[_cell(one), one.seed] is one]


def _cell(one: Stored) -> Hashable:
    """What a record replaces: of one name, caps and settings, whatever its seed."""
    cell = one.record.cell
    return (
        *identity(one.record, {}),
        tuple(settings(one.record)),
        cell.get("limit"),
        cell.get("train_limit"),
    )


def _remove(folder: Path) -> None:
    """Take a record out of a store; what else lies in its folder stays."""
    for name in (records.RECORD_FILE, records.OUTCOMES_FILE):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _accepted(one: Stored, before: Sequence[Stored]) -> str:
    same = [old for old in before if old.seed == one.seed]
    now = _value(one)
    if not same:
        return f"new: {label(one)}: {now}"
    hashes = {each.record.provenance.get("outcomes_sha256") for each in (one, *same)}
    if len(hashes) == 1 and same[0].record.key == one.record.key:
        return f"unchanged: {label(one)}: {now}"
    return f"changed: {label(one)}: {_value(same[0])} -> {now}"


def _value(one: Stored) -> str:
    headline = one.record.headline
    return shown(headline.metric, headline.value) if headline else one.record.status
