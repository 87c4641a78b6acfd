"""All of these tests train tiny networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.models.registry import Model, load_model


@pytest.fixture(autouse=True)
def on_one_thread(one_thread: None) -> None:
    """One thread for each test."""


@pytest.fixture(scope="module")
def model(tiny_bert_folder: Path) -> Model:
    return load_model(str(tiny_bert_folder))
