"""Writing: a file is there whole or not at all, and what cannot be written is an OSError."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` on a temporary file beside `path`, fsync it, and rename it to `path`."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp's own mode is for the owner alone
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def as_os_error(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Raise what a library raises where it cannot write (a full disk) as the OSError it was."""
    try:
        yield
    except OSError:
        raise
    except errors as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
