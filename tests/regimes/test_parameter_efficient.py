"""bitfit, adapter, lora, ia3, prefix and prompt on tiny models of the three families."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import benchsuite
from benchsuite.cells import Cell, parse_regime
from benchsuite.errors import InputError, NotApplicable
from benchsuite.models.registry import Model, load_model
from benchsuite.regimes import support
from benchsuite.regimes.registry import get_regime, parse_options
from benchsuite.tasks.example import Example
from benchsuite.tasks.task import Task
from benchsuite.training.adapters import Bottleneck
from benchsuite.training.model import TaskModel
from benchsuite.training.predictor import TrainedPredictor
from tests.training.made import KINDS, made_cell, made_task

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = ("decoder", "encoder", "encoder-decoder")
CALLS = (
    "bitfit",
    "adapter:size=4",
    "adapter:pfeiffer+size=4+experts=2",
    "lora:2",
    "lora:2+targets=all-linear",
    "ia3",
    "prefix:3",
    "prompt:3",
)
CASES = [
    (family, call)
    for family in FAMILIES
    for call in CALLS
    if (family, call) != ("encoder-decoder", "bitfit")
]
TRAINING = "lr=0.05+epochs=8+batch=8+keep=last"
HEAD = 16 * 2 + 2
D, FF, INNER = 16, 32, 64  # width; inner width of BERT and T5; that of GPT-2
ADAPTER = (D * 4 + 4) + (4 * D + D)


def lora(inputs: int, outputs: int) -> int:
    return 2 * (inputs + outputs)


# Numbers that are trained beside the head, by hand, of two blocks (T5: two and two).
COUNTS = {
    ("decoder", "bitfit"): 2 * (3 * D + D + INNER + D + 2 * D) + D,
    ("encoder", "bitfit"): 2 * (4 * D + FF + D + 2 * D) + D,
    ("decoder", "adapter:size=4"): 2 * 2 * ADAPTER + (2 * 2 + 1) * 2 * D,
    ("encoder", "adapter:size=4"): 2 * 2 * ADAPTER + (2 * 2 + 1) * 2 * D,
    # Three places in a decoder's block; T5's norms have no bias.
    ("encoder-decoder", "adapter:size=4"): 2 * (2 + 3) * ADAPTER + (2 * 2 + 1 + 2 * 3 + 1) * D,
    ("decoder", "adapter:pfeiffer+size=4+experts=2"): 2 * 2 * ADAPTER,
    ("encoder", "adapter:pfeiffer+size=4+experts=2"): 2 * 2 * ADAPTER,
    ("encoder-decoder", "adapter:pfeiffer+size=4+experts=2"): 4 * 2 * ADAPTER,
    ("decoder", "lora:2"): 2 * lora(D, 3 * D),
    ("encoder", "lora:2"): 2 * 2 * lora(D, D),
    ("encoder-decoder", "lora:2"): 2 * (2 + 4) * lora(D, D),
    ("decoder", "lora:2+targets=all-linear"): 2
    * (lora(D, 3 * D) + lora(D, D) + 2 * lora(D, INNER)),
    ("encoder", "lora:2+targets=all-linear"): 2 * (4 * lora(D, D) + 2 * lora(D, FF)),
    ("encoder-decoder", "lora:2+targets=all-linear"): 2 * ((4 + 8) * lora(D, D) + 4 * lora(D, FF)),
    ("decoder", "ia3"): 2 * (3 * D + INNER),
    # peft takes the attention's output layer for one of the feed-forward network.
    ("encoder", "ia3"): 2 * (2 * D + D + FF),
    ("encoder-decoder", "ia3"): 2 * (2 * D + FF) + 2 * (4 * D + FF),
    ("decoder", "prefix:3"): 3 * 2 * 2 * D,
    ("encoder", "prefix:3"): 3 * 2 * 2 * D,
    ("encoder-decoder", "prefix:3"): 3 * 2 * (2 + 4) * D,
    ("decoder", "prompt:3"): 3 * D,
    ("encoder", "prompt:3"): 3 * D,
    ("encoder-decoder", "prompt:3"): 3 * D,
}


@dataclass
class Fitted:
    """A trained cell. plain: the network before anything was put in; start, unfinished: the model
    before training, and after it as it was trained."""

    task: Task
    model: Model
    cell: Cell
    predictor: TrainedPredictor
    plain: TaskModel
    start: TaskModel
    unfinished: TaskModel
    names: list[str]

    @property
    def examples(self) -> list[Example]:
        return self.task.train(None).examples

    def scores(self, model: TaskModel) -> np.ndarray:
        """What a model gives for the examples, in evaluation mode."""
        own = self.predictor
        other = TrainedPredictor(own.task, model, own.maker, own.device, 8192)
        return np.stack(other.scores(own.maker.make(self.examples)))


@pytest.fixture(scope="module")
def models(
    tiny_gpt2_folder: Path, tiny_bert_folder: Path, tiny_t5_folder: Path
) -> dict[str, Model]:
    folders = (tiny_gpt2_folder, tiny_bert_folder, tiny_t5_folder)
    return {
        family: load_model(str(folder)) for family, folder in zip(FAMILIES, folders, strict=True)
    }


def build(model: Model, task: Task, regime: str) -> tuple[TrainedPredictor, list[str]]:
    """The predictor as it is before training, and the names of what is to be trained."""
    cell = made_cell(task, regime, model.name)
    known: Any = get_regime(cell.regime.name)
    predictor, names = known._build(model, task, cell, parse_options(cell.regime))
    return predictor, names


@pytest.fixture(scope="module")
def fitted(
    models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Fitted]:
    folder = tmp_path_factory.mktemp("made")
    task = made_task(folder, "classification")

    @cache
    def fit(family: str, call: str) -> Fitted:
        model = models[family]
        spelled = f"{call}{'+' if ':' in call else ':'}{TRAINING}"
        cell = made_cell(task, spelled, model.name)
        regime: Any = get_regime(cell.regime.name)
        finish, unfinished = regime.finish, []

        def spy(trained: TaskModel) -> None:
            unfinished.append(copy.deepcopy(trained))
            finish(trained)

        regime.finish = spy
        predictor = regime.fit(model, task, cell, folder / "scratch")
        start, names = build(model, task, spelled)
        plain, _ = build(model, task, "full")
        return Fitted(task, model, cell, predictor, plain.model, start.model, unfinished[0], names)

    return fit


def tensors(model: TaskModel) -> dict[str, Tensor]:
    """Parameters and buffers by the names they have in a network that nothing was put into."""
    return {
        name.replace(".base_layer", "").replace(".peft.base_model", ""): tensor
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
    }


@pytest.mark.parametrize(("family", "call"), CASES)
def test_nothing_but_what_is_declared_moves(
    family: str, call: str, fitted: Callable[[str, str], Fitted]
) -> None:
    one = fitted(family, call)
    plain, after = tensors(one.plain), tensors(one.unfinished)
    assert set(plain) <= set(after)
    for name in set(plain) - set(one.names):
        assert torch.equal(after[name], plain[name]), name
    before, state = dict(one.start.named_parameters()), one.predictor.state()
    for name in one.names:
        # The key's bias falls out of the softmax. A decoder that reads one position attends to
        # that alone, so what its query and key learn is nothing.
        alone = "decoder" in name and ("SelfAttention.q." in name or "SelfAttention.k." in name)
        if not name.endswith(".key.bias") and not (alone and ("ia3" in name or "lora_B" in name)):
            assert not torch.equal(state[name], before[name].detach()), name
    assert any(name.startswith("backbone.") for name in one.names)
    assert "head.weight" in one.names and "head.bias" in one.names


@pytest.mark.parametrize(("family", "call"), CASES)
def test_the_number_of_trained_parameters(
    family: str, call: str, fitted: Callable[[str, str], Fitted]
) -> None:
    one = fitted(family, call)
    state = one.predictor.state()
    assert set(state) == set(one.names)
    assert sum(tensor.numel() for tensor in state.values()) == COUNTS[family, call] + HEAD


def test_every_case_is_counted() -> None:
    assert set(COUNTS) == set(CASES)


@pytest.mark.parametrize(("family", "call"), CASES)
def test_the_state_answers_as_the_fitted_model(
    family: str, call: str, fitted: Callable[[str, str], Fitted]
) -> None:
    one = fitted(family, call)
    regime: Any = get_regime(one.cell.regime.name)
    loaded = regime.load(one.model, one.task, one.cell, one.predictor.state())
    expected = one.scores(one.predictor.model)
    np.testing.assert_allclose(one.scores(loaded.model), expected, atol=1e-6)
    assert np.abs(one.scores(one.start) - expected).max() > 0.05
    [answers], [again] = one.predictor.predict(one.examples), loaded.predict(one.examples)
    assert answers.predictions == again.predictions


@pytest.mark.parametrize(("family", "call"), CASES)
def test_the_finished_model_answers_as_the_trained_one(
    family: str, call: str, fitted: Callable[[str, str], Fitted]
) -> None:
    """Merged or averaged, and without a change of the tensors that were trained."""
    one = fitted(family, call)
    trained = dict(one.unfinished.named_parameters())
    for name, tensor in one.predictor.state().items():
        assert torch.equal(tensor, trained[name]), name
    np.testing.assert_allclose(
        one.scores(one.predictor.model), one.scores(one.unfinished), atol=1e-4
    )
    merged = {name for name, _ in one.predictor.model.named_parameters()}
    if call.startswith(("lora", "ia3")):
        assert merged == set(dict(one.plain.named_parameters()))
    if "experts" in call:
        places = [m for m in one.predictor.model.modules() if isinstance(m, Bottleneck)]
        assert {len(place.down) for place in places} == {len(place.up) for place in places} == {1}
        assert len(merged) < len(trained)


@pytest.mark.parametrize(
    ("family", "call"), [case for case in CASES if not case[1].startswith("pr")]
)
def test_before_training_the_model_is_the_plain_one(
    family: str, call: str, fitted: Callable[[str, str], Fitted]
) -> None:
    one = fitted(family, call)
    np.testing.assert_allclose(one.scores(one.start), one.scores(one.plain), atol=1e-6)


@pytest.mark.parametrize(("family", "call"), CASES)
def test_the_table_says_whose_code_it_is(
    family: str, call: str, fitted: Callable[[str, str], Fitted]
) -> None:
    one = fitted(family, call)
    of_peft = any(type(m).__module__.startswith("peft.") for m in one.unfinished.modules())
    row = support.TRAINED[one.cell.regime.name]["classification"]
    assert row[FAMILIES.index(family)] == ("peft" if of_peft else "ours")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["adapter", "lora", "ia3", "prefix", "prompt"])
def test_an_encoder_decoder_trains_what_the_kind_uses(
    kind: str, call: str, models: dict[str, Model], tmp_path: Path
) -> None:
    predictor, names = build(models["encoder-decoder"], made_task(tmp_path, kind), call)
    in_decoder = [name for name in names if name.startswith("backbone.decoder.")]
    assert bool(in_decoder) == (kind not in ("tagging", "span") and call != "prompt")
    assert any(name.startswith("backbone.body.") for name in names)
    items = predictor.maker.make(made_task(tmp_path, kind).train(None).examples)
    assert len(predictor.scores(items)) == len(items)


@pytest.mark.parametrize("call", ["adapter", "lora", "ia3", "prefix", "prompt"])
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision(family: str, call: str, models: dict[str, Model], tmp_path: Path) -> None:
    task = made_task(tmp_path, "classification")
    predictor, _ = build(models[family], task, call)
    items = predictor.maker.make(task.train(None).examples)
    exact = np.stack(predictor.scores(items))
    predictor.precision = "bfloat16"
    half = np.stack(predictor.scores(items))
    np.testing.assert_allclose(half, exact, atol=0.05)
    assert not np.array_equal(half, exact)


@pytest.mark.parametrize("family", ["decoder", "encoder"])
@pytest.mark.parametrize("call", ["prefix:5", "prompt:7"])
def test_virtual_tokens_fit_the_window(
    family: str, call: str, models: dict[str, Model], tmp_path: Path
) -> None:
    model = models[family]
    predictor, _ = build(model, made_task(tmp_path, "classification"), call)
    text = {"text": "the old keeper walked down " * 40}
    (item,) = predictor.maker.make([Example("0", "validation", "", "0", "", text, 0)])
    assert len(item.rows[0].ids) == model.max_length - int(call[-1])
    assert np.isfinite(predictor.scores([item])[0]).all()


@pytest.mark.parametrize("family", ["decoder", "encoder"])
@pytest.mark.parametrize("regime", ["prefix", "prompt"])
def test_virtual_tokens_that_fill_the_window_are_refused_before_anything_runs(
    regime: str, family: str, models: dict[str, Model], tmp_path: Path
) -> None:
    model = models[family]
    call = f"{regime}:{model.max_length}"
    with pytest.raises(InputError, match=f"virtual tokens leave no room.* {model.max_length} tok"):
        benchsuite.run(model.name, call, "mini/sentiment", store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_no_bias_terms_no_bitfit(tiny_t5_folder: Path, tmp_path: Path) -> None:
    [record] = benchsuite.run(
        str(tiny_t5_folder), "bitfit", "mini/sentiment", limit=4, store=tmp_path
    )
    assert record.status == "not_applicable"
    assert record.reason == "T5Stack has no bias terms"


@pytest.mark.parametrize("call", ["lora", "ia3"])
def test_no_default_targets(call: str, tmp_path: Path, models: dict[str, Model]) -> None:
    model = models["encoder"]
    predictor, _ = build(model, made_task(tmp_path, "classification"), "full")
    predictor.model.backbone.body.config.model_type = "modernbert"
    regime: Any = get_regime(call)
    with pytest.raises(NotApplicable) as caught:
        regime.prepare(predictor.model, regime.options())
    assert caught.value.condition == "no targets"
    assert caught.value.condition in support.CONDITIONS[call]


@pytest.mark.parametrize("call", ["full", "lora", "frozen:1"])
def test_biases_and_norms_do_not_decay(call: str, models: dict[str, Model], tmp_path: Path) -> None:
    predictor, names = build(models["encoder"], made_task(tmp_path, "classification"), call)
    regime = get_regime(call.partition(":")[0])
    decays, rest = regime.groups(predictor.model, regime.options())
    assert (decays["weight_decay"], rest["weight_decay"]) == (0.01, 0.0)
    known = dict(predictor.model.named_parameters())
    found = {id(p) for p in decays["params"]}
    assert {n for n in names if id(known[n]) in found} == {
        n for n in names if not n.endswith("bias") and "LayerNorm" not in n
    }
    assert len(decays["params"]) + len(rest["params"]) == len(names)


@pytest.mark.parametrize("call", ["ia3", "prefix", "prompt"])
def test_vectors_do_not_decay(call: str, models: dict[str, Model], tmp_path: Path) -> None:
    predictor, names = build(models["encoder"], made_task(tmp_path, "classification"), call)
    regime: Any = get_regime(call)
    matrix, bias, vectors = regime.groups(predictor.model, regime.options())
    assert [one is predictor.model.head.weight for one in matrix["params"]] == [True]
    assert [one is predictor.model.head.bias for one in bias["params"]] == [True]
    assert len(vectors["params"]) == len(names) - 2
    assert [one["weight_decay"] for one in (matrix, bias, vectors)] == [0.01, 0.0, 0.0]
    assert [one.get("lr_scale", 1.0) for one in (matrix, bias, vectors)] == [0.1, 0.1, 1.0]


@pytest.mark.parametrize(
    "call",
    [
        *("adapter:parallel", "adapter:experts=0", "lora:0", "lora:alpha=0", "prefix:0"),
        *("prompt:many", "lora:lr=inf", "lora:alpha=inf", "full:decay=inf", "full:lm=nan"),
    ],
)
def test_bad_options(call: str) -> None:
    with pytest.raises(InputError, match="option"):
        parse_options(parse_regime(call))
