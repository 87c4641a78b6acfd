"""How fast this machine multiplies matrices, and what else it is doing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

SECONDS = 0.5
# Names of what is looked up rather than multiplied with.
TABLES = ("wte", "wpe", "shared", "embeddings", "relative_attention_bias")


def multiplication_rate(network: Any, tokens: int) -> float:
    """FLOP/s of matrix products alone at a network's own shapes, `tokens` rows at a time.

    The products are those of its linear layers with distinct shapes, each in its share of the
    whole, with weights that are not in a cache because the others came in between.
    """
    weights = [
        parameter.detach().reshape(parameter.shape[0], -1)
        for name, parameter in network.named_parameters()
        if parameter.ndim == 2 and not any(table in name for table in TABLES)
    ]
    # Conv1D keeps (in, out), Linear (out, in): either way both sizes are the weight's own.
    inputs = [torch.randn(tokens, weight.shape[0], dtype=weight.dtype) for weight in weights]
    flops = 2 * tokens * sum(weight.numel() for weight in weights)

    def products() -> None:
        for value, weight in zip(inputs, weights, strict=True):
            torch.mm(value, weight)

    products()
    runs, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < SECONDS:
        products()
        runs += 1
    return runs * flops / passed


def counted_flops(work: Callable[[], object]) -> int:
    """FLOPs of the matrix products of some work; fused attention on a CPU is not counted."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def bfloat16_instructions() -> str:
    """The best instructions for bfloat16 products that this processor says it has."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.is_file() else []
    return next((name for name in ("amx_bf16", "avx512_bf16") if name in flags), "none")


def load() -> float:
    """Load average of the last minute; 0 is an idle machine."""
    return round(os.getloadavg()[0], 2)
