"""Where a training run stands, on disk: written in one piece, read back or left aside."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from benchsuite.files import write_atomically

FILE = "training.pt"
# What torch.load raises where there is no file, or a torn one: the run begins anew.
DAMAGE = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError)
INTERVAL = 120.0
"""Seconds between two checkpoints: what a killed run repeats at most."""


def save(scratch: Path, content: dict[str, Any]) -> None:
    """Replace the checkpoint in a cell's folder."""
    scratch.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(scratch / FILE, lambda file: file.write(buffer.getbuffer()))


def load(scratch: Path, run: str) -> dict[str, Any] | None:
    """The checkpoint of this run (see `save`), None where there is none that can be read.

    run: what the content's `run` must be; one of other settings or data is left aside.
    """
    try:
        content: dict[str, Any] = torch.load(scratch / FILE, map_location="cpu", weights_only=True)
    except DAMAGE:
        return None
    return content if content.get("run") == run else None


def remove(scratch: Path) -> None:
    """Forget a run that is finished."""
    (scratch / FILE).unlink(missing_ok=True)
