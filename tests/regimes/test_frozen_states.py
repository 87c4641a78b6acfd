"""The regime `frozen`: keeping the frozen part's states moves nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.models.t5.modeling_t5 import T5LayerCrossAttention

from benchsuite.regimes.base import Options
from benchsuite.regimes.frozen import Frozen, FrozenOptions, frozen_blocks
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.tasks.example import Example
from benchsuite.training import checkpoint, frozen
from benchsuite.training import model as task_model
from benchsuite.training.backbone import block_list
from benchsuite.training.loop import Progress
from benchsuite.training.model import TaskModel
from benchsuite.training.predictor import TrainedPredictor
from tests.regimes import frozen_fits
from tests.regimes.frozen_fits import EXAMPLES, FAMILIES, fit
from tests.training.made import KINDS, made_task

pytestmark = pytest.mark.usefixtures("one_thread")
folders = frozen_fits.folders

NO_DROPOUT = dict.fromkeys(
    [
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "embd_pdrop",
        "attn_pdrop",
        "resid_pdrop",
        "dropout_rate",
    ],
    0.0,
)
STEPS = "epochs=2+batch=4+lr=0.01"


@pytest.fixture
def steady(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """The same models without any dropout, so that two ways of computing can be compared."""
    monkeypatch.setattr(task_model, "HEAD_DROPOUT", 0.0)
    found = {}
    for family, folder in folders.items():
        found[family] = tmp_path / family
        found[family].mkdir()
        for file in folder.iterdir():
            (found[family] / file.name).write_bytes(file.read_bytes())
        config = found[family] / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), **NO_DROPOUT}))
    return found


def examples(kind: str, tmp_path: Path) -> list[Example]:
    return made_task(tmp_path / "tasks", kind, EXAMPLES).evaluation("validation").examples


class Plain(TrainedRegime):
    """Freezes by asking for no gradients, and runs the whole network each time."""

    name: ClassVar[str] = "frozen"
    options: ClassVar[type[Options]] = FrozenOptions
    positional: ClassVar[str | None] = "k"
    default_lr: ClassVar[dict[str, float]] = Frozen.default_lr

    def prepare(self, model: TaskModel, options: Any) -> None:
        blocks = model.backbone.blocks()
        trained = blocks[frozen_blocks(options.k, len(blocks), "it") :]
        for block in trained:
            block.requires_grad_(True)
        for stack in model.backbone.stacks():
            if block_list(stack)[1][-1] in trained:
                for name, parameter in stack.named_parameters():
                    if name.startswith(("ln_f", "final_layer_norm")):
                        parameter.requires_grad_(True)


def assert_same(left: TrainedPredictor, right: TrainedPredictor, examples: list[Example]) -> None:
    """That two runs went and ended alike.

    Weights are not compared, and of options and positions only how far apart they score: a bias of
    keys, or one that all options get, has no gradient but rounding, which Adam makes large.
    """
    assert list(left.state()) == list(right.state())
    items = left.maker.make(examples)
    for ours, theirs in zip(left.scores(items), right.scores(items), strict=True):
        assert ours.shape == theirs.shape
        if left.task.kind in ("choice", "span"):
            ours, theirs = ours - ours.mean(0), theirs - theirs.mean(0)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert left.notes["loss"] == pytest.approx(right.notes["loss"], abs=1e-5)
    assert left.notes["selection"] == pytest.approx(right.notes["selection"], abs=1e-5)
    assert left.notes["epoch"] == right.notes["epoch"]


@pytest.mark.parametrize("k", ["0", "1", "0.75", "1.0"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_training_on_kept_states_is_training_on_the_whole_network(
    kind: str, family: str, k: str, steady: dict[str, Path], tmp_path: Path
) -> None:
    call = f"frozen:{k}+{STEPS}"
    ours = fit(Frozen(), call, steady[family], kind, tmp_path / "ours")
    plain = fit(Plain(), call, steady[family], kind, tmp_path / "plain")
    assert_same(ours, plain, examples(kind, tmp_path))


@pytest.mark.parametrize("rows", [0, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_beyond_its_budget_the_result_is_the_same(
    family: str,
    rows: int,
    steady: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = f"frozen:0.5+{STEPS}"
    whole = fit(Frozen(), call, steady[family], "choice", tmp_path / "whole")
    most = rows * 40 * 16 * 4
    monkeypatch.setattr(frozen, "StateCache", partial(frozen.StateCache, most_bytes=most))
    part = fit(Frozen(), call, steady[family], "choice", tmp_path / "part")
    assert_same(part, whole, examples("choice", tmp_path))


class Counting(Frozen):
    """Counts the rows that the frozen part is run on."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.kept = 0

    def prepare(self, model: TaskModel, options: Any) -> None:
        super().prepare(model, options)
        backbone: Any = model.backbone
        compute = backbone._frozen

        def counted(batch: Any) -> Tensor:
            self.rows += len(batch.ids)
            return compute(batch)

        backbone._frozen = counted


