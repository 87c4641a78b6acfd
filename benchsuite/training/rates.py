"""Learning rates for regimes whose own vectors want a far higher one than a head can bear."""

from __future__ import annotations

from typing import Any

from benchsuite.training.model import TaskModel

HEAD_SHARE = 0.1
"""Of the rate of the vectors."""


def vector_groups(model: TaskModel, decay: float) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: the head, if there is one, then what else is trained.

    The head learns at HEAD_SHARE of the rate, for a state has far larger numbers than an
    embedding or a factor; its matrix alone decays.
    """
    groups: list[dict[str, Any]] = []
    if model.head is not None:
        groups = [
            {"params": [model.head.weight], "weight_decay": decay, "lr_scale": HEAD_SHARE},
            {"params": [model.head.bias], "weight_decay": 0.0, "lr_scale": HEAD_SHARE},
        ]
    head = {parameter for group in groups for parameter in group["params"]}
    vectors = [p for p in model.parameters() if p.requires_grad and p not in head]
    return [*groups, {"params": vectors, "weight_decay": 0.0}]
