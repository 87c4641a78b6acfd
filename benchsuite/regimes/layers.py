"""Layers of a model by number: 0 the token embeddings, n the n-th block, negative from the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchsuite.errors import InputError
from benchsuite.models.registry import number_of_layers
from benchsuite.regimes.base import read_options

if TYPE_CHECKING:
    from benchsuite.cells import RegimeCall
    from benchsuite.models.registry import ModelRef
    from benchsuite.regimes.base import Regime

Layer = int | Literal["first-last"]


def resolve_layer(layer: Layer, blocks: int, regime: str, model: str) -> Layer:
    """The layer counted from below, of a model of so many blocks; `first-last` as it is.

    Raises InputError, naming regime and model, where the model has no such layer.
    """
    if layer == "first-last":
        return layer
    if not -blocks - 1 <= layer <= blocks:
        raise InputError(
            f"regime '{regime}': layer={layer}: {model} has {blocks} layers; "
            f"write 0 (the embeddings) to {blocks}, or -1 (the last) to {-blocks - 1}"
        )
    return layer if layer >= 0 else blocks + 1 + layer


def check_layer(regime: Regime, call: RegimeCall, ref: ModelRef) -> None:
    """Raise InputError where the model's configuration says that it has not the layer asked for."""
    blocks = number_of_layers(ref)
    if blocks is not None:
        layer = read_options(regime, call).model_dump()["layer"]
        resolve_layer(layer, blocks, regime.name, ref.name)
