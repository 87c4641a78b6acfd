"""What was kept is read back, or refused in one line. (What it answers: test_trained_matrix.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import benchsuite
from benchsuite.artifacts import ARTIFACT_FILE
from benchsuite.errors import CellFailed, InputError
from benchsuite.records import folder_name
from benchsuite.regimes.base import Predictor
from tests.tiny import tiny_bert
from tests.training.made import made_task

CALL = "bitfit:epochs=1"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Folder of a record with its artifact; `model`, `tasks` and `store` lie beside each other."""
    tiny_bert(tmp_path / "model")
    made_task(tmp_path / "tasks", "classification")
    [record] = benchsuite.run(
        str(tmp_path / "model"),
        CALL,
        "classification",
        tasks_dir=[tmp_path / "tasks"],
        store=tmp_path / "store",
        keep_artifacts=True,
    )
    assert record.status == "done", record.reason
    return tmp_path / "store" / folder_name(record.cell)


def load(folder: Path) -> Predictor:
    return benchsuite.load_predictor(folder, [folder.parents[1] / "tasks"])


def test_only_what_was_trained_is_kept(kept: Path) -> None:
    predictor = load(kept)
    state = predictor.state()
    assert all(name.endswith("bias") or name.startswith("head.") for name in state)
    record = json.loads((kept / "record.json").read_text())
    assert record["cost"]["parameters_trainable"] == sum(t.numel() for t in state.values())
    size = (kept / ARTIFACT_FILE).stat().st_size
    assert (
        record["cost"]["artifact_bytes"]
        == size
        < (kept.parents[1] / "model" / "model.safetensors").stat().st_size / 4
    )


def test_nothing_was_kept(kept: Path) -> None:
    (kept / ARTIFACT_FILE).unlink()
    with pytest.raises(InputError, match="run the cell with --keep-artifacts"):
        load(kept)


def test_a_standing_record_is_run_again_for_what_it_did_not_keep(kept: Path) -> None:
    (kept / ARTIFACT_FILE).unlink()
    before = (kept / "record.json").stat().st_mtime_ns
    settings = {"tasks_dir": [kept.parents[1] / "tasks"], "store": kept.parent}
    for keep, again, there in ((False, False, False), (True, True, True), (True, False, True)):
        benchsuite.run(
            str(kept.parents[1] / "model"), CALL, "classification", keep_artifacts=keep, **settings
        )
        after = (kept / "record.json").stat().st_mtime_ns
        assert (after != before) == again and (kept / ARTIFACT_FILE).is_file() == there
        before = after


def test_another_order_of_the_labels(kept: Path) -> None:
    file = kept.parents[1] / "tasks" / "classification.yaml"
    file.write_text(file.read_text().replace("[bad, good]", "[good, bad]"))
    with pytest.raises(InputError, match="task classification is no longer the one"):
        load(kept)


def test_a_damaged_artifact(kept: Path) -> None:
    content = (kept / ARTIFACT_FILE).read_bytes()
    (kept / ARTIFACT_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load(kept)


def test_another_model_took_the_place(kept: Path) -> None:
    tiny_bert(kept.parents[1] / "model", seed=1)
    with pytest.raises(InputError, match="is not the one it was trained on"):
        load(kept)


def test_another_version_of_the_regime(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchsuite.regimes.bitfit.BitFit.version", 99)
    with pytest.raises(InputError, match="trained by version 1 of bitfit, this is version 99"):
        load(kept)


def test_another_cell_s_artifact(kept: Path) -> None:
    [record] = benchsuite.run(
        str(kept.parents[1] / "model"),
        "full:epochs=1",
        "classification",
        tasks_dir=[kept.parents[1] / "tasks"],
        store=kept.parent,
        keep_artifacts=True,
    )
    (kept / ARTIFACT_FILE).write_bytes(
        (kept.parent / folder_name(record.cell) / ARTIFACT_FILE).read_bytes()
    )
    with pytest.raises(CellFailed, match="is not one of bitfit"):
        load(kept)
