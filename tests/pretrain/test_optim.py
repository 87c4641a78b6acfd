"""Which optimizer gets which parameter, and the shape of the schedule."""

import math

import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from benchsuite.pretrain.model import build_model
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.optim import make_optimizers, rate_factor, set_rates, split_parameters
from benchsuite.pretrain.recipe import Architecture, Optimizer, Schedule
from benchsuite.pretrain.tokenizer import train_bpe, wrap

VOCABULARY = Vocabulary.of(wrap(train_bpe(["a cat, a hat"], 300)))


def tiny(kind: str) -> torch.nn.Module:
    return build_model(
        Architecture(type=kind, hidden_size=16, layers=2, heads=2, positions=8), VOCABULARY
    )


MODEL = tiny("gpt2")
# by hand, from the architectures' papers: a block's linear maps
MATRICES = {
    "gpt2": {
        f"transformer.h.{layer}.{name}.weight"
        for layer in (0, 1)
        for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    },
    "bert": {
        f"bert.encoder.layer.{layer}.{name}.weight"
        for layer in (0, 1)
        for name in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
        )
    }
    | {"cls.predictions.transform.dense.weight"},
    "t5": {
        f"{stack}.block.{layer}.layer.{name}.weight"
        for layer in (0, 1)
        for stack, attention, last in (
            ("encoder", [(0, "SelfAttention")], 1),
            ("decoder", [(0, "SelfAttention"), (1, "EncDecAttention")], 2),
        )
        for name in [f"{i}.{a}.{part}" for i, a in attention for part in "qkvo"]
        + [f"{last}.DenseReluDense.wi", f"{last}.DenseReluDense.wo"]
    },
}
TABLES = {
    "gpt2": {"transformer.wte.weight", "transformer.wpe.weight"},
    "bert": {f"bert.embeddings.{n}_embeddings.weight" for n in ("word", "position", "token_type")},
    "t5": {"shared.weight"}
    | {
        f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        for stack in ("encoder", "decoder")
    },
}


@pytest.mark.parametrize("kind", ["gpt2", "bert", "t5"])
def test_muon_gets_the_blocks_matrices_and_nothing_else(kind: str) -> None:
    model = tiny(kind)
    matrices, rest = split_parameters(model)
    assert {name for name, _ in matrices} == MATRICES[kind]
    assert {name for name, parameter in rest if parameter.ndim > 1} == TABLES[kind]
    assert len(matrices) + len(rest) == len(list(model.parameters()))


@pytest.mark.parametrize("name", ["muon", "adamw", "adafactor"])
def test_every_parameter_has_one_optimizer(name: str) -> None:
    settings = Optimizer(name=name, lr=0.02, adamw_lr=0.003 if name == "muon" else None)
    optimizers = make_optimizers(MODEL, settings)
    kinds = {"muon": ["Muon", "AdamW"], "adamw": ["AdamW"], "adafactor": ["Adafactor"]}
    assert [type(o).__name__ for o in optimizers] == kinds[name]
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in MODEL.parameters())
    for group in groups:
        flat = any(parameter.ndim < 2 for parameter in group["params"])
        assert group["weight_decay"] == (0 if flat else 0.1)
    assert groups[0]["lr"] == 0.02
    assert groups[-1]["lr"] == (0.003 if name == "muon" else 0.02)
    set_rates(optimizers, 0.5)
    assert [group["lr"] for group in groups] == [group["initial_lr"] / 2 for group in groups]


def test_score_biases_move_ten_times_as_fast() -> None:
    model = tiny("t5")
    *_, group = make_optimizers(model, Optimizer(name="muon", lr=0.02, adamw_lr=0.003))[
        1
    ].param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    held = {names[id(parameter)] for parameter in group["params"]}
    assert held == TABLES["t5"] - {"shared.weight"}
    assert group["initial_lr"] == pytest.approx(0.03)
    assert group["weight_decay"] == 0


def test_schedule_shape() -> None:
    schedule = Schedule(warmup=0.1, floor=0.02)
    assert rate_factor(0.0, schedule) == 0
    assert rate_factor(0.05, schedule) == pytest.approx(0.5)
    assert rate_factor(0.1, schedule) == pytest.approx(1)
    assert rate_factor(0.55, schedule) == pytest.approx((1 + 0.02) / 2)
    assert rate_factor(1.0, schedule) == pytest.approx(0.02)
    assert rate_factor(1.3, schedule) == pytest.approx(0.02)
    after = [rate_factor(0.1 + 0.009 * i, schedule) for i in range(101)]
    assert after == sorted(after, reverse=True)
    assert rate_factor(0.0, Schedule(warmup=0)) == 1


def test_the_rate_is_the_peaks_until_it_decays() -> None:
    schedule = Schedule(shape="linear", warmup=0.1, decay=0.4, floor=0.1)
    assert [rate_factor(at, schedule) for at in (0.05, 0.1, 0.35, 0.6)] == [0.5, 1, 1, 1]
    assert [rate_factor(at, schedule) for at in (0.8, 1.0, 1.2)] == pytest.approx([0.55, 0.1, 0.1])


def test_linear_equals_transformers() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    peer = get_linear_schedule_with_warmup(optimizer, 5, 50)
    for step in range(51):
        mine = rate_factor(step / 50, Schedule(shape="linear", warmup=0.1))
        assert math.isclose(mine, peer.get_last_lr()[0], abs_tol=1e-9)
        optimizer.step()
        peer.step()


def test_cosine_equals_torch() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1)
    for step in range(51):
        mine = rate_factor(step / 50, Schedule(warmup=0, floor=0.1))
        assert math.isclose(mine, peer.get_last_lr()[0], abs_tol=1e-9)
        optimizer.step()
        peer.step()
