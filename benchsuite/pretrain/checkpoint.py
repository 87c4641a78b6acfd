"""The checkpoint of a run: one file, replaced at once, refused where it is damaged."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from benchsuite.errors import InputError
from benchsuite.files import write_atomically

KEYS = {"recipe", "budget", "shards", "state", "model", "optimizers", "generator"}


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace the checkpoint. Raises OSError where the disk does not hold it."""
    # by way of memory: torch tells of a full disk with an error of its own
    file = io.BytesIO()
    torch.save(content, file)
    write_atomically(path, lambda target: target.write(file.getbuffer()))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `write_checkpoint` wrote. Raises InputError for damage, of a single bit even."""
    # read first, so that an OSError is one of reading and all others mean damage
    file = io.BytesIO(path.read_bytes())
    try:
        # torch compares no checksums
        whole = zipfile.ZipFile(file).testzip() is None
        file.seek(0)
        content = torch.load(file, map_location="cpu", weights_only=True) if whole else None
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
        content = None
    if not isinstance(content, dict) or not content.keys() >= KEYS:
        raise InputError(
            f"{path} is damaged; delete it to start the run again, or give another --out"
        )
    return content
