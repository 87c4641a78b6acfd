"""Records: what one cell gave. Schema version 1, documented in `docs/reference.md`.

A record is a folder `<slug>-<8 hex of the key>/` with `record.json` and, where the cell is done,
`outcomes.parquet`: ids and numbers only, no text of a dataset.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.provenance import MOST_BUSY, cores_of
from benchsuite.tasks.example import own_cluster
from benchsuite.versioned import Migrations, Part, read_versioned

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

SCHEMA_VERSION = 1
RECORD_FILE = "record.json"
OUTCOMES_FILE = "outcomes.parquet"

CROWDED = 1.25
"""Load a core above which a machine did other work beside."""

Status = Literal["done", "failed", "not_applicable", "unavailable"]


class Result(Part):
    """One row: a metric of a split (and subset) under a prompt and a way of scoring.

    Values are fractions, correlations in [-1, 1]; low and high bound the 95% interval. primary:
    whether the headline takes the row in.
    """

    split: str
    subset: str
    prompt: str
    metric: str
    score: str
    norm: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    undefined_reason: str | None = None
    primary: bool = True


class Headline(Part):
    """The row a leaderboard shows: mean over the evaluation splits and the prompts."""

    split: str
    metric: str
    score: str
    norm: str
    value: float | None
    spread: float | None
    low: float | None
    high: float | None
    n: int
    undefined_reason: str | None = None


class Record(Part):
    """What one cell gave: settings, results, cost, provenance."""

    schema_version: int = SCHEMA_VERSION
    cell: dict[str, Any]
    status: Status
    reason: str | None = None
    results: list[Result] = Field(default_factory=list)
    headline: Headline | None = None
    baselines: dict[str, float | None] = Field(default_factory=dict)
    counts: dict[str, int | float] = Field(default_factory=dict)
    labels_used: int = 0
    seen_in_pretraining: list[str] = Field(default_factory=list)
    cost: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Hash of everything the numbers depend on."""
        return str(self.cell["key"])

    @property
    def name(self) -> str:
        """`model/regime/task` with the seed, for people."""
        seed = self.cell.get("seed")
        tail = "" if seed is None else f" seed {seed}"
        return f"{self.cell['model']} {self.cell['regime']} {self.cell['task']}{tail}"

    @property
    def trivial(self) -> float | None:
        """Score of the best answer that is always the same (a label, O, none); None without any."""
        known = [
            value
            for name, value in self.baselines.items()
            if value is not None and name not in ("chance", "bag_of_words")
        ]
        return max(known, default=None)

    @property
    def is_checkpoint(self) -> bool:
        """Whether the model is a checkpoint of this project's pretraining, `gpt@512`.

        Another's revision, `hf:...@main`, is none.
        """
        return "@" in self.cell["model"] and bool(self.provenance.get("pretraining"))

    @property
    def is_crowded(self) -> bool:
        """Whether other work ran on the machine beside the cell, so that its times say little.

        Of records that do not say: whether it did as the cell began. The load average remembers a
        minute, and so the command's own last cell: only what one command alone could not have
        caused counts.
        """
        busy = self.provenance.get("busy")
        if busy is not None:
            return bool(busy > MOST_BUSY)
        cores = cores_of(str(self.provenance.get("hardware")))
        load = self.provenance.get("load")
        return cores is not None and load is not None and load > CROWDED * cores

    @property
    def seconds(self) -> float | None:
        """Of fitting, predicting and scoring; None where it is not done."""
        phases = ("fit_s", "predict_s", "summarize_s")
        spent = [self.cost.get(phase) for phase in phases]
        known = [seconds for seconds in spent if seconds is not None]
        return float(sum(known)) if len(known) == len(phases) else None

    def parts_but(self, free: Collection[str]) -> dict[str, Any]:
        """What the key is made of, but for the parts named `free`."""
        parts = self.cell.get("key_parts", {})
        return {name: part for name, part in parts.items() if name not in free}


