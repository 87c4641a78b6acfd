"""Made records of checkpoints, as execute writes them."""

from __future__ import annotations

from typing import Any

from benchsuite.cells import digest
from benchsuite.records import Record
from tests.made import made_record

FAMILIES = {"gpt": "decoder", "bert": "encoder", "t5": "encoder-decoder"}


def scored(
    model: str,
    value: float | None = 0.6,
    tokens: int | None = None,
    flops: float | None = None,
    task: str = "blimp",
    recipe: str = "r",
    weights: str = "",
    **conditions: Any,
) -> Record:
    """A zero-shot record of a checkpoint; tokens None: it does not say how far it was trained."""
    record = made_record(model=model, task=task, value=value)
    series = model.partition("@")[0].removesuffix(":untrained")
    parts = {
        "weights": weights or model,
        "task": task,
        "data": {"validation": "d" * 64},
        "prompts": "p" * 64,
        "dtype": "float32",
        "device": "cpu",
        **conditions,
    }
    record.cell |= {
        "family": FAMILIES.get(series, "decoder"),
        "regime_name": record.cell["regime"],
        "key_parts": parts,
        "key": digest({"parts": parts}),
    }
    record.provenance["pretraining"] = (
        None
        if tokens is None
        else {"step": 1, "tokens": tokens, "flops": flops, "recipe": recipe + series}
    )
    return record
