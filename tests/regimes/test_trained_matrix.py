"""Every kind of task x family x regime that trains: learns what it declares, and only that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import benchsuite
from benchsuite.metrics import compute, outcome_columns
from benchsuite.models.registry import load_model
from benchsuite.records import folder_name, read_outcomes
from benchsuite.regimes import support
from benchsuite.regimes.base import read_options
from benchsuite.regimes.registry import get_regime
from benchsuite.results import summarize
from benchsuite.training import model as training_model
from benchsuite.training import probing
from benchsuite.training.predictor import NO_ANSWER
from tests.tiny import tiny_models
from tests.training.made import KINDS, TRAIN, made_cell, made_task


def watch_the_end(name: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """Copies of all parameters at the end of each training, before a regime merges them."""
    regime = type(get_regime(name))
    ends: list[dict[str, torch.Tensor]] = []
    finish = getattr(regime, "finish", None)
    if finish is not None:

        def note(self: object, model: torch.nn.Module) -> None:
            ends.append({name: p.detach().clone() for name, p in model.named_parameters()})
            finish(self, model)

        monkeypatch.setattr(regime, "finish", note)
    return ends


FAMILIES = ("decoder", "encoder", "encoder-decoder")
# Enough to memorize 16 examples with random networks of width 64; not the regimes' defaults.
CALLS = {
    "probe": "probe",
    "frozen:0.5": "frozen:0.5+lr=0.003+epochs=50+batch=8+keep=last",
    "frozen:1.0": "frozen:1.0+lr=0.3+epochs=200+batch=8+keep=last",
    "bitfit": "bitfit:lr=0.03+epochs=120+batch=8+keep=last",
    "adapter": "adapter:lr=0.01+epochs=70+batch=8+keep=last",
    "adamix": "adapter:pfeiffer+experts=2+lr=0.005+epochs=160+batch=8+keep=last",
    "lora": "lora:lr=0.01+epochs=100+batch=8+keep=last",
    "ia3": "ia3:lr=0.1+epochs=160+batch=8+keep=last",
    "prefix": "prefix:8+lr=0.1+epochs=120+batch=8+keep=last",
    "prompt": "prompt:8+lr=0.1+epochs=180+batch=8+keep=last",
    "full": "full:lr=0.005+epochs=80+batch=8+keep=last",
}
NOT_APPLICABLE = {("bitfit", "encoder-decoder")}  # T5 has no bias terms
GOOD = {"classification": 0.95, "choice": 0.95, "tagging": 0.9, "span": 0.9, "regression": 0.9}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("matrix")
    found = tiny_models(root, width=64)
    for folder in found.values():
        # By heart is learned sooner without dropout.
        config = json.loads((folder / "config.json").read_text())
        dropouts = {name: 0.0 for name in config if "drop" in name}
        (folder / "config.json").write_text(json.dumps({**config, **dropouts}))
    return {family: str(folder) for family, folder in found.items()}


@pytest.fixture(autouse=True)
def to_learn_by_heart(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    """No dropout of the head, next to no penalty of the probe."""
    monkeypatch.setattr(training_model, "HEAD_DROPOUT", 0.0)
    monkeypatch.setattr(probing, "PENALTIES", (1e-4,))
    monkeypatch.setattr(probing, "DEFAULT_PENALTY", 1e-4)


def test_every_regime_that_trains_is_here() -> None:
    assert {call.partition(":")[0] for call in CALLS.values()} == set(support.TRAINED)


@pytest.mark.parametrize("regime", CALLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_memorizes_and_comes_back(
    kind: str,
    family: str,
    regime: str,
    models: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = made_task(tmp_path / "tasks", kind)
    name = CALLS[regime].partition(":")[0]
    ends = watch_the_end(name, monkeypatch)
    settings = {"tasks_dir": [tmp_path / "tasks"], "store": tmp_path / "store"}
    [record] = benchsuite.run(models[family], CALLS[regime], kind, keep_artifacts=True, **settings)
    if (name, family) in NOT_APPLICABLE:
        assert record.status == "not_applicable"
        return
    assert record.status == "done", record.reason
    assert support.reason_not_applicable(name, task.spec, family) is None

    folder = tmp_path / "store" / folder_name(record.cell)
    state = load_file(folder / "artifact.safetensors")
    loaded = benchsuite.load_predictor(folder, [tmp_path / "tasks"])
    assert set(loaded.state()) == set(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state().items())
    # The reloaded predictor says what the record's outcomes say.
    examples = task.evaluation("validation").examples
    variants = loaded.predict(examples)
    again = summarize(task.spec, {"validation": (examples, variants)}).outcomes
    stored = read_outcomes(folder)
    for column in ("prediction", "gold", "tp", "fp", "fn", "em", "f1", "credit"):
        assert np.array_equal(stored[column], again[column], equal_nan=True), column
    assert np.allclose(stored["x"], again["x"], atol=1e-4, equal_nan=True)

    # Of the network as training left it, what was declared has changed, and nothing else.
    if ends:
        cell = made_cell(task, record.cell["regime"], models[family])
        model = load_model(models[family])
        fitted: Any = get_regime(name)
        options = read_options(fitted, cell.regime)
        fresh, declared = fitted._build(model, task, cell, options)
        before = dict(fresh.model.named_parameters())
        assert set(before) == set(ends[0])
        changed = {one for one, p in ends[0].items() if not torch.equal(p, before[one])}
        assert changed <= set(declared) == set(state) - {"number", NO_ANSWER}
        assert "head.weight" in changed
        assert any(one.startswith("backbone.") for one in changed) or regime == "frozen:1.0"

    # What it was trained on is learned by heart.
    learned = task.train().examples
    assert len(learned) == TRAIN
    [variant] = loaded.predict(learned)
    columns = outcome_columns(task.spec, learned, variant.predictions)
    metric = "em" if kind == "span" else task.spec.headline_metric
    assert compute(task.spec, metric, columns) >= GOOD[kind]
    assert record.cost["artifact_bytes"] == (folder / "artifact.safetensors").stat().st_size
