"""The mirror as a whole: what of each task is there, and pulling tables into one from the hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.errors import DataUnavailable, InputError
from benchsuite.files import write_atomically
from benchsuite.tasks.data import (
    check_columns,
    columns_in_use,
    count_rows,
    local_file,
    mirror_file,
    mirror_root,
    parquet_rows,
    table_path,
)
from benchsuite.tasks.hub import LoadDataset, first_line, hub_table
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.spec import TaskSpec
from benchsuite.tasks.task import Availability, compare_rows, official_rows, split_names


@dataclass(frozen=True)
class StatusRow:
    """One split of one task: rows that are here against official rows.

    use: what the task does with the split. source: null where nothing is here. missing: configs
    without a table, where the task has several. note: why a table does not count.
    """

    task: str
    split: str
    use: Literal["evaluation", "training", "other"]
    source: Literal["mirror", "files"] | None
    rows: int
    official: int | None
    state: Availability
    missing: tuple[str, ...] = ()
    note: str = ""

    @property
    def words(self) -> str:
        """The state in plain words."""
        if self.state == "full":
            return "full"
        parts: list[str] = []
        if self.state == "partial" and self.official is not None:
            parts.append(f"{self.rows:,} of {self.official:,} rows")
        if self.state == "partial" and self.missing:
            more = f" and {len(self.missing) - 1} more" if len(self.missing) > 1 else ""
            parts.append(f"without {self.missing[0]}{more}")
        if self.note:
            parts.append(self.note)
        elif self.state == "absent":
            parts.append(f"`bench data pull {self.task} --to DIR` gets it")
        return f"{self.state}: {'; '.join(parts)}" if parts else self.state

    def to_json(self) -> dict[str, Any]:
        """The row for `--json`, `words` included."""
        return {**asdict(self), "missing": list(self.missing), "words": self.words}


@dataclass(frozen=True)
class PullRow:
    """What became of one table: `written`, `kept` (it was there) or `failed`, and why."""

    table: str
    state: Literal["written", "kept", "failed"]
    rows: int
    note: str = ""

    @property
    def words(self) -> str:
        """One line for a terminal."""
        rows = f" ({self.rows:,} rows)" if self.state != "failed" else ""
        return f"{self.state} {self.table}{rows}" + (f": {self.note}" if self.note else "")


def status(registry: Registry, names: Sequence[str] = ()) -> list[StatusRow]:
    """Every split that the named tasks (default: all) score or train on, and others that are here.

    Reads no more than the metadata of parquet files. The hub and its cache are not looked at.
    Raises InputError for an unknown task, or when the mirror's folder does not exist.
    """
    mirror_root()  # a wrong folder is said once, not in every row
    rows: list[StatusRow] = []
    for name in names or registry.ids():
        spec = registry.get(name)
        for split in split_names(spec.dataset):
            row = split_status(spec, split)
            if row.use != "other" or row.rows:
                rows.append(row)
        if spec.dataset.train_from:
            trainer = registry.get(spec.dataset.train_from)
            if trainer.dataset.train_split:
                row = split_status(trainer, trainer.dataset.train_split)
                note = "; ".join(filter(None, [row.note, f"the split of {trainer.id}"]))
                rows.append(StatusRow(**{**asdict(row), "task": spec.id, "note": note}))
    return rows


def split_status(spec: TaskSpec, split: str) -> StatusRow:
    """How much of one split is here."""
    dataset = spec.dataset
    use: Literal["evaluation", "training", "other"] = "other"
    if split in dataset.eval_splits:
        use = "evaluation"
    elif split == dataset.train_split and not dataset.train_from:
        use = "training"
    total = 0
    missing: list[str] = []
    notes: list[str] = []
    for config in dataset.configs or [""]:
        try:
            rows = _rows_here(spec, config, split)
        except InputError as error:
            rows = 0
            notes.append(str(error))
        total += rows
        if not rows:
            missing.append(config)
    official = official_rows(dataset, split)
    state = compare_rows(total, official)
    if state == "full" and missing:
        state = "partial"
    return StatusRow(
        task=spec.id,
        split=split,
        use=use,
        source=None if not total else "files" if dataset.files else "mirror",
        rows=total,
        official=official,
        state=state,
        missing=tuple(missing) if len(dataset.configs) > 1 else (),
        note="; ".join(notes),
    )


def availability(spec: TaskSpec, split: str) -> Availability:
    """`full`, `partial` or `absent`: what files or the mirror hold of a split."""
    return split_status(spec, split).state


def pull(
    registry: Registry,
    names: Sequence[str],
    to: Path,
    say: Callable[[str], None],
    load_dataset: LoadDataset | None = None,
) -> list[PullRow]:
    """Write the tables the named tasks score and train on into a mirror, from the hub.

    Each table has the hub's own columns and is written whole or not at all; complete ones are
    kept. A table that cannot be had fails alone. `say` gets each task's licence and each line.
    Raises InputError for an unknown task, or when the folder cannot be written.
    """
    specs: dict[str, TaskSpec] = {}
    for name in names:
        spec = registry.get(name)
        specs[spec.id] = spec
        if spec.dataset.train_from:
            specs.setdefault(spec.dataset.train_from, registry.get(spec.dataset.train_from))
    rows: dict[Path, PullRow] = {}
    for spec in specs.values():
        if spec.dataset.files:
            say(f"{spec.id}: its data are local files; nothing to pull")
            continue
        say(f"{spec.id}: licence: {spec.licence}")
        splits = list(spec.dataset.eval_splits) if spec.id in names else []
        if spec.dataset.train_split and not spec.dataset.train_from:
            splits.append(spec.dataset.train_split)
        for split in dict.fromkeys(splits):
            for config in spec.dataset.configs:
                target = to / table_path(spec, config, split)
                if target not in rows:
                    rows[target] = _pull_table(spec, config, split, target, load_dataset)
                    say(rows[target].words)
    return list(rows.values())


def _pull_table(
    spec: TaskSpec, config: str, split: str, target: Path, load_dataset: LoadDataset | None
) -> PullRow:
    """Write one table unless a complete one is there."""
    name = table_path(spec, config, split).as_posix()
    official = official_rows(spec.dataset, split, config)
    if target.is_file():
        try:
            there = parquet_rows(target)
        except InputError:
            there = 0  # broken: replaced
        if compare_rows(there, official) == "full":
            return PullRow(name, "kept", there)
    hub_split = spec.dataset.splits.get(split, split)
    try:
        table = hub_table(
            str(spec.dataset.path),
            config,
            hub_split,
            spec.dataset.hub_revision,
            False,
            load_dataset,
        )
        check_columns(name, table.column_names, columns_in_use(spec))
    except (DataUnavailable, InputError) as error:
        return PullRow(name, "failed", 0, str(error))
    _write_parquet(table, target)
    differs = official is not None and table.num_rows != official
    return PullRow(
        name, "written", table.num_rows, f"official: {official:,} rows" if differs else ""
    )


def _write_parquet(table: pa.Table, target: Path) -> None:
    """Write beside the target and rename, so that no half table is ever found there."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, lambda file: pq.write_table(table, file))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot write {target}: {first_line(error)}") from error


def _rows_here(spec: TaskSpec, config: str, split: str) -> int:
    """Rows of one table in files or the mirror; 0 when it is not there."""
    if spec.dataset.files:
        file = local_file(spec, split) if split in spec.dataset.files else None
    else:
        file = mirror_file(spec, config, split)
    return count_rows(file, columns_in_use(spec)) if file is not None and file.is_file() else 0
