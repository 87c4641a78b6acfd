"""What was kept is read back, or refused in one line. (What it answers: test_trained_matrix.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import benchsuite
from benchsuite.artifacts import ARTIFACT_FILE
from benchsuite.errors import InputError
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
    record = run_in(tmp_path, CALL, keep_artifacts=True)
    assert record.status == "done", record.reason
    return tmp_path / "store" / folder_name(record.cell)


def run(folder: Path, call: str = CALL, **settings: bool) -> benchsuite.Record:
    """Run the cell of a folder again, or the same task under another call."""
    return run_in(folder.parents[1], call, **settings)


def run_in(root: Path, call: str, **settings: bool) -> benchsuite.Record:
    """Run the task of the folder that `model`, `tasks` and `store` lie in."""
    [record] = benchsuite.run(
        str(root / "model"),
        call,
        "classification",
        tasks_dir=[root / "tasks"],
        store=root / "store",
        **settings,
    )
    return record


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
    for keep, again, there in ((False, False, False), (True, True, True), (True, False, True)):
        run(kept, keep_artifacts=keep)
        after = (kept / "record.json").stat().st_mtime_ns
        assert (after != before) == again and (kept / ARTIFACT_FILE).is_file() == there
        before = after


def test_another_order_of_the_labels(kept: Path) -> None:
    file = kept.parents[1] / "tasks" / "classification.yaml"
    file.write_text(file.read_text().replace("[bad, good]", "[good, bad]"))
    with pytest.raises(InputError, match="task classification is no longer the one"):
        load(kept)


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_artifact_is_refused_and_made_again(kept: Path, damage: str) -> None:
    content = (kept / ARTIFACT_FILE).read_bytes()
    end = content[: len(content) // 2]
    (kept / ARTIFACT_FILE).write_bytes(end if damage == "cut" else end + bytes(len(content) // 2))
    with pytest.raises(InputError, match="truncated or not the file its record names"):
        load(kept)
    run(kept, keep_artifacts=True)
    assert (kept / ARTIFACT_FILE).read_bytes() == content
    load(kept)


def test_what_an_earlier_run_kept_does_not_stand_beside_another_record(kept: Path) -> None:
    run(kept, force=True)
    assert not (kept / ARTIFACT_FILE).exists()


def test_a_failure_replaces_no_standing_record(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in kept.iterdir()}

    def fail(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("benchsuite.regimes.bitfit.BitFit.fit", fail)
    record = run(kept, force=True)
    assert record.status == "failed"
    assert str(record.reason).endswith("; the record of an earlier run stands")
    after = {path.name: path.read_bytes() for path in kept.iterdir()}
    assert after.pop("error.txt") and after == before
    assert run(kept).status == "done"


def test_another_model_took_the_place(kept: Path) -> None:
    tiny_bert(kept.parents[1] / "model", seed=1)
    with pytest.raises(InputError, match="is not the one it was trained on"):
        load(kept)


def test_another_version_of_the_regime(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchsuite.regimes.bitfit.BitFit.version", 99)
    with pytest.raises(InputError, match=r"trained by version \d of bitfit, this is version 99"):
        load(kept)


def test_another_cell_s_artifact(kept: Path) -> None:
    record = run(kept, "full:epochs=1", keep_artifacts=True)
    (kept / ARTIFACT_FILE).write_bytes(
        (kept.parent / folder_name(record.cell) / ARTIFACT_FILE).read_bytes()
    )
    with pytest.raises(InputError, match="truncated or not the file its record names"):
        load(kept)


def derived(tasks: Path) -> None:
    """A task that is trained as `classification` is, on examples of its own."""
    text = (tasks / "classification.yaml").read_text()
    text = text.replace("train: train.jsonl, ", "")
    text = text.replace("}\n", "}\n  train_split: null\n  train_from: classification\n", 1)
    text = text.replace("validation.jsonl", "other.jsonl")
    (tasks / "derived.yaml").write_text(text)
    rows = (tasks / "validation.jsonl").read_text().splitlines()[:7]
    (tasks / "other.jsonl").write_text("\n".join(rows) + "\n")


def run_derived(kept: Path, call: str = CALL, **settings: object) -> benchsuite.Record:
    root = kept.parents[1]
    [record] = benchsuite.run(
        str(root / "model"),
        call,
        "derived",
        tasks_dir=[root / "tasks"],
        **{"store": root / "store", **settings},
    )
    assert record.status == "done", record.reason
    return record


def test_a_task_trained_as_another_takes_what_that_one_kept(kept: Path, tmp_path: Path) -> None:
    derived(kept.parents[1] / "tasks")
    record = run_derived(kept)
    whole = json.loads((kept / "record.json").read_text())
    assert record.provenance["trained_by"] == whole["cell"]["key"]
    # The same weights as those of a training of its own, with the same answers.
    own = run_derived(kept, store=tmp_path / "elsewhere")
    assert "trained_by" not in own.provenance
    assert own.headline == record.headline
    folders = [kept.parent, tmp_path / "elsewhere"]
    one, two = (
        benchsuite.records.read_outcomes(folder / folder_name(record.cell)) for folder in folders
    )
    assert one.equals(two)


def test_another_setting_is_trained_anew(kept: Path) -> None:
    derived(kept.parents[1] / "tasks")
    for call, settings in (
        ("bitfit:epochs=2", {}),
        (CALL, {"seeds": [1]}),
        (CALL, {"train_limit": 8}),
    ):
        assert "trained_by" not in run_derived(kept, call, **settings).provenance


def test_a_torn_artifact_is_trained_anew(kept: Path) -> None:
    derived(kept.parents[1] / "tasks")
    (kept / ARTIFACT_FILE).write_bytes(b"torn")
    assert "trained_by" not in run_derived(kept).provenance
