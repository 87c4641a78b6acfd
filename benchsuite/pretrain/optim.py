"""Optimizers, the split of parameters between them, and the learning-rate schedule."""

import math
from collections.abc import Iterable

import torch

from benchsuite.pretrain.recipe import Optimizer, Schedule

Named = list[tuple[str, torch.nn.Parameter]]


def split_parameters(named: Iterable[tuple[str, torch.nn.Parameter]]) -> tuple[Named, Named]:
    """(matrices, rest): Muon's matrices are the blocks' 2-D weights, not embedding tables.

    Muon (Jordan et al. 2024) orthogonalizes updates of linear maps; rows of an embedding table
    are looked up one by one and gain nothing from it.
    """
    matrices: Named = []
    rest: Named = []
    for name, parameter in named:
        embedding = name.endswith(("wte.weight", "wpe.weight", "lm_head.weight"))
        (matrices if parameter.ndim == 2 and not embedding else rest).append((name, parameter))
    return matrices, rest


def make_optimizers(model: torch.nn.Module, settings: Optimizer) -> list[torch.optim.Optimizer]:
    """The optimizers of a recipe, each group with its peak rate in `initial_lr`.

    Weight decay is for matrices and embeddings, not for biases and norms.
    """
    matrices, rest = split_parameters(model.named_parameters())
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
    decayed = [parameter for _, parameter in rest if parameter.ndim >= 2]
    plain = [parameter for _, parameter in rest if parameter.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimizers.append(torch.optim.AdamW(groups, lr=rate, betas=settings.betas))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def rate_factor(progress: float, schedule: Schedule) -> float:
    """Learning rate as a share of the peak, at `progress` in [0, 1] of the budget."""
    if progress < schedule.warmup:
        return progress / schedule.warmup
    cosine = (progress - schedule.warmup) / (1 - schedule.warmup)
    return schedule.floor + (1 - schedule.floor) * 0.5 * (1 + math.cos(math.pi * min(cosine, 1.0)))


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's rate to `factor` times its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
