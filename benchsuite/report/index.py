"""An index of a store: its records, and the replicates of their headlines, in one file.

The index lies in the user's cache folder, a parquet a store, and holds for each record folder when
its files were written, the record, and what resampling its outcomes gives. What has not changed is
read from there; nothing is written into the store. A missing or broken index costs time alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import benchsuite
from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.metrics import METRICS_VERSION
from benchsuite.outcomes import NotJudged, headline_of, read_tables, spec_of
from benchsuite.paths import tasks_root
from benchsuite.records import Record
from benchsuite.stats.resampling import replicates_of
from benchsuite.tasks.spec import TaskSpec

VERSION = 3
COLUMNS = (
    ("folder", "string"),
    ("stamp", "string"),
    ("record", "string"),
    ("trouble", "string"),
    ("replicates", "binary"),
)
OF_A_PROCESS, OF_A_PART = 1_000, 250
"""Fewest records that are worth a process; how many it takes at once."""
FILES = (records.RECORD_FILE, records.OUTCOMES_FILE)


@dataclass(frozen=True, slots=True)
class Measured:
    """A record, and the replicates (R,) of its headline, which pair with those of all others.

    replicates: None where it is not done, undefined, kept without outcomes, or judged by lm-eval in
    a way that cannot be resampled.
    """

    record: Record
    replicates: np.ndarray | None = None


def read_store(
    store: Path, *, needed: bool = True, tasks_dirs: Sequence[Path] = ()
) -> tuple[list[Measured], list[str]]:
    """A store's records by folder name, and what is wrong with those that cannot be read.

    tasks_dirs: where tasks of a user stand; records of tasks that are not at hand have no
    replicates, and are looked at anew each time.

    Raises InputError where the store holds no record, though one is `needed`.
    """
    folders = records.store_folders(store)
    if needed and not folders:
        raise InputError(f"{store}: no records here; make some with `bench run --store {store}`")
    path = index_path(store, tasks_dirs)
    known = _read_index(path)
    of_tasks = _stamp_of_tasks(tasks_dirs)
    stamps = {folder.name: _stamp(folder) + of_tasks for folder in folders}
    stale = [
        folder
        for folder in folders
        if folder.name not in known or known[folder.name]["stamp"] != stamps[folder.name]
    ]
    fresh = {
        folder.name: row for folder, row in zip(stale, _measure_all(stale, tasks_dirs), strict=True)
    }
    rows: dict[str, dict[str, Any]] = {}
    found: list[Measured] = []
    unreadable: list[str] = []
    for name, stamp in stamps.items():
        row = fresh.get(name) or known[name]
        if isinstance(row, InputError):
            unreadable.append(str(row))
            continue
        rows[name] = {"stamp": stamp} | row | {"folder": name}
        if row["trouble"]:
            unreadable.append(row["trouble"])
        drawn = row["replicates"]
        found.append(
            Measured(
                Record.model_validate_json(row["record"]),
                None if drawn is None else np.frombuffer(drawn, np.float32),
            )
        )
    if {name: row["stamp"] for name, row in rows.items()} != {
        name: row["stamp"] for name, row in known.items()
    }:
        _write_index(path, rows)
    return found, unreadable


def by_key(measured: Sequence[Measured]) -> dict[str, np.ndarray]:
    """The replicates there are, by the key of their record."""
    return {one.record.key: one.replicates for one in measured if one.replicates is not None}


def index_path(store: Path, tasks_dirs: Sequence[Path] = ()) -> Path:
    """Where a store's index lies: by its path, and by what else an index depends on."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    dirs = [str(one.resolve()) for one in tasks_dirs]
    parts = (str(store.resolve()), str(VERSION), benchsuite.__version__, *dirs)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return home / "benchsuite" / "index" / f"{digest[:16]}.parquet"


