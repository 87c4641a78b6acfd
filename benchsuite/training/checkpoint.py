"""Where a training run stands, on disk: written in one piece, read back or left aside."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import torch

from benchsuite.files import write_atomically

FILE = "training.pt"
INTERVAL = 120.0
"""Seconds between two checkpoints: what a killed run repeats at most."""


def save(scratch: Path, content: dict[str, Any]) -> None:
    """Replace the checkpoint in a cell's folder; a warning where it cannot be written.

    Training needs none: that a killed run would begin earlier is no reason to end this one.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    # torch.load does not notice each changed byte.
    digest = hashlib.sha256(buffer.getbuffer()).digest()

    def write(file: BinaryIO) -> None:
        file.write(digest)
        file.write(buffer.getbuffer())

    try:
        scratch.mkdir(parents=True, exist_ok=True)
        write_atomically(scratch / FILE, write)
    except OSError as error:
        warnings.warn(
            f"no checkpoint in {scratch} ({error.strerror}); training goes on", stacklevel=2
        )


def load(scratch: Path, run: str) -> dict[str, Any] | None:
    """The checkpoint of this run (see `save`), None where there is none that can be read.

    run: what the content's `run` must be; one of other settings or data is left aside.
    """
    try:
        stored = (scratch / FILE).read_bytes()
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    if hashlib.sha256(stored[size:]).digest() != stored[:size]:
        return None
    content: dict[str, Any] = torch.load(
        io.BytesIO(stored[size:]), map_location="cpu", weights_only=True
    )
    return content if content.get("run") == run else None


def remove(scratch: Path) -> None:
    """Forget a run that is finished, and what a process left that was killed while it wrote."""
    for path in (scratch / FILE, *scratch.glob(f".{FILE}.*.tmp")):
        path.unlink(missing_ok=True)
