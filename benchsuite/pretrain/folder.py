"""The folder that `--out` names: made where it is missing, held by one process at a time."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from benchsuite.errors import InputError


def make_folder(out: Path) -> None:
    """Make a folder to write to. Raises InputError where nothing can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {out}: {error.strerror}; give another --out") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise InputError(f"{out} cannot be written to; give another --out")


@contextlib.contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Raises InputError where another process works in the folder; its lock dies with it."""
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"another process trains in {out}; wait for it, or give another --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def clear(out: Path) -> None:
    """Remove what an earlier run left, whose checkpoint is gone: its steps would pass for this
    one's. The model stays until there is another."""
    for pattern in ("step-[0-9]*", ".step-*.tmp", ".model.tmp"):
        for folder in out.glob(pattern):
            if folder.is_dir():
                shutil.rmtree(folder)
    for name in ("before_decay.pt", "log.jsonl"):
        (out / name).unlink(missing_ok=True)