def _stamp(folder: Path) -> str:
    """When a record's files were written and last changed in any way, and their sizes."""
    parts = []
    for name in FILES:
        try:
            facts = (folder / name).stat()
        except OSError:
            continue
        parts.append(f"{name} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_size}")
    return "; ".join(parts)


def _stamp_of_tasks(tasks_dirs: Sequence[Path]) -> str:
    """The contents of all task files, and the metrics' version.

    A task that has changed no longer judges its records.
    """
    digest = hashlib.sha256(str(METRICS_VERSION).encode())
    for folder in (tasks_root(), *tasks_dirs):
        for path in sorted(folder.rglob("*.yaml")):
            digest.update(path.read_bytes())
    return f"; tasks {digest.hexdigest()[:16]}"


def _measure_all(
    folders: Sequence[Path], tasks_dirs: Sequence[Path]
) -> list[dict[str, Any] | InputError]:
    """Rows of the index, or what is wrong with a record, in the order of the folders.

    Of many a process a core has its part: threads wait for each other more than they work.
    """
    from joblib import Parallel, cpu_count, delayed
    from joblib.externals.loky import get_reusable_executor

    processes = min(cpu_count(), len(folders) // OF_A_PROCESS)
    if processes < 2:
        return _measure_each(folders, tasks_dirs)
    parts = [folders[at : at + OF_A_PART] for at in range(0, len(folders), OF_A_PART)]
    found = Parallel(processes)(delayed(_measure_each)(part, tasks_dirs) for part in parts)
    get_reusable_executor().shutdown()  # their memory is wanted for the report
    return [row for part in found for row in part]


def _measure_each(
    folders: Sequence[Path], tasks_dirs: Sequence[Path]
) -> list[dict[str, Any] | InputError]:
    """The same in this process."""
    specs: dict[tuple[str, Any], TaskSpec | None] = {}

    def measured(folder: Path) -> dict[str, Any] | InputError:
        try:
            return _measure(folder, specs, tasks_dirs)
        except InputError as error:
            return error

    return [measured(folder) for folder in folders]


def _measure(
    folder: Path,
    specs: dict[tuple[str, Any], TaskSpec | None],
    tasks_dirs: Sequence[Path],
) -> dict[str, Any]:
    """A row of the index, but for its folder and, where it may stand, its stamp.

    A row whose task is not at hand has an empty stamp, so that it is looked at anew each time.
    InputError where the record is not readable.

    specs: of the tasks that were looked up, by id and version; None where one is not at hand.
    """
    record = records.read(folder)
    row: dict[str, Any] = {"record": record.model_dump_json(), "replicates": None, "trouble": ""}
    has_outcomes = (folder / records.OUTCOMES_FILE).is_file()
    if record.headline is None or record.headline.value is None or not has_outcomes:
        return row
    name = (record.cell["task"], record.parts_but(()).get("task_version"))
    if name not in specs:
        try:
            specs[name] = spec_of(record, tasks_dirs)
        except InputError:
            specs[name] = None  # a task that is not at hand, or has moved on: its score stands
    spec = specs[name]
    if spec is None:
        return row | {"stamp": ""}
    try:
        tables = read_tables(folder, record, spec)
    except NotJudged:
        return row
    except InputError as error:
        row["trouble"] = str(error)
        return row
    drawn = replicates_of(spec, headline_of(record).metric, tables)
    row["replicates"] = drawn.astype(np.float32).tobytes()
    return row


def _read_index(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of an index by folder name; none where it is missing or broken."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=[name for name, _ in COLUMNS])
    except (OSError, ValueError, KeyError):  # pyarrow's are of these kinds
        return {}
    return {row["folder"]: row for row in table.to_pylist()}


def _write_index(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Write the rows; a cache folder that cannot be written is no reason to fail."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS])
    table = pa.Table.from_pylist([rows[name] for name in sorted(rows)], schema=kinds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: pq.write_table(table, file, compression="zstd"))
    except OSError:
        return
