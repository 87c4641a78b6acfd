"""How training goes: the options that all trained regimes have."""

from __future__ import annotations

import functools
import time
from typing import Annotated, Literal

from pydantic import Field

from benchsuite.provenance import processor
from benchsuite.regimes.base import Options

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["auto", "float32", "bfloat16"]

STEPS = 600
"""Optimizer steps below which the loss of small models has often not settled (Mosbach et al. 2021
train 20 epochs on a few thousand examples)."""
FEWEST_EPOCHS, MOST_EPOCHS = 3, 20
FASTER = 1.2
"""How much faster a bfloat16 product must be to pay for autocast's conversions."""
WORTHWHILE = 128
"""Tokens a step from which autocast pays for its conversions (measured: docs/performance.md)."""


class TrainingOptions(Options):
    """Options of every regime that is trained by gradient descent."""

    lr: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="peak learning rate; none: the regime's own for the family"
    )
    epochs: Positive | None = Field(
        default=None,
        description=f"none: as many as {STEPS} steps need, from {FEWEST_EPOCHS} to {MOST_EPOCHS}",
    )
    batch: Positive = Field(default=16, description="examples a step")
    warmup: Share = Field(default=0.1, description="share of the steps in which the rate rises")
    decay: Annotated[float, Field(ge=0)] = Field(default=0.01, description="weight decay (AdamW)")
    patience: Positive = Field(
        default=5, description="epochs without a better one on the selection slice, then it stops"
    )
    keep: Literal["best", "last"] = Field(
        default="best", description="the epoch best on the selection slice, or the last one"
    )
    pooling: Literal["first", "last", "mean"] | None = Field(
        default=None,
        description="state of the sequence that the head reads; none: the mean of an encoder's, a "
        "decoder's last, an encoder-decoder's decoder's first",
    )
    # A key without it is that of before there was a choice.
    orders: Literal["one", "both"] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="pairs of which neither text comes first (MRPC, STS-B): read in their one "
        "order, or in both and the states added; none: a decoder both, others one",
    )
    precision: Precision = Field(
        default="auto",
        description="of the passes in training; auto: bfloat16 where the machine is faster in "
        f"it and a step has {WORTHWHILE} tokens; weights stay float32",
    )
    head: Literal["linear", "text"] = Field(
        default="linear",
        description="a linear layer on that state; encoder-decoders: or none, the answer is "
        "written as text (Raffel et al. 2020)",
    )


@functools.cache
def has_bfloat16(device: str) -> bool:
    """Whether a device multiplies bfloat16 faster than float32.

    That a processor names the instructions does not say it: AMD's AVX-512 BF16 doubles the rate,
    Intel's without AMX (a virtual machine may hide it) halves it.
    """
    if device == "cuda":
        import torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not any(name.endswith("bf16") for name in processor()[1]):
        return False
    return _gain() >= FASTER


def _gain() -> float:
    """Seconds of a float32 product of usual shapes by those of bfloat16, the least of some each.

    Of one thread's time on the processor, which other work on the machine leaves as it is: the
    answer goes into keys.
    """
    import torch

    rows, weights = torch.zeros(512, 256), torch.zeros(1024, 256)
    pairs = {kind: (rows.to(kind), weights.to(kind)) for kind in (torch.float32, torch.bfloat16)}
    spent: dict[torch.dtype, list[float]] = {kind: [] for kind in pairs}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(8):
        for kind, (a, b) in pairs.items():
            began = time.thread_time()
            torch.nn.functional.linear(a, b)
            spent[kind].append(time.thread_time() - began)
    torch.set_num_threads(threads)
    return min(spent[torch.float32]) / min(spent[torch.bfloat16])


def pass_precision(choice: Precision, dtype: str, device: str, tokens: float) -> str:
    """The precision of passes with so many tokens a step; the cell's own if lower."""
    if dtype != "float32":
        return dtype
    if choice != "auto":
        return choice
    return "bfloat16" if tokens >= WORTHWHILE and has_bfloat16(device) else "float32"


def precision_facts(choice: Precision, dtype: str, device: str) -> dict[str, bool]:
    """For the key: whether `auto` can mean bfloat16 here, where the machine has a say."""
    asked = choice == "auto" and dtype == "float32"
    return {"bfloat16": has_bfloat16(device)} if asked else {}


def number_of_epochs(options: TrainingOptions, items: int) -> int:
    """Epochs over so many items."""
    if options.epochs is not None:
        return options.epochs
    steps = max(1, -(-items // options.batch))
    return min(max(-(-STEPS // steps), FEWEST_EPOCHS), MOST_EPOCHS)
