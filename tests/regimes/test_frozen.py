"""The regime `frozen`: what is trained, and that keeping the frozen part's states moves nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import benchsuite
from benchsuite.cells import parse_regime
from benchsuite.errors import CellFailed, InputError
from benchsuite.models.registry import load_model, resolve_model
from benchsuite.regimes.base import Options, read_options
from benchsuite.regimes.frozen import Frozen, FrozenOptions, frozen_blocks
from benchsuite.regimes.registry import canonical
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.tasks.example import Example
from benchsuite.training import checkpoint, frozen
from benchsuite.training import model as task_model
from benchsuite.training.backbone import block_list
from benchsuite.training.items import ItemMaker
from benchsuite.training.loop import Progress
from benchsuite.training.model import TaskModel
from benchsuite.training.predictor import TrainedPredictor
from benchsuite.training.rows import Layout
from tests.tiny import tiny_models
from tests.training.made import KINDS, made_cell, made_task

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = ("encoder", "decoder", "encoder-decoder")
LAST_NORM = {
    "encoder": [],
    "decoder": ["backbone.body.ln_f.weight", "backbone.body.ln_f.bias"],
    "encoder-decoder": [
        "backbone.body.final_layer_norm.weight",
        "backbone.decoder.final_layer_norm.weight",
    ],
}
HEAD = ["head.weight", "head.bias"]
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
EXAMPLES = 24  # 22 for training, 2 as selection slice
STEPS = "epochs=2+batch=4+lr=0.01"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Family -> a tiny model, with the dropout of its family's defaults."""
    root = tmp_path_factory.mktemp("frozen")
    return tiny_models(root, positions=128)


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


def fit(
    regime: TrainedRegime, call: str, folder: Path, kind: str, tmp_path: Path
) -> TrainedPredictor:
    task = made_task(tmp_path / "tasks", kind, EXAMPLES)
    cell = made_cell(task, call, str(folder))
    return regime.fit(load_model(str(folder)), task, cell, tmp_path / "scratch")


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
    assert not (tmp_path / "scratch" / frozen.FILE).exists()


def trained_by_hand(family: str, kind: str, count: int) -> set[str]:
    """What is trained outside the blocks, where `count` of two blocks a stack are frozen."""
    names = list(LAST_NORM[family])
    stacks = 2 if family == "encoder-decoder" and kind not in ("tagging", "span") else 1
    if stacks == 1:
        names = [name for name in names if ".decoder." not in name]
    # Of two blocks a stack: the body's last is the second, the decoder's the fourth.
    if count >= 2:
        names = [name for name in names if ".decoder." in name]
    if count >= 2 * stacks:
        names = []
    return {*names, *HEAD}


