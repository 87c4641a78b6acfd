"""Finding and reading tables: the order of sources, and one clear line for each broken one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.errors import DataUnavailable, InputError
from benchsuite.tasks import data
from benchsuite.tasks.data import read_file, read_table
from tests.tasks.tables import (
    TABLES,
    WRITERS,
    hub_dataset,
    hub_of,
    make_spec,
    write_csv,
    write_parquet,
)

TABLE = TABLES["classification"]


def texts(table: data.Table) -> list[Any]:
    return table.columns["premise"]


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "mirror"
    root.mkdir()
    monkeypatch.setenv("BENCHSUITE_DATA", str(root))
    return root


def test_the_mirror_comes_before_the_hub(mirror: Path) -> None:
    write_parquet(mirror / "owner/name/config/validation.parquet", TABLE)
    hub = hub_of({("owner/name", "config", "validation"): {**TABLE, "premise": ["hub"] * 4}})
    table = read_table(
        make_spec("classification", hub_dataset()), "config", "validation", load_dataset=hub
    )
    assert (table.source, table.rows, texts(table)) == ("mirror", 4, TABLE["premise"])


def test_the_hub_is_asked_for_what_the_mirror_lacks(mirror: Path) -> None:
    write_parquet(mirror / "owner/name/config/train.parquet", TABLE)
    calls: list[dict[str, Any]] = []
    spec = make_spec(
        "classification",
        hub_dataset(splits={"mismatched": "validation_mismatched"}, revision="abc123"),
    )
    hub = hub_of({("owner/name", "config", "validation_mismatched"): TABLE}, calls)
    table = read_table(spec, "config", "mismatched", load_dataset=hub)
    assert (table.source, texts(table)) == ("hub", TABLE["premise"])
    assert calls == [
        {
            "path": "owner/name",
            "config": "config",
            "split": "validation_mismatched",
            "revision": "abc123",
        }
    ]


def test_an_unverified_revision_asks_for_the_newest() -> None:
    calls: list[dict[str, Any]] = []
    hub = hub_of({("owner/name", "config", "train"): TABLE}, calls)
    read_table(make_spec("classification", hub_dataset()), "config", "train", load_dataset=hub)
    assert calls[0]["revision"] is None


def test_files_are_found_beside_the_task_file_whatever_the_mirror_holds(
    mirror: Path, tmp_path: Path
) -> None:
    write_csv(tmp_path / "x.csv", TABLE)
    files = {"files": {"validation": "x.csv"}, "train_split": None}
    spec = make_spec("classification", files, source=str(tmp_path / "t.yaml"))
    table = read_table(spec, "", "validation")
    assert (table.source, texts(table)) == ("files", TABLE["premise"])


def test_absent_data_say_how_to_get_them(mirror: Path) -> None:
    spec = make_spec("classification", hub_dataset(), name="glue/ax")
    with pytest.raises(DataUnavailable) as caught:
        read_table(spec, "config", "test", load_dataset=hub_of({}))
    message = str(caught.value)
    assert "bench data pull glue/ax --to DIR" in message and "BENCHSUITE_DATA" in message
    assert "test.parquet does not exist" in message and "Unknown split" in message
    assert "\n" not in message


def test_a_mirror_that_is_no_folder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_DATA", "/nowhere/at/all")
    with pytest.raises(InputError, match="BENCHSUITE_DATA=/nowhere/at/all: not a folder"):
        read_table(make_spec("classification", hub_dataset()), "config", "train")


def test_names_never_lead_out_of_the_mirror(mirror: Path) -> None:
    spec = make_spec("classification", hub_dataset(configs=["../../etc"]))
    with pytest.raises(InputError, match="outside the mirror"):
        read_table(spec, "../../etc", "train")


def test_importing_the_data_layer_imports_no_hub_library() -> None:
    code = (
        "import sys, benchsuite.tasks.task, benchsuite.tasks.mirror; "
        "print([m for m in ('datasets', 'torch', 'transformers', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def message_of(path: Path, columns: list[str]) -> str:
    """The error of reading a file, which is one line and names it."""
    with pytest.raises(InputError) as caught:
        read_file(path, columns, "files")
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", TABLE)
    whole = path.read_bytes()
    for size in (len(whole) // 2, 10, 0):
        path.write_bytes(whole[:size])
        assert "not a readable parquet file" in message_of(path, ["premise"])


def test_a_damaged_page_of_a_parquet_file(tmp_path: Path) -> None:
    """The footer is whole, so that only reading the values shows it."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"premise": [f"text {i}" for i in range(500)]}), path)
    content = bytearray(path.read_bytes())
    content[20:400] = b"\xff" * 380
    path.write_bytes(bytes(content))
    assert "not a readable parquet file" in message_of(path, ["premise"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_missing_column_is_named_with_the_near_miss(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    if suffix == "csv":
        path.write_text("sentence,label\na,1\n")
    elif suffix == "jsonl":
        path.write_text('{"sentence": "a", "label": 1}\n')
    else:
        write_parquet(path, {"sentence": ["a"], "label": [1]})
    message = message_of(path, ["sentense", "label"])
    assert (
        "has no column 'sentense'; there are: sentence, label; did you mean 'sentence'?" in message
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.csv", b"text,label\nfine,1\ncaf\xe9,0\n", "line 3: not valid UTF-8"),
        ("x.csv", b"text,label\nfine,1\na,b,0\n", "line 3: 3 cells where the header has 2"),
        ("x.csv", b'text,label\n"a"b,1\n', "line 2: broken CSV"),
        ("x.csv", b'text,label\n"never closed,1\n', "broken CSV"),
        ("x.csv", b"text,text,label\na,b,1\n", "names a column twice"),
        ("x.csv", b"", "has no header line"),
        ("x.csv", b"text,label\n", "has no rows"),
        ("x.jsonl", b'{"text": "a", "label": 1}\n{"text": "b", \n', "line 2: broken JSON"),
        ("x.jsonl", b'{"text": "a", "label": 1}\n[1]\n', "line 2: not a JSON object"),
        (
            "x.jsonl",
            b'{"text": "a", "label": 1}\n\n{"text": "b"}\n',
            "line 3: has no column 'label'",
        ),
        ("x.jsonl", b'{"text": "a\xff", "label": 1}\n', "line 1: not valid UTF-8"),
        ("x.jsonl", b'{"text": "\\ud83d", "label": 1}\n', "line 1: broken JSON: 'utf-8' codec"),
        ("x.jsonl", b"\n", "has no rows"),
        ("x.tsv", b"text\tlabel\n", "unknown file type"),
    ],
)
def test_a_broken_text_file(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert expected in message_of(path, ["text", "label"])


def test_csv_with_byte_order_mark_quotes_and_lines_in_cells(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes('\ufefftext,label\r\n"a ""b"", c\nd",1\r\n\r\n"ü",0\r\n'.encode())
    table = read_file(path, ["text", "label"], "files")
    assert table.columns == {"text": ['a "b", c\nd', "ü"], "label": ["1", "0"]}
    assert table.where(1).endswith("x.csv, line 5")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text_comes_back_from_each_kind_of_file(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in WRITERS.items():
            path = write(Path(folder) / f"x.{suffix}", {"a": texts, "b": texts[::-1]})
            found = read_file(path, ["b", "a"], "files")
            assert (found.columns, found.rows) == ({"b": texts[::-1], "a": texts}, len(texts))


def test_a_single_precision_float_is_the_decimal_it_was_written_as(tmp_path: Path) -> None:
    """The hub's STS-B is float32; 3.8 there and 3.8 in a CSV are one number."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"label": pa.array([3.8, 2.333, None, 5.0], pa.float32())}), path)
    assert read_file(path, ["label"], "files").columns["label"] == [3.8, 2.333, None, 5.0]


def test_rows_by_metadata_alone(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", TABLE)
    assert data.parquet_rows(path) == 4
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not a readable parquet file"):
        data.parquet_rows(path)
