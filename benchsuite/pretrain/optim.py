"""Optimizers, the split of parameters between them, and the learning-rate schedule."""

import math
from typing import Any

import torch

from benchsuite.pretrain.recipe import Optimizer, Schedule

# Relative position biases are added to attention scores: they must come to several units to
# matter, where entries of other tables come to tenths. At the tables' rate those of `t5` stayed
# within 0.3 for 500 steps; at this one its decoder's reach 8.
SCORE_BIAS_FACTOR = 10.0

Named = list[tuple[str, torch.nn.Parameter]]


def split_parameters(model: torch.nn.Module) -> tuple[Named, Named]:
    """(matrices, rest): Muon's matrices are the blocks' 2-D weights, not embedding tables.

    Muon (Jordan et al. 2024) orthogonalizes updates of linear maps; rows of an embedding table
    (tied output layers and relative position biases included) are looked up one by one and gain
    nothing from it.
    """
    tables = {
        id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)
    }
    matrices: Named = []
    rest: Named = []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim == 2 and id(parameter) not in tables
        (matrices if matrix else rest).append((name, parameter))
    return matrices, rest


def make_optimizers(model: torch.nn.Module, settings: Optimizer) -> list[torch.optim.Optimizer]:
    """The optimizers of a recipe, each group with its peak rate in `initial_lr`.

    Weight decay is for matrices and embeddings, not for biases and norms; relative position biases
    have ten times the rate.
    """
    matrices, rest = split_parameters(model)
    optimizers: list[torch.optim.Optimizer] = []
    rate = settings.lr
    if settings.name == "muon" and settings.adamw_lr is not None:
        optimizers.append(
            torch.optim.Muon(
                [parameter for _, parameter in matrices],
                lr=settings.lr,
                weight_decay=settings.weight_decay,
            )
        )
        rate = settings.adamw_lr
    else:
        rest = matrices + rest
    biases = [p for name, p in rest if name.endswith("relative_attention_bias.weight")]
    taken = {id(parameter) for parameter in biases}
    decayed = [p for _, p in rest if p.ndim >= 2 and id(p) not in taken]
    plain = [p for _, p in rest if p.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    if biases:
        groups.append({"params": biases, "weight_decay": 0.0, "lr": SCORE_BIAS_FACTOR * rate})
    if settings.name == "adafactor":
        optimizers.append(torch.optim.Adafactor(groups, lr=rate))
    else:
        optimizers.append(torch.optim.AdamW(groups, lr=rate, betas=settings.betas))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def rate_factor(progress: float, schedule: Schedule) -> float:
    """Learning rate as a share of the peak, at `progress` in [0, 1] of the budget."""
    if progress < schedule.warmup:
        return progress / schedule.warmup
    start = schedule.warmup if schedule.decay is None else 1 - schedule.decay
    done = min(max((progress - start) / (1 - start), 0.0), 1.0)
    left = 1 - done if schedule.shape == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return schedule.floor + (1 - schedule.floor) * left


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's rate to `factor` times its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
