"""Where the folders that people edit are: in a checkout, and in the installed wheel."""

from __future__ import annotations

from pathlib import Path

from benchsuite.errors import InputError

PACKAGE = Path(__file__).resolve().parent


def _bundled(name: str) -> Path:
    """The folder `name` of package data, or beside the package in a checkout."""
    for folder in (PACKAGE / "_data" / name, PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise InputError(f"the bundled folder `{name}` is missing; install benchsuite again")


def tasks_root() -> Path:
    """Folder of the bundled tasks."""
    return _bundled("tasks")


def baselines_root() -> Path:
    """Folder of the bundled checkpoints, recipes and published figures."""
    return _bundled("baselines")