MIGRATIONS: Migrations = {}
NUMBER = int | float
KINDS: dict[tuple[str, ...], Any] = {
    **{("cell", name): str for name in ("model", "regime", "task", "key")},
    ("cell", "key_parts"): dict,
    ("cell", "options"): dict,
    ("cell", "splits"): list | None,
    ("cell", "splits", "*"): str,
    ("cell", "prompts"): list | None,
    ("cell", "prompts", "*"): str,
    ("cell", "seed"): int | None,
    ("cell", "limit"): int | None,
    ("cell", "train_limit"): int | None,
    ("cell", "family"): str | None,
    **{("cell", name): str | None for name in ("dtype", "device", "regime_name")},
    ("cost", "*"): NUMBER | None,
    ("provenance", "hardware"): str | None,
    ("provenance", "time"): str | None,
    ("provenance", "threads"): int | None,
    ("provenance", "busy"): NUMBER | None,
    ("provenance", "command"): str | None,
    ("provenance", "chosen"): dict,
    ("provenance", "chosen", "*"): dict,
    ("provenance", "adapted"): dict | None,
    ("provenance", "pretraining"): dict | None,
    ("provenance", "pretraining", "step"): int | None,
    ("provenance", "pretraining", "tokens"): NUMBER | None,
    ("provenance", "pretraining", "flops"): NUMBER | None,
    ("provenance", "pretraining", "recipe"): str | None,
    ("provenance", "data"): dict,
    ("provenance", "data", "*"): dict,
    ("provenance", "data", "*", "*"): dict,
    ("provenance", "data", "*", "*", "source"): str,
    ("provenance", "data", "*", "*", "rows"): int,
    ("provenance", "data", "*", "*", "used"): int,
    ("provenance", "data", "*", "*", "official"): int | None,
}
"""What parts of a record that are read again must be where they are there; `*`: each of them."""
NEEDED = (
    *(("cell", name) for name in ("model", "regime", "task", "key")),
    *(("provenance", "data", "*", "*", name) for name in ("source", "rows", "used")),
)
COSTS = (("cost", "examples_per_s"), ("cost", "parameters_total"), ("cost", "parameters_trainable"))
"""Of a done record."""


def slug(text: str) -> str:
    """Text as part of a file name: lower-case letters, digits, `-`; at most 60 characters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "x"


def folder_name(cell: dict[str, Any]) -> str:
    """Name of a record's folder in a store; unchecked names never become paths."""
    name = slug(f"{cell['task']} {cell['model']} {cell['regime']}")
    return f"{name}-{cell['key'][:8]}"