@pytest.mark.parametrize("k", ["0.5", "1.0"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_frozen_part_is_run_once_an_item(
    family: str, k: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    regime = Counting()
    predictor = fit(regime, f"frozen:{k}+{STEPS}", folders[family], "classification", tmp_path)
    assert predictor.notes["epochs"] == len(predictor.notes["selection"]) == 2
    assert regime.rows == EXAMPLES
    assert not list((tmp_path / "scratch").glob("*"))


@pytest.mark.parametrize("kind", ["classification", "regression", "choice"])
def test_a_decoder_s_frozen_blocks_are_run_once_an_item(
    kind: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of four blocks are frozen, one of them the decoder's."""
    rows: list[int] = []
    attend = T5LayerCrossAttention.forward

    def counted(self: T5LayerCrossAttention, hidden_states: Tensor, *rest: Any, **more: Any) -> Any:
        if not torch.is_grad_enabled() and not self.training:
            rows.append(len(hidden_states))
        return attend(self, hidden_states, *rest, **more)

    class Trained(Frozen):
        """Counts no pass but training's."""

        def fit(self, *given: Any) -> TrainedPredictor:
            monkeypatch.setattr(T5LayerCrossAttention, "forward", counted)
            return super().fit(*given)

    predictor = fit(
        Trained(), f"frozen:0.75+{STEPS}+keep=last", folders["encoder-decoder"], kind, tmp_path
    )
    assert predictor.notes["frozen_blocks"] == [3, 4] and predictor.notes["epochs"] == 2
    items = predictor.maker.make(made_task(tmp_path / "t", kind, EXAMPLES).train().examples)
    assert len(items) == EXAMPLES - 2
    # A short row through both blocks tells what follows the last one.
    assert sum(rows) == sum(len(item.rows) for item in items) + 2


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_that_was_interrupted_is_resumed(
    family: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = f"frozen:1+{STEPS}"
    whole = fit(Frozen(), call, folders[family], "classification", tmp_path / "whole")
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    regime = Counting()

    def stop(progress: Progress) -> None:
        if progress.step == 8:
            raise Interrupted

    regime.told = stop
    with pytest.raises(Interrupted):
        fit(regime, call, folders[family], "classification", tmp_path / "cut")
    scratch = tmp_path / "cut" / "scratch"
    assert [file.name for file in scratch.iterdir()] == [checkpoint.FILE]
    again = Counting()
    resumed = fit(again, call, folders[family], "classification", tmp_path / "cut")
    assert 0 < again.rows <= EXAMPLES
    assert_same(resumed, whole, examples("classification", tmp_path))
    # The states are gone at once, the checkpoint once the record stands.
    assert [file.name for file in scratch.iterdir()] == [checkpoint.FILE]
    again.clear(scratch)
    assert not list(scratch.iterdir())
