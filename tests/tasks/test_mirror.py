"""What of each task is here, and pulling the rest from a replaced hub."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from benchsuite.errors import InputError
from benchsuite.tasks.mirror import PullRow, StatusRow, availability, pull, status
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.task import load_task
from tests.tasks.tables import TABLES, Columns, hub_of, write_parquet

GLUE = TABLES["classification"]
RACE = TABLES["choice"]
BOTH = {
    ("ehovy/race", config, split): RACE
    for config in ("middle", "high")
    for split in ("train", "test")
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty mirror."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("BENCHSUITE_DATA", str(folder))
    return folder


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def by_split(rows: list[StatusRow]) -> dict[str, StatusRow]:
    return {row.split: row for row in rows}


def files_under(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def many(rows: int) -> Columns:
    return {name: (values * rows)[:rows] for name, values in GLUE.items()}


def test_status_says_full_partial_and_absent(root: Path, registry: Registry) -> None:
    write_parquet(root / "nyu-mll/glue/mnli/train.parquet", many(8))
    write_parquet(root / "nyu-mll/glue/mnli/validation_matched.parquet", many(9815))
    rows = by_split(status(registry, ["glue/mnli"]))
    matched, mismatched, train = (
        rows[name] for name in ("validation_matched", "validation_mismatched", "train")
    )
    assert (matched.state, matched.use, matched.source) == ("full", "evaluation", "mirror")
    assert (matched.rows, matched.official, matched.words) == (9815, 9815, "full")
    assert (train.state, train.use) == ("partial", "training")
    assert train.words == "partial: 8 of 392,702 rows"
    assert (mismatched.state, mismatched.rows, mismatched.source) == ("absent", 0, None)
    assert mismatched.words == "absent: `bench data pull glue/mnli --to DIR` gets it"
    assert availability(registry.get("glue/mnli"), "train") == "partial"


def test_status_names_the_configs_that_are_missing(root: Path, registry: Registry) -> None:
    write_parquet(root / "ehovy/race/middle/test.parquet", RACE)
    row = by_split(status(registry, ["race/all"]))["test"]
    assert (row.state, row.missing, row.rows) == ("partial", ("high",), 3)
    assert row.words == "partial: 3 of 4,934 rows; without high"


def test_status_shows_a_broken_file(root: Path, registry: Registry) -> None:
    path = write_parquet(root / "nyu-mll/glue/cola/validation.parquet", GLUE)
    path.write_bytes(path.read_bytes()[:50])
    row = by_split(status(registry, ["glue/cola"]))["validation"]
    assert row.state == "absent"
    assert "validation.parquet: not a readable parquet file" in row.words


def test_status_of_ax_shows_the_train_split_it_borrows(root: Path, registry: Registry) -> None:
    write_parquet(root / "nyu-mll/glue/mnli/train.parquet", many(8))
    train = by_split(status(registry, ["glue/ax"]))["train"]
    assert (train.task, train.use, train.rows) == ("glue/ax", "training", 8)
    assert "of glue/mnli" in train.words


def test_status_reads_metadata_alone(
    root: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*rest: Any, **keys: Any) -> Any:
        raise AssertionError("values were read")

    write_parquet(root / "nyu-mll/glue/cola/train.parquet", GLUE)
    monkeypatch.setattr(pq, "read_table", fail)
    assert by_split(status(registry, ["glue/cola"]))["train"].rows == 4


def test_status_without_a_mirror(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHSUITE_DATA", raising=False)
    rows = [row for row in status(registry) if not row.task.startswith("mini/")]
    assert {row.state for row in rows} == {"absent"}
    assert {"glue/sst2", "blimp", "race/all", "squad/v1", "ner/conll2003"} <= {
        row.task for row in rows
    }
    assert all(json.loads(json.dumps(row.to_json()))["words"] == row.words for row in rows)


def test_status_says_once_that_the_mirror_is_no_folder(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHSUITE_DATA", "/nowhere/at/all")
    with pytest.raises(InputError, match="/nowhere/at/all: not a folder"):
        status(registry)


def test_status_of_a_user_s_files(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nkind: classification\ndescription: d\n"
        "dataset: {files: {validation: x.csv}, train_split: null}\n"
        "fields: {text: text, label: label}\nlabels: [no, yes]\nmetrics: [accuracy]\n".replace(
            "[no, yes]", "[bad, good]"
        )
    )
    (tmp_path / "x.csv").write_text("text,label\na,good\nb,bad\n")
    (row,) = status(Registry([tmp_path]), ["mine"])
    assert (row.source, row.rows, row.official, row.state) == ("files", 2, None, "full")


def test_status_of_an_unknown_task(registry: Registry) -> None:
    with pytest.raises(InputError, match="glue/sst2"):
        status(registry, ["glue/sst3"])


def test_pull_writes_what_the_mirror_then_gives(root: Path, registry: Registry) -> None:
    said: list[str] = []
    rows = pull(registry, ["race/all"], root, said.append, hub_of(BOTH))
    assert [row.state for row in rows] == ["written"] * 4
    assert files_under(root) == [
        "ehovy/race/high/test.parquet",
        "ehovy/race/high/train.parquet",
        "ehovy/race/middle/test.parquet",
        "ehovy/race/middle/train.parquet",
    ]
    table = pq.read_table(root / "ehovy/race/high/test.parquet")
    assert table.to_pydict() == RACE  # the hub's own columns, all of them
    assert said[0] == f"race/all: licence: {registry.get('race/all').licence}"
    assert "written ehovy/race/middle/test.parquet (3 rows): official: 1,436 rows" in said
    task = load_task("race/all")
    assert task.evaluation("test").subsets == {"middle": 3, "high": 3}
    assert task.evaluation("test").source == "mirror"
    assert oct(os.stat(root / "ehovy/race/high/test.parquet").st_mode & 0o777) == "0o644"


def test_pull_asks_for_the_pinned_revision(root: Path, registry: Registry) -> None:
    calls: list[dict[str, Any]] = []
    hub = hub_of(
        {("nyu-mll/glue", "wnli", split): GLUE for split in ("train", "validation")}, calls
    )
    pull(registry, ["glue/wnli"], root, lambda line: None, hub)
    assert {call["revision"] for call in calls} == {registry.get("glue/wnli").dataset.hub_revision}


def test_pull_keeps_complete_tables_and_replaces_others(root: Path, registry: Registry) -> None:
    tables = {
        ("nyu-mll/glue", "wnli", split): {
            "sentence1": ["a"] * rows,
            "sentence2": ["b"] * rows,
            "label": [0] * rows,
            "idx": list(range(rows)),
        }
        for split, rows in (("train", 635), ("validation", 71))
    }
    folder = root / "nyu-mll/glue/wnli"
    write_parquet(folder / "train.parquet", many(20))  # a sample
    write_parquet(folder / "validation.parquet", GLUE).write_bytes(b"PAR1 broken")
    calls: list[dict[str, Any]] = []
    pull(registry, ["glue/wnli"], root, lambda line: None, hub_of(tables, calls))
    assert [
        pq.read_metadata(folder / f"{name}.parquet").num_rows for name in ("train", "validation")
    ] == [635, 71]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    rows = pull(registry, ["glue/wnli"], root, lambda line: None, hub_of(tables, calls))
    assert [row.state for row in rows] == ["kept", "kept"] and len(calls) == 2
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_one_split_that_fails_leaves_the_others(root: Path, registry: Registry) -> None:
    hub = hub_of({key: table for key, table in BOTH.items() if key[1:] != ("high", "test")})
    said: list[str] = []
    rows = pull(registry, ["race/all"], root, said.append, hub)
    failed = [row for row in rows if row.state == "failed"]
    assert [row.table for row in failed] == ["ehovy/race/high/test.parquet"]
    assert "Unknown split" in failed[0].words and failed[0].words in said
    assert len(files_under(root)) == 3


def test_a_table_without_the_task_s_columns_is_not_written(root: Path, registry: Registry) -> None:
    hub = hub_of({key: {"text": ["a"]} for key in BOTH})
    rows = pull(registry, ["race/middle"], root, lambda line: None, hub)
    assert {row.state for row in rows} == {"failed"}
    assert "has no column" in rows[0].note and files_under(root) == []


def test_nothing_half_written_is_left(
    root: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(table: Any, file: Any, **keys: Any) -> None:
        file.write(b"PAR1 and then")
        raise OSError(28, "No space left on device")

    target = write_parquet(root / "ehovy/race/middle/test.parquet", RACE)
    before = target.read_bytes()
    monkeypatch.setattr("benchsuite.tasks.mirror.pq.write_table", full_disk)
    with pytest.raises(InputError, match="cannot write .*test.parquet: .*No space left"):
        pull(registry, ["race/middle"], root, lambda line: None, hub_of(BOTH))
    assert files_under(root) == ["ehovy/race/middle/test.parquet"]
    assert target.read_bytes() == before


def test_a_folder_that_cannot_be_made(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        pull(registry, ["race/middle"], tmp_path / "file", lambda line: None, hub_of(BOTH))


def test_pulling_ax_pulls_the_train_split_of_mnli(root: Path, registry: Registry) -> None:
    hub = hub_of({("nyu-mll/glue", "ax", "test"): GLUE, ("nyu-mll/glue", "mnli", "train"): GLUE})
    said: list[str] = []
    pull(registry, ["glue/ax"], root, said.append, hub)
    assert files_under(root) == ["nyu-mll/glue/ax/test.parquet", "nyu-mll/glue/mnli/train.parquet"]
    assert sum("licence" in line for line in said) == 2


def test_the_hub_s_features_survive_the_mirror(root: Path, registry: Registry) -> None:
    """A label's names and order, as the hub codes them."""
    names = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])

    def load_dataset(path: str, config: str, split: str, revision: str | None) -> datasets.Dataset:
        return datasets.Dataset.from_dict(GLUE).cast_column("label", names)

    pull(registry, ["glue/ax"], root, lambda line: None, load_dataset)
    path = str(root / "nyu-mll/glue/ax/test.parquet")
    assert pq.read_table(path)["label"].to_pylist() == GLUE["label"]
    assert datasets.Dataset.from_parquet(path, cache_dir=str(root / "c")).features["label"] == names


def test_words_of_a_pulled_row() -> None:
    assert PullRow("a/b/c.parquet", "kept", 1234).words == "kept a/b/c.parquet (1,234 rows)"
    assert PullRow("a/b/c.parquet", "failed", 0, "why").words == "failed a/b/c.parquet: why"