def to_json(record: Record) -> str:
    """The record as stable, readable JSON; refuses numbers JSON does not have."""
    return json.dumps(record.model_dump(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(store: Path, record: Record, outcomes: pd.DataFrame | None) -> Path:
    """Store a record; an earlier one of the same key is replaced only by a whole new one.

    The outcomes are written first and the record names their hash, so that a reader notices a
    pair that was torn by a crash between the two. Raises ValueError or TypeError, before anything
    is written, where the record holds what JSON does not have.
    """
    folder = store / folder_name(record.cell)
    content = None if outcomes is None else _parquet_of(outcomes)
    if content is not None:
        record.provenance["outcomes_sha256"] = hashlib.sha256(content).hexdigest()
    text = to_json(record).encode("utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    if content is not None:
        write_atomically(folder / OUTCOMES_FILE, methodcaller("write", content))
    write_atomically(folder / RECORD_FILE, methodcaller("write", text))
    if content is None:
        (folder / OUTCOMES_FILE).unlink(missing_ok=True)
    return folder


def rewrite(folder: Path, record: Record) -> None:
    """Replace a record, its outcomes staying as they are."""
    text = to_json(record).encode("utf-8")
    write_atomically(folder / RECORD_FILE, methodcaller("write", text))


def _parquet_of(outcomes: pd.DataFrame) -> bytes:
    """Outcomes as parquet, without what a reader can tell by itself: a fifth of the bytes.

    That is the cluster where no example shares one (a hash of subset and id), pandas' own notes,
    and statistics of the columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(outcomes, preserve_index=False).replace_schema_metadata(None)
    if {"subset", "id", "cluster"} <= {*table.column_names} and table["cluster"].to_pylist() == [
        own_cluster(*example) for example in _examples(table)
    ]:
        table = table.drop_columns("cluster")
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        write_statistics=False,
        store_schema=False,
        use_dictionary=[name for name in table.column_names if name != "id"],
        column_encoding={"id": "DELTA_BYTE_ARRAY"} if "id" in table.column_names else None,
    )
    return buffer.getvalue()


def _examples(table: pa.Table) -> Iterable[tuple[str, str]]:
    """Subset and id of each row."""
    return zip(table["subset"].to_pylist(), table["id"].to_pylist(), strict=True)


def read(folder: Path) -> Record:
    """Read a record, migrating older schema versions.

    Raises InputError, one line that names the file, when it is not a readable record.
    """
    path = folder / RECORD_FILE
    record = read_versioned(path, Record, SCHEMA_VERSION, MIGRATIONS, redo="rerun the cell")
    misfit = _misfit(record)
    if misfit:
        raise InputError(f"{path}: {misfit}; rerun the cell")
    return record


def _misfit(record: Record) -> str | None:
    """What is missing in a record, or of a kind that nothing that reads it knows."""
    parts = {"cell": record.cell, "cost": record.cost, "provenance": record.provenance}
    for path, kind in KINDS.items():
        for where, value in _at(parts, path):
            if not isinstance(value, kind) or isinstance(value, bool):
                return f"{where} is {value!r}"
    needed = NEEDED + COSTS if record.status == "done" else NEEDED
    for path in needed:
        for where, value in _at(parts, path[:-1]):
            if value.get(path[-1]) is None:
                return f"{where} lacks its {path[-1]}"
    return None


def _at(value: Any, path: tuple[str, ...], where: str = "") -> Iterator[tuple[str, Any]]:
    """The values at a path, and where they are; none where something on the way is not there."""
    if not path:
        yield where, value
        return
    if isinstance(value, list):
        value = {str(place): inner for place, inner in enumerate(value)}
    for name, inner in value.items() if isinstance(value, dict) else ():
        if path[0] in (name, "*"):
            yield from _at(inner, path[1:], f"{where}.{name}".lstrip("."))


def read_outcomes(folder: Path, record: Record | None = None) -> pd.DataFrame:
    """Outcomes of a record, one row an example and prompt.

    Raises InputError when the file is missing, truncated or not the one the record names.
    """
    return _read_arrow(folder, record).to_pandas()


def read_columns(folder: Path, record: Record | None = None) -> dict[str, np.ndarray]:
    """The same as arrays, texts as objects: several times faster, which thousands of records need.

    Raises InputError as `read_outcomes` does.
    """
    table = _read_arrow(folder, record)
    return {name: table[name].to_numpy() for name in table.column_names}


def read_named(path: Path, sha256: str | None, missing: str, redo: str) -> bytes:
    """A file beside a record, whose hash the record names.

    Raises InputError: `missing` where it is not there, else what is wrong and what to do (`redo`).
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(missing) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path}: truncated or not the file its record names; {redo}")
    return content


def _read_arrow(folder: Path, record: Record | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / OUTCOMES_FILE
    record = record or read(folder)
    if record.status != "done":
        raise InputError(f"{record.name}: {record.status} ({record.reason}): it has no outcomes")
    missing = (
        f"{path} is missing: the store keeps the record alone, or the file was lost; rerun the cell"
    )
    sha256 = record.provenance.get("outcomes_sha256")
    content = read_named(path, sha256, missing, "rerun with --force")
    try:
        # Reading with one thread: outcomes are small, and there may be thousands of them.
        outcomes = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (OSError, ValueError) as error:  # pyarrow's are of these kinds
        raise InputError(f"{path}: no parquet file ({' '.join(str(error).split())})") from None
    if "primary" not in outcomes.column_names:  # of a record without other ways of scoring
        outcomes = outcomes.append_column("primary", pa.array([True] * outcomes.num_rows))
    if "cluster" not in outcomes.column_names and {"subset", "id"} <= {*outcomes.column_names}:
        clusters = [own_cluster(*example) for example in _examples(outcomes)]
        place = outcomes.column_names.index("id") + 1
        outcomes = outcomes.add_column(place, "cluster", pa.array(clusters, pa.string()))
    return outcomes


def store_folders(store: Path) -> list[Path]:
    """Folders of a store that hold a record, sorted by name."""
    if not store.is_dir():
        return []
    return sorted(path.parent for path in store.glob(f"*/{RECORD_FILE}"))


def read_store(store: Path) -> list[Record]:
    """All records of a store, sorted by folder name."""
    return [read(folder) for folder in store_folders(store)]


def finite(value: float | None) -> float | None:
    """The value, or None where it is not a finite number."""
    return None if value is None or not math.isfinite(value) else float(value)
