"""LoRA: low-rank changes of weight matrices and a head.

Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models"; `all-linear` as
Dettmers et al. 2023, "QLoRA".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from benchsuite.regimes.base import Options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import Positive, TrainingOptions

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class LoRAOptions(TrainingOptions):
    """Options of `lora`."""

    rank: Positive = Field(default=8, description="rank of each change")
    alpha: Annotated[float, Field(gt=0)] = Field(
        default=16.0, description="a change is multiplied by alpha / rank"
    )
    targets: Literal["attention", "all-linear"] = Field(
        default="attention",
        description="peft's default for the architecture (projections of the attention, mostly "
        "query and value), or every linear layer",
    )


class LoRA(TrainedRegime):
    """Trains B A of each target's W + alpha / rank * B A; B begins at zero.

    The changes are merged into the weights before the model answers.
    """

    name: ClassVar[str] = "lora"
    summary: ClassVar[str] = "low-rank changes of weights"
    trains: ClassVar[str] = "two thin matrices a target, and a head"
    source: ClassVar[str] = "Hu et al. 2022"
    options: ClassVar[type[Options]] = LoRAOptions
    positional: ClassVar[str | None] = "rank"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 9e-4,
        "decoder": 3e-3,
        "encoder-decoder": 9e-4,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Put in peft's layers; raises NotApplicable where it names no default targets."""
        from peft import LoraConfig
        from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

        from benchsuite.training.injected import check_targets, inject, is_transposed

        attention = options.targets == "attention"
        if attention:
            check_targets(model.backbone, KNOWN)
        inject(
            model.backbone,
            LoraConfig(
                r=options.rank,
                lora_alpha=options.alpha,
                target_modules=None if attention else options.targets,
                fan_in_fan_out=is_transposed(model.backbone),
            ),
        )

    def finish(self, model: TaskModel) -> None:
        """Merge."""
        from benchsuite.training.injected import merge

        merge(model.backbone)
