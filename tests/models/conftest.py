"""A checkpoint that may be broken, and refusals in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.errors import InputError
from benchsuite.models.registry import load_model, resolve_model


@pytest.fixture
def folder(tiny_gpt2_folder, tmp_path) -> Path:
    """A copy of the tiny GPT-2 that a test may break."""
    return Path(shutil.copytree(tiny_gpt2_folder, tmp_path / "broken"))


def refused(name: str, *parts: str, by: Callable[[str], object] = load_model) -> None:
    """The name is refused in one line that holds all of parts."""
    with pytest.raises(InputError) as caught:
        by(name)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def unresolved(name: str, *parts: str) -> None:
    """The name is refused, in one line, before anything is loaded."""
    refused(name, *parts, by=resolve_model)
