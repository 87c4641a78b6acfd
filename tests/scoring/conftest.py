"""A tiny decoder, and the ways in which an engine may share work."""

import pytest

from benchsuite.models.registry import Model, load_model
from benchsuite.scoring.passes import Passes


@pytest.fixture(scope="module")
def model(tiny_gpt2_folder) -> Model:
    return load_model(str(tiny_gpt2_folder))


@pytest.fixture(params=["packed", "cached", "plain"])
def way(request, monkeypatch) -> str:
    """What the engine may do: pack lines, share keys and values only, or neither."""
    if request.param != "packed":
        monkeypatch.setattr(Passes, "_packs", lambda *given: False)
    if request.param == "plain":
        monkeypatch.setattr(Passes, "_shares", lambda *given: False)
    return request.param