BLOCKS = {
    "encoder": ["backbone.body.encoder.layer.{}."],
    "decoder": ["backbone.body.h.{}."],
    "encoder-decoder": ["backbone.body.block.{}.", "backbone.decoder.block.{}."],
}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["classification", "tagging"])
def test_only_what_lies_above_is_trained(
    kind: str, family: str, count: int, folders: dict[str, Path], tmp_path: Path
) -> None:
    prefixes = BLOCKS[family] if kind == "classification" else BLOCKS[family][:1]
    blocks = [prefix.format(number) for prefix in prefixes for number in range(2)]
    if count > len(blocks):
        with pytest.raises(InputError, match=f"k={count}.*has {len(blocks)} blocks"):
            fit(Frozen(), f"frozen:{count}", folders[family], kind, tmp_path)
        return
    predictor = fit(
        Frozen(), f"frozen:{count}+epochs=1+lr=0.01+keep=last", folders[family], kind, tmp_path
    )
    network = predictor.model.backbone
    before = (
        Frozen()
        ._build(
            load_model(str(folders[family])),
            made_task(tmp_path / "tasks", kind),
            made_cell(made_task(tmp_path / "tasks", kind), f"frozen:{count}", str(folders[family])),
            FrozenOptions(k=count),
        )[0]
        .model
    )
    old = dict(before.named_parameters())
    trained = set()
    for name, parameter in predictor.model.named_parameters():
        if torch.equal(parameter, old[name]):
            continue
        trained.add(name)
    upper = tuple(blocks[count:])
    in_blocks = {name for name in trained if name.startswith(tuple(blocks))}
    assert trained - in_blocks == trained_by_hand(family, kind, count)
    assert in_blocks == {name for name in old if upper and name.startswith(upper)}
    assert set(predictor.state()) == trained
    assert {n for n, p in network.named_parameters("backbone") if p.requires_grad} == {
        name for name in trained if name.startswith("backbone.")
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loaded_network_stays_as_it_was(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    model = load_model(str(folders[family]))
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    task = made_task(tmp_path / "tasks", "classification")
    Frozen().fit(model, task, made_cell(task, "frozen:epochs=1", model.name), tmp_path)
    after = model.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_frozen_has_no_dropout_while_the_rest_trains(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    model = load_model(str(folders[family]))
    task = made_task(tmp_path / "tasks", "classification")
    cell = made_cell(task, "frozen", model.name)
    runs = {}
    for k in (1, 1.0):
        predictor, _ = Frozen()._build(model, task, cell, FrozenOptions(k=k))
        backbone: Any = predictor.model.backbone
        items = predictor.maker.make(task.train().examples[:4])
        batch = frozen.collate(items, 0, "cpu")
        still = backbone.eval()(batch)
        predictor.model.train()
        assert all(module.training for module in backbone.modules())
        runs[k] = [backbone(batch) for _ in range(2)]
        lower = [backbone._frozen(batch) for _ in range(2)]
        assert torch.equal(*lower) and not lower[0].requires_grad
        assert all(module.training for module in backbone.modules())
        if k == 1.0 and isinstance(k, float):
            assert torch.equal(runs[k][0], still) and torch.equal(*runs[k])
        else:
            assert not torch.equal(*runs[k])


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_neither_has_what_is_frozen_of_a_decoder_dropout(
    count: int, folders: dict[str, Path], tmp_path: Path
) -> None:
    model = load_model(str(folders["encoder-decoder"]))
    task = made_task(tmp_path / "tasks", "classification")
    cell = made_cell(task, "frozen", model.name)
    network = Frozen()._build(model, task, cell, FrozenOptions(k=count))[0].model
    backbone: Any = network.backbone
    layout = Layout(model)
    items = ItemMaker(task.spec, layout, "first").make(task.train().examples[:4])
    batch = frozen.collate(items, layout.pad, "cpu")
    encoder_states = backbone.eval()._frozen(batch) if count >= 2 else torch.ones(4, 1, 16)
    batch.mask = batch.mask[:, : encoder_states.shape[1]]
    entered: list[Tensor] = []
    first = backbone.decoder.block[max(0, count - 2)].layer[0]
    first.register_forward_pre_hook(lambda module, given: entered.append(given[0].detach()))
    network.train()
    left = [backbone.finish(encoder_states, batch) for _ in range(2)]
    assert not torch.equal(*left)
    assert len(entered) == 2 and torch.equal(*entered)


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
    # As a run that was killed leaves it.
    (scratch / frozen.FILE).write_bytes(b"\xff" * 100_000)
    again = Counting()
    resumed = fit(again, call, folders[family], "classification", tmp_path / "cut")
    assert 0 < again.rows <= EXAMPLES
    assert_same(resumed, whole, examples("classification", tmp_path))
    # The states are gone at once, the checkpoint once the record stands.
    assert [file.name for file in scratch.iterdir()] == [checkpoint.FILE]
    again.clear(scratch)
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", ["0", "1", "1.0"])
def test_the_artifact_answers_as_the_predictor_it_is_of(
    k: str, family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    task = made_task(tmp_path / "tasks", "regression", EXAMPLES)
    model = load_model(str(folders[family]))
    cell = made_cell(task, f"frozen:{k}+epochs=2", model.name)
    fitted = Frozen().fit(model, task, cell, tmp_path / "scratch")
    loaded = Frozen().load(model, task, cell, fitted.state())
    examples = task.evaluation("validation").examples
    [ours], [theirs] = fitted.predict(examples), loaded.predict(examples)
    assert ours.predictions == theirs.predictions
    assert len({one.value for one in ours.predictions}) > 1
    with pytest.raises(CellFailed, match="not one of frozen"):
        Frozen().load(model, task, cell, {"head.bias": torch.zeros(1)})


def test_a_count_and_a_share_are_two_things() -> None:
    found = {}
    for call in ("frozen:1", "frozen:1.0", "frozen:0", "frozen:0.0", "frozen:k=0.25"):
        k = read_options(Frozen(), parse_regime(call)).model_dump()["k"]
        found[call] = (type(k), k)
        assert str(canonical(parse_regime(call))) == call.replace("k=", "")
    assert list(found.values()) == [(int, 1), (float, 1.0), (int, 0), (float, 0.0), (float, 0.25)]
    assert str(canonical(parse_regime("frozen:0.5"))) == "frozen"


@pytest.mark.parametrize(
    ("k", "blocks", "expected"),
    [(0, 6, 0), (4, 6, 4), (6, 6, 6), (0.0, 6, 0), (0.5, 6, 3), (0.5, 5, 3), (0.25, 6, 2)]
    + [(0.24, 6, 1), (0.99, 6, 6), (1.0, 6, 6), (1, 12, 1), (1.0, 12, 12)],
)
def test_shares_are_rounded_to_whole_blocks(k: int | float, blocks: int, expected: int) -> None:
    assert frozen_blocks(k, blocks, "it") == expected


@pytest.mark.parametrize("value", ["-1", "-0.5", "1.5", "true", "none", "half"])
def test_what_is_neither_is_refused(value: str) -> None:
    with pytest.raises(InputError, match=f"frozen.*k={value}"):
        read_options(Frozen(), parse_regime(f"frozen:{value}"))


@pytest.mark.parametrize("family", FAMILIES)
def test_more_blocks_than_there_are_end_before_anything_runs(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    blocks = 4 if family == "encoder-decoder" else 2
    reference = resolve_model(str(folders[family]))
    Frozen().check_model(parse_regime(f"frozen:{blocks}"), reference)
    with pytest.raises(InputError, match=f"k={blocks + 1}.* has {blocks} blocks"):
        benchsuite.run(
            str(folders[family]), f"frozen:{blocks + 1}", "mini/sentiment", store=tmp_path / "store"
        )
    assert not (tmp_path / "store").exists()
