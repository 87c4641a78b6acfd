"""Which optimizer gets which parameter, and the shape of the schedule."""

import math

import pytest
import torch

from benchsuite.pretrain.model import build_model
from benchsuite.pretrain.optim import make_optimizers, rate_factor, set_rates, split_parameters
from benchsuite.pretrain.recipe import Architecture, Optimizer, Schedule

MODEL = build_model(
    Architecture(type="gpt2", hidden_size=16, layers=2, heads=2, positions=8), 50, 0
)


def test_muon_gets_the_blocks_matrices_and_nothing_else() -> None:
    matrices, rest = split_parameters(MODEL.named_parameters())
    expected = {
        f"transformer.h.{layer}.{name}.weight"
        for layer in (0, 1)
        for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }
    assert {name for name, _ in matrices} == expected
    assert len(matrices) + len(rest) == len(list(MODEL.parameters()))
    assert {"transformer.wte.weight", "transformer.wpe.weight"} <= {name for name, _ in rest}


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_every_parameter_has_one_optimizer(name: str) -> None:
    settings = Optimizer(name=name, lr=0.02, adamw_lr=0.003 if name == "muon" else None)
    optimizers = make_optimizers(MODEL, settings)
    assert [type(o).__name__ for o in optimizers] == (
        ["Muon", "AdamW"] if name == "muon" else ["AdamW"]
    )
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


def test_cosine_equals_torch() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1)
    for step in range(51):
        mine = rate_factor(step / 50, Schedule(warmup=0, floor=0.1))
        assert math.isclose(mine, peer.get_last_lr()[0], abs_tol=1e-9)
        optimizer.step()
        peer.step()
