"""Finding and reading a task's tables: local files, else the mirror, else the Hugging Face hub.

A table here is columns of plain Python values, whatever it was read from, so that nothing further
on depends on the source. Mapping its rows to examples is `mapping`'s subject.
"""

from __future__ import annotations

import csv
import difflib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.errors import DataUnavailable, InputError
from benchsuite.tasks.hub import LoadDataset, first_line, hub_table
from benchsuite.tasks.spec import TaskSpec

MIRROR_VARIABLE = "BENCHSUITE_DATA"
Source = Literal["mirror", "hub", "files"]


@dataclass(frozen=True)
class Table:
    """Columns in use of one split of one config, `rows` values each.

    lines: line of each row in a text file; None where rows are numbered (parquet, hub).
    """

    name: str
    source: Source
    columns: dict[str, list[Any]]
    rows: int
    lines: list[int] | None = None

    def where(self, row: int) -> str:
        """Name of a row for a message: file and line, or table and row counted from 1."""
        if self.lines is not None:
            return f"{self.name}, line {self.lines[row]}"
        return f"{self.name}, row {row + 1}"


def columns_in_use(spec: TaskSpec) -> list[str]:
    """Columns the task reads: mapped fields, cluster and group."""
    columns = list(spec.fields.values())
    if spec.cluster is not None and spec.cluster not in spec.fields:
        columns.append(spec.cluster)
    if spec.group is not None:
        columns.append(spec.group)
    return list(dict.fromkeys(columns))


def read_table(
    spec: TaskSpec,
    config: str,
    split: str,
    offline: bool = False,
    load_dataset: LoadDataset | None = None,
) -> Table:
    """One split of one config, from the first source that has it.

    split is in the task's own naming. config is "" for local files. load_dataset replaces
    `datasets.load_dataset`. Raises InputError on a broken table and DataUnavailable when no
    source has it; the message says how to get it.
    """
    columns = columns_in_use(spec)
    file = local_file(spec, split)
    if file is not None:
        if not file.is_file():
            raise InputError(f"task {spec.id}: file {file} named in `files` does not exist")
        return read_file(file, columns, "files")
    mirrored = mirror_file(spec, config, split)
    if mirrored is not None and mirrored.is_file():
        return read_file(mirrored, columns, "mirror")
    path = str(spec.dataset.path)
    hub_split = spec.dataset.splits.get(split, split)
    try:
        arrow = hub_table(path, config, hub_split, spec.dataset.hub_revision, offline, load_dataset)
    except DataUnavailable as error:
        absent = f"{mirrored} does not exist" if mirrored else f"{MIRROR_VARIABLE} is not set"
        raise DataUnavailable(
            f"task {spec.id}: no data for {split} ({absent}; {error}); "
            f"get it with `bench data pull {spec.id} --to DIR` and `export {MIRROR_VARIABLE}=DIR`"
        ) from error
    name = f"hub:{path}/{config}/{hub_split}"
    return _from_arrow(name, "hub", arrow, columns)


def local_file(spec: TaskSpec, split: str) -> Path | None:
    """The split's file where the task names local files (relative to its YAML), else None.

    Raises InputError when `files` lacks the split.
    """
    files = spec.dataset.files
    if not files:
        return None
    if split not in files:
        raise InputError(f"task {spec.id}: `files` has no split '{split}'{_instead(split, files)}")
    return Path(spec.source).parent / files[split]


def mirror_root() -> Path | None:
    """The mirror's folder; None when there is none.

    Raises InputError when the variable names no folder.
    """
    root = os.environ.get(MIRROR_VARIABLE)
    if not root:
        return None
    if not Path(root).is_dir():
        raise InputError(f"{MIRROR_VARIABLE}={root}: not a folder; set it to a mirror or unset it")
    return Path(root)


def mirror_file(spec: TaskSpec, config: str, split: str) -> Path | None:
    """Where the mirror would hold the table; None when there is no mirror."""
    root = mirror_root()
    return None if root is None else root / table_path(spec, config, split)


def table_path(spec: TaskSpec, config: str, split: str) -> Path:
    """`<path>/<config>/<hub split>.parquet`, the layout of a mirror."""
    hub_split = spec.dataset.splits.get(split, split)
    relative = PurePosixPath(f"{spec.dataset.path}/{config}/{hub_split}.parquet")
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"task {spec.id}: '{relative}' would lie outside the mirror")
    return Path(relative)


