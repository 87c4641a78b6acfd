"""The regime `frozen`: what is trained, and how it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import benchsuite
from benchsuite.cells import parse_regime
from benchsuite.errors import CellFailed, InputError
from benchsuite.models.registry import load_model, resolve_model
from benchsuite.regimes.base import read_options
from benchsuite.regimes.frozen import Frozen, FrozenOptions, frozen_blocks
from benchsuite.regimes.registry import canonical
from benchsuite.training import frozen
from benchsuite.training.items import ItemMaker
from benchsuite.training.rows import Layout
from tests.regimes import frozen_fits
from tests.regimes.frozen_fits import EXAMPLES, FAMILIES, fit
from tests.training.made import made_cell, made_task

pytestmark = pytest.mark.usefixtures("one_thread")
folders = frozen_fits.folders

LAST_NORM = {
    "encoder": [],
    "decoder": ["backbone.body.ln_f.weight", "backbone.body.ln_f.bias"],
    "encoder-decoder": [
        "backbone.body.final_layer_norm.weight",
        "backbone.decoder.final_layer_norm.weight",
    ],
}
HEAD = ["head.weight", "head.bias"]


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
    kept = backbone.eval()._frozen(batch)[:, : batch.ids.shape[1]]
    encoder_states = kept if count >= 2 else torch.ones(4, 1, 16)
    batch.mask = batch.mask[:, : encoder_states.shape[1]]
    entered: list[Tensor] = []
    first = backbone.decoder.block[max(0, count - 2)].layer[0]
    first.register_forward_pre_hook(lambda module, given: entered.append(given[0].detach()))
    network.train()
    left = [backbone.finish(encoder_states, batch) for _ in range(2)]
    assert not torch.equal(*left)
    assert len(entered) == 2 and torch.equal(*entered)


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
