"""The index: what it saves, when it is not believed, and what it never touches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.records import Record
from benchsuite.report import index
from benchsuite.report.index import index_path, read_store
from benchsuite.tasks.spec import TaskSpec
from tests.check.made import credits, store_record
from tests.made import made_record


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two done cells on the same hundred examples, and one that failed."""
    store_record(tmp_path / "store", credits(100, 80))
    store_record(tmp_path / "store", credits(100, 70), model="bert")
    records.write(tmp_path / "store", made_record(model="t5", status="failed"), None)
    return tmp_path / "store"


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def measured_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folders whose outcomes are read from now on."""
    seen: list[str] = []
    real = index._measure

    def spy(folder: Path, *rest: Any) -> dict[str, Any]:
        seen.append(folder.name)
        return real(folder, *rest)

    monkeypatch.setattr(index, "_measure", spy)
    return seen


def test_a_second_reading_is_the_same_and_opens_no_outcomes(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(store)
    first, _ = read_store(store)
    assert index_path(store).is_file() and files(store) == before
    seen = measured_again(monkeypatch)
    second, unreadable = read_store(store)
    assert not seen and not unreadable
    assert [one.record for one in second] == [one.record for one in first]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.replicates, b.replicates)


def test_only_what_changed_is_read_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_store(store)
    record = store_record(store, credits(100, 60), model="bert")
    seen = measured_again(monkeypatch)
    found, _ = read_store(store)
    assert seen == [records.folder_name(record.cell)]
    values = {one.record.cell["model"]: one.record.headline for one in found}
    assert values["bert"] is not None and values["bert"].value == 0.6
    gone = store / seen[0]
    for path in gone.iterdir():
        path.unlink()
    gone.rmdir()
    assert {one.record.cell["model"] for one in read_store(store)[0]} == {"gpt", "t5"}


def test_an_edit_of_the_same_size_at_the_same_time_is_seen(store: Path) -> None:
    read_store(store)
    path = next(path for path in store.iterdir() if "bert" in path.name) / records.RECORD_FILE
    before = path.stat()
    path.write_text(path.read_text().replace("made hardware", "mode hardware"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    hardware = {one.record.provenance["hardware"] for one in read_store(store)[0]}
    assert "mode hardware" in hardware


def test_a_task_that_was_not_at_hand_is_looked_for_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, dirs = index.spec_of, []

    def at_home(record: Record, tasks_dirs: Sequence[Path] = ()) -> TaskSpec:
        dirs.append(tuple(tasks_dirs))
        if not tasks_dirs:
            raise InputError("unknown task")
        return real(record)

    monkeypatch.setattr(index, "spec_of", at_home)
    for _ in range(2):
        found, unreadable = read_store(store)
        assert [one.replicates for one in found] == [None, None, None] and not unreadable
    found, _ = read_store(store, tasks_dirs=[store])
    assert sum(one.replicates is not None for one in found) == 2 and dirs[-1] == (store,)
    monkeypatch.setattr(index, "spec_of", real)
    assert sum(one.replicates is not None for one in read_store(store)[0]) == 2


def test_a_task_file_that_has_changed_judges_its_records_anew(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tmp_path / "tasks"
    (tasks / "own").mkdir(parents=True)
    (tasks / "own" / "moods.yaml").write_text("version: 1")
    read_store(store, tasks_dirs=[tasks])
    seen = measured_again(monkeypatch)
    read_store(store, tasks_dirs=[tasks])
    assert not seen
    (tasks / "own" / "moods.yaml").write_text("version: 2")
    read_store(store, tasks_dirs=[tasks])
    assert seen


def test_replicates_of_records_are_paired(store: Path) -> None:
    """Ten of a hundred examples differ, so that the difference varies as ten coins of .1 do."""
    found = {one.record.cell["model"]: one.replicates for one in read_store(store)[0]}
    gap = found["gpt"] - found["bert"]
    assert gap.mean() == pytest.approx(0.1, abs=0.01)
    assert gap.std() == pytest.approx(np.sqrt(0.1 * 0.9 / 100), rel=0.1)
    assert found["t5"] is None


def test_processes_find_what_one_finds(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_record(store, credits(100, 60), model="broken")
    [folder] = [one for one in records.store_folders(store) if "broken" in one.name]
    (folder / "record.json").write_text("{")
    alone, wrong = read_store(store)
    index_path(store).unlink()
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    monkeypatch.setattr(index, "OF_A_PROCESS", 1)
    monkeypatch.setattr(index, "OF_A_PART", 1)
    seen = measured_again(monkeypatch)
    found, unreadable = read_store(store)
    assert not seen, "the work is done elsewhere"
    assert [one.record for one in found] == [one.record for one in alone]
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_array_equal(a.replicates, b.replicates)
    assert unreadable == wrong and len(wrong) == 1


def test_a_broken_index_costs_time_alone(store: Path) -> None:
    first, _ = read_store(store)
    index_path(store).write_bytes(b"PAR1 no parquet")
    again, unreadable = read_store(store)
    assert [one.record for one in again] == [one.record for one in first] and not unreadable


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(read_store(store)[0]) == 3


def test_broken_records_are_named_each_time(store: Path) -> None:
    torn = next(path for path in store.iterdir() if "bert" in path.name)
    content = (torn / records.OUTCOMES_FILE).read_bytes()
    (torn / records.OUTCOMES_FILE).write_bytes(content[:-20])
    (store / "x").mkdir()
    (store / "x" / records.RECORD_FILE).write_text("{")
    for _ in range(2):
        found, unreadable = read_store(store)
        assert len(found) == 3  # the score stands, what it is made of does not
        assert len(unreadable) == 2
        assert any("truncated" in line for line in unreadable)
        assert any("not readable as a record" in line for line in unreadable)


def test_a_store_without_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records here"):
        read_store(tmp_path)
    assert read_store(tmp_path, needed=False) == ([], [])


def test_a_changed_bundled_task_or_metric_is_judged_anew(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr(index, "tasks_root", lambda: folder)
    read_store(store)
    seen = measured_again(monkeypatch)
    read_store(store)
    assert not seen
    (folder / "task.yaml").write_text("version: 2\n")
    read_store(store)
    assert len(seen) == 3
    monkeypatch.setattr(index, "METRICS_VERSION", "another")
    read_store(store)
    assert len(seen) == 6
