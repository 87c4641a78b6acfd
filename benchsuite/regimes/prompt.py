"""Prompt tuning: learned embeddings before the text's, and a head.

Source: Lester, Al-Rfou and Constant 2021, "The Power of Scale for Parameter-Efficient Prompt
Tuning".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from benchsuite.regimes.base import Options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import Positive, TrainingOptions

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class PromptOptions(TrainingOptions):
    """Options of `prompt`."""

    tokens: Positive = Field(default=20, description="virtual tokens")


class PromptTuning(TrainedRegime):
    """Trains embeddings that begin as those of tokens drawn from the vocabulary.

    They stand before all of the row ([CLS] included); an encoder-decoder has them in its encoder.
    """

    name: ClassVar[str] = "prompt"
    summary: ClassVar[str] = "learned embeddings before the text's"
    trains: ClassVar[str] = "virtual tokens, and a head"
    source: ClassVar[str] = "Lester et al. 2021"
    options: ClassVar[type[Options]] = PromptOptions
    positional: ClassVar[str | None] = "tokens"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-2,
        "decoder": 3e-2,
        "encoder-decoder": 3e-2,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Put the virtual tokens before the body's."""
        from peft import PromptTuningConfig

        from benchsuite.training.virtual import VirtualTokens

        body = model.backbone.body
        config = PromptTuningConfig(
            task_type="FEATURE_EXTRACTION",
            num_virtual_tokens=options.tokens,
            prompt_tuning_init="SAMPLE_VOCAB",
            # Where an architecture's configuration has other names peft does not find them.
            token_dim=body.get_input_embeddings().embedding_dim,
            num_attention_heads=body.config.num_attention_heads,
        )
        model.backbone.body = VirtualTokens(body, config)

    def groups(self, model: TaskModel, options: Any) -> list[dict[str, Any]]:
        """The head at a lower rate; virtual tokens do not decay."""
        from benchsuite.training.rates import vector_groups

        return vector_groups(model, options.decay)

    def reserved(self, options: Any) -> int:
        """The virtual tokens."""
        tokens: int = options.tokens
        return tokens
