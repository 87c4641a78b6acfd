"""`head=text`: every regime trains an encoder-decoder to write the answers, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import benchsuite
from benchsuite.errors import InputError
from benchsuite.metrics import compute, outcome_columns
from benchsuite.records import folder_name, read_outcomes
from tests.tiny import tiny_t5
from tests.training.made import KINDS, made_task

CALLS = {
    "full": "full:lr=0.005+epochs=80",
    "frozen": "frozen:0.5+lr=0.005+epochs=120",
    "lora": "lora:8+lr=0.01+epochs=200",
    "adapter": "adapter:lr=0.02+epochs=100",
    "ia3": "ia3:lr=0.1+epochs=150",
    "prefix": "prefix:8+lr=0.3+epochs=250",
    "prompt": "prompt:8+lr=0.1+epochs=150",
}
WRITTEN = [kind for kind in KINDS if kind != "tagging"]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tiny_t5(tmp_path_factory.mktemp("text") / "t5", width=64)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dropout_rate": 0.0}))
    return str(folder)


@pytest.mark.parametrize(
    ("regime", "kind"),
    [("full", kind) for kind in WRITTEN]
    + [(regime, "classification") for regime in CALLS if regime != "full"],
)
def test_it_memorizes_and_comes_back(
    regime: str, kind: str, t5: str, tmp_path: Path, one_thread: None
) -> None:
    task = made_task(tmp_path / "tasks", kind)
    settings = {"tasks_dir": [tmp_path / "tasks"], "store": tmp_path / "store"}
    call = f"{CALLS[regime]}+batch=8+keep=last+head=text"
    [record] = benchsuite.run(t5, call, kind, keep_artifacts=True, **settings)
    assert record.status == "done", record.reason
    folder = tmp_path / "store" / folder_name(record.cell)
    state = load_file(folder / "artifact.safetensors")
    assert not any(name.startswith("head.") for name in state)
    loaded = benchsuite.load_predictor(folder, [tmp_path / "tasks"])
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state().items())
    examples = task.evaluation("validation").examples
    again = outcome_columns(task.spec, examples, loaded.predict(examples)[0].predictions)
    stored = read_outcomes(folder)
    for column in ("em", "f1", "credit", "x"):
        if column in again:
            assert np.allclose(stored[column], again[column], equal_nan=True), column
    learned = task.train().examples
    columns = outcome_columns(task.spec, learned, loaded.predict(learned)[0].predictions)
    if regime == "prompt":  # of a random network it cannot turn every answer; it learns the words
        losses = record.provenance["chosen"][""]["loss"]
        assert losses[-1] < losses[0] - 1.5
        return
    metric = "em" if kind == "span" else task.spec.headline_metric
    assert compute(task.spec, metric, columns) >= (0.9 if regime == "full" else 0.8)


def test_the_best_epoch_is_chosen_by_what_is_written(t5: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "span")
    settings = {"tasks_dir": [tmp_path / "tasks"], "store": tmp_path / "store"}
    call = "full:head=text+lr=0.005+epochs=4+batch=8"
    [record] = benchsuite.run(t5, call, "span", **settings)
    assert record.status == "done", record.reason
    assert len(record.provenance["chosen"][""]["selection"]) == 4


def test_tags_are_not_applicable(t5: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "tagging")
    settings = {"tasks_dir": [tmp_path / "tasks"], "store": tmp_path / "store"}
    [record] = benchsuite.run(t5, "lora:head=text", "tagging", **settings)
    assert record.status == "not_applicable"
    assert "no agreed form as text" in (record.reason or "")


def test_other_families_are_refused(tiny_bert_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no encoder-decoder"):
        benchsuite.run(str(tiny_bert_folder), "lora:head=text", "mini/sentiment", store=tmp_path)


def test_a_state_to_read_is_refused(t5: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the head reads no state; leave it out"):
        benchsuite.run(t5, "full:head=text+pooling=mean", "mini/sentiment", store=tmp_path)


def test_with_everything_frozen_there_is_nothing_to_train(t5: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is trained"):
        benchsuite.run(t5, "frozen:1.0+head=text", "mini/sentiment", store=tmp_path)