def read_file(path: Path, columns: Sequence[str], source: Source) -> Table:
    """Read the named columns of a CSV, JSONL or parquet file.

    Raises InputError, naming file and line, when it cannot be read or lacks a column.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown file type; use .csv, .jsonl or .parquet")
    try:
        table = reader(path, columns, source)
    except UnicodeDecodeError as error:
        where = f"{path}, line {_undecodable_line(path)}"
        raise InputError(f"{where}: not valid UTF-8; save the file as UTF-8") from error
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if table.rows == 0:
        raise InputError(f"{path}: has no rows")
    return table


def parquet_rows(path: Path) -> int:
    """Number of rows by the file's metadata alone. Raises InputError when it is unreadable."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _broken_parquet(path, error) from error


def count_rows(path: Path, columns: Sequence[str]) -> int:
    """Rows of a file; of a parquet file by its metadata. Raises InputError when unreadable."""
    if path.suffix.lower() == ".parquet":
        return parquet_rows(path)
    return read_file(path, columns, "files").rows


def parse_json(text: str) -> Any:
    """A JSON value. Raises ValueError, also on half a surrogate pair, which nothing can encode."""
    value = json.loads(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def check_columns(name: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise InputError naming the first wanted column that a table lacks."""
    for column in wanted:
        if column not in there:
            raise InputError(f"{name}: has no column '{column}'{_instead(column, there)}")


def _instead(wanted: str, there: Sequence[str] | dict[str, Any]) -> str:
    """The end of a message about a missing name: what is there, and the near miss."""
    near = difflib.get_close_matches(wanted, list(there), n=1)
    return f"; there are: {', '.join(there)}" + (f"; did you mean '{near[0]}'?" if near else "")


def _read_parquet(path: Path, columns: Sequence[str], source: Source) -> Table:
    try:
        check_columns(str(path), pq.read_schema(path).names, columns)
        arrow = pq.read_table(path, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise _broken_parquet(path, error) from error
    return _from_arrow(str(path), source, arrow, columns)


def _from_arrow(name: str, source: Source, arrow: pa.Table, columns: Sequence[str]) -> Table:
    check_columns(name, arrow.column_names, columns)
    values = {column: _plain(arrow.column(column)) for column in columns}
    return Table(name, source, values, arrow.num_rows)


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Python values of a column. A 32-bit float becomes the shortest decimal that denotes it, so
    that the hub's float32 3.8 and a mirror's or a CSV's 3.8 are the same number."""
    if pa.types.is_float32(column.type):
        texts = column.cast(pa.string()).to_pylist()
        return [None if text is None else float(text) for text in texts]
    return column.to_pylist()


def _read_csv(path: Path, columns: Sequence[str], source: Source) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, None)
            if not header:
                raise InputError(f"{path}: has no header line")
            if len(set(header)) < len(header):
                raise InputError(f"{path}: the header names a column twice: {', '.join(header)}")
            check_columns(str(path), header, columns)
            rows: list[list[str]] = []
            lines: list[int] = []
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"{path}, line {reader.line_num}: {len(row)} cells where the header has "
                        f"{len(header)}; quote cells that contain commas"
                    )
                rows.append(row)
                lines.append(reader.line_num)
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: broken CSV: {error}") from error
    index = {column: header.index(column) for column in columns}
    values: dict[str, list[Any]] = {
        column: [row[place] for row in rows] for column, place in index.items()
    }
    return Table(str(path), source, values, len(rows), lines)


def _read_jsonl(path: Path, columns: Sequence[str], source: Source) -> Table:
    values: dict[str, list[Any]] = {column: [] for column in columns}
    lines: list[int] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = parse_json(line)
            except ValueError as error:
                raise InputError(f"{where}: broken JSON: {first_line(error)}") from error
            if not isinstance(row, dict):
                raise InputError(f"{where}: not a JSON object")
            check_columns(where, list(row), columns)
            for column in columns:
                values[column].append(row[column])
            lines.append(number)
    return Table(str(path), source, values, len(lines), lines)


def _undecodable_line(path: Path) -> int:
    """The line of the first byte that is not UTF-8 (a decoder's own offset is within a chunk)."""
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return content[: error.start].count(b"\n") + 1
    return 1


def _broken_parquet(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: not a readable parquet file (truncated?): {first_line(error)}; "
        "delete it and get it again"
    )
