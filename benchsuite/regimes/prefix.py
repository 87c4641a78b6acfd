"""Prefix tuning: learned keys and values in every attention, and a head.

Sources: Li and Liang 2021, "Prefix-Tuning: Optimizing Continuous Prompts for Generation"; Liu et
al. 2022, "P-Tuning v2" (the same for understanding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from benchsuite.regimes.base import Options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import Positive, TrainingOptions

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class PrefixOptions(TrainingOptions):
    """Options of `prefix`."""

    tokens: Positive = Field(default=16, description="virtual tokens, in every attention")


class PrefixTuning(TrainedRegime):
    """Trains keys and values that stand before the text's; they begin as those of real tokens.

    peft's for encoders and decoders, where the text's positions move by the number of virtual
    tokens; for encoder-decoders ours, where they stay: in every attention of the encoder and, where
    the task uses it, of the decoder, that to the encoder included.
    """

    name: ClassVar[str] = "prefix"
    summary: ClassVar[str] = "learned keys and values before the text's"
    trains: ClassVar[str] = "a prefix an attention, and a head"
    source: ClassVar[str] = "Li and Liang 2021"
    options: ClassVar[type[Options]] = PrefixOptions
    positional: ClassVar[str | None] = "tokens"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-2,
        "decoder": 3e-2,
        "encoder-decoder": 3e-2,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Add the prefixes; raises NotApplicable where the attention cannot take them."""
        from benchsuite.training.prefixes import add_prefixes, wrap_body

        add = add_prefixes if model.backbone.family == "encoder-decoder" else wrap_body
        add(model.backbone, options.tokens)

    def groups(self, model: TaskModel, options: Any) -> list[dict[str, Any]]:
        """The head at a lower rate; virtual tokens do not decay."""
        from benchsuite.training.rates import vector_groups

        return vector_groups(model, options.decay)

    def reserved(self, options: Any) -> int:
        """The virtual tokens, of every family: so that all of them read the same text."""
        tokens: int = options.tokens
        return tokens
