"""Records: what is written is what is read; torn, foreign and broken files are one clear line."""

import json
import math
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.records import Record
from benchsuite.tasks.data import Table
from benchsuite.tasks.mapping import examples_of
from benchsuite.tasks.task import load_task
from tests.made import made_outcomes, made_record


def test_round_trip(tmp_path: Path) -> None:
    record = made_record()
    folder = records.write(tmp_path, record, made_outcomes())
    assert records.read(folder) == record
    assert records.read_outcomes(folder).equals(made_outcomes())
    assert sorted(path.name for path in folder.iterdir()) == ["outcomes.parquet", "record.json"]
    assert records.store_folders(tmp_path) == [folder]


def scored(clusters: list[str]) -> pd.DataFrame:
    """Outcomes of two subsets whose ids repeat, with these clusters."""
    n = len(clusters)
    columns = {
        "split": ["validation"] * n,
        "subset": ["a" if row < n // 2 else "b" for row in range(n)],
        "id": [str(row % (n // 2)) for row in range(n)],
        "cluster": clusters,
        "gold": [row % 2 for row in range(n)],
        "x": [row / 3 if row % 5 else math.nan for row in range(n)],
        "scorable": [row % 7 != 0 for row in range(n)],
        "primary": [True] * n,
    }
    return pd.DataFrame(columns)


def test_clusters_of_one_example_each_are_not_stored_and_are_read_all_the_same(
    tmp_path: Path,
) -> None:
    spec = load_task("mini/acceptability").spec
    columns_of = {column: ["a text"] * 200 for column in spec.fields.values()}
    columns_of |= {"id": [str(row) for row in range(200)], "label": [0] * 200}
    table = Table("made", "files", columns_of, 200)
    alone = [one.cluster for one in examples_of(spec, table, "validation", "a")]
    alone += [one.cluster for one in examples_of(spec, table, "validation", "b")]
    shared = [f"passage-{row // 4}" for row in range(400)]
    for clusters, stored in ((alone, False), (shared, True), ([*alone[:-1], alone[0]], True)):
        made = scored(clusters)
        folder = records.write(tmp_path, made_record(), made)
        file = pq.ParquetFile(folder / "outcomes.parquet")
        assert ("cluster" in file.schema_arrow.names) == stored
        pd.testing.assert_frame_equal(records.read_outcomes(folder), made)
        columns = records.read_columns(folder)
        assert columns["cluster"].tolist() == clusters
    records.write(tmp_path, made_record(), scored(alone))
    slim, plain = folder / "outcomes.parquet", tmp_path / "plain.parquet"
    scored(alone).to_parquet(plain, index=False, compression="zstd")
    assert slim.stat().st_size < plain.stat().st_size / 3


def test_keys_of_the_file_are_those_of_the_design(tmp_path: Path) -> None:
    folder = records.write(tmp_path, made_record(), None)
    raw = json.loads((folder / "record.json").read_text())
    assert set(raw) == {
        "schema_version",
        "cell",
        "status",
        "reason",
        "results",
        "headline",
        "baselines",
        "counts",
        "labels_used",
        "seen_in_pretraining",
        "cost",
        "provenance",
    }
    assert set(raw["results"][0]) == {
        *("split", "subset", "prompt", "metric", "score", "norm", "value", "low", "high"),
        *("n", "clusters", "undefined_reason", "primary"),
    }
    assert set(raw["headline"]) >= {
        *("split", "metric", "score", "norm", "value", "spread", "low", "high", "n"),
    }


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_never_become_paths(model: str, task: str) -> None:
    cell = made_record(model=model, task=task).cell
    name = records.folder_name(cell)
    assert Path(name).name == name and not name.startswith(".") and len(name) < 80
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in name)


def test_a_torn_pair_is_noticed(tmp_path: Path) -> None:
    folder = records.write(tmp_path, made_record(), made_outcomes())
    path = folder / "outcomes.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match="truncated"):
        records.read_outcomes(folder)


def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = records.write(tmp_path, made_record(value=0.6), made_outcomes())
    before = (folder / "record.json").read_bytes()

    def broken(source: str, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(folder / "record.json", lambda file: file.write(b"{}"))
    assert (folder / "record.json").read_bytes() == before
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not readable"),
        ("[]", "schema version None"),
        ('{"reason": "\\ud83d alone"}', "surrogates not allowed"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1, "cell": {}, "status": "fine"}', "status"),
        ('{"schema_version": 1, "cell": {}, "status": "done"}', "lacks"),
        ('{"schema_version": 1, "cell": {}, "status": "done", "colour": 1}', "colour"),
    ],
)
def test_broken_records_are_one_line(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        records.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_older_schema_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = records.write(tmp_path, made_record(), None)
    raw = json.loads((folder / "record.json").read_text())
    raw["schema_version"] = 0
    raw["state"] = raw.pop("status")
    (folder / "record.json").write_text(json.dumps(raw))

    def rename(old: dict) -> dict:
        return {
            **{k: v for k, v in old.items() if k != "state"},
            "status": old["state"],
            "schema_version": 1,
        }

    monkeypatch.setitem(records.MIGRATIONS, 0, rename)
    assert records.read(folder).status == "done"


def test_json_refuses_what_json_lacks() -> None:
    with pytest.raises(ValueError):
        records.to_json(made_record(counts={"x": math.nan}))


def test_finite() -> None:
    assert records.finite(math.nan) is None and records.finite(math.inf) is None
    assert records.finite(None) is None and records.finite(0.5) == 0.5


def test_a_record_refuses_unknown_keys() -> None:
    with pytest.raises(ValueError):
        Record(cell={}, status="done", colour="red")
