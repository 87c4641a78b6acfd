"""Accept a candidate: its records take the place of the baseline's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchsuite import records
from benchsuite.check.pairs import Stored, identity, label, read_records
from benchsuite.errors import InputError
from benchsuite.report.table import shown


def update(baseline: Path, candidate: Path, tasks: Sequence[str] | None = None) -> list[str]:
    """Put the candidate's records into the baseline, and say in a line each what was accepted.

    Records of the same model, regime and task are replaced; what the candidate does not have stays.
    Only record and outcomes are copied, no artifact.

    Args:
        tasks: ids that are in scope; all without.

    Raises InputError, nothing being written, where the candidate has a failed cell in scope.
    """
    mine = read_records(baseline) if records.store_folders(baseline) else []
    theirs = [
        one for one in read_records(candidate) if tasks is None or one.record.cell["task"] in tasks
    ]
    failed = [label(one.record) for one in theirs if one.record.status == "failed"]
    if failed:
        raise InputError(f"{candidate}: a failed cell is no baseline: {', '.join(failed[:3])}")
    outcomes = {
        one.folder: records.read_outcomes(one.folder, one.record)
        for one in theirs
        if one.record.status == "done"
    }
    known = {identity(one.record, {}) for one in theirs}
    replaced = [one for one in mine if identity(one.record, {}) in known]
    keys = {one.record.key for one in theirs}
    lines = []
    for one in theirs:
        before = [old for old in replaced if identity(old.record, {}) == identity(one.record, {})]
        lines.append(_accepted(one, before))
        records.write(baseline, one.record, outcomes.get(one.folder))
    for old in replaced:
        if old.record.key not in keys:
            shutil.rmtree(old.folder)
    kept = [label(one.record) for one in mine if identity(one.record, {}) not in known]
    return lines + [f"kept: {name}" for name in kept]


def _accepted(one: Stored, before: Sequence[Stored]) -> str:
    seed = one.record.cell.get("seed")
    same = [old for old in before if old.record.cell.get("seed") == seed]
    now = _value(one)
    if not same:
        return f"new: {label(one.record)}: {now}"
    if same[0].record.key == one.record.key:
        return f"unchanged: {label(one.record)}: {now}"
    return f"changed: {label(one.record)}: {_value(same[0])} -> {now}"


def _value(one: Stored) -> str:
    headline = one.record.headline
    return shown(headline.metric, headline.value) if headline else one.record.status
