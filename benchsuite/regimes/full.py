"""Full finetuning: every weight of the backbone and a head.

Sources: Devlin et al. 2019 (BERT, section 4); Radford et al. 2018 (GPT: the auxiliary language
model objective, section 3.2); Howard and Ruder 2018 (ULMFiT: rates that fall from layer to layer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchsuite.regimes.base import Options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import TrainingOptions

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class Full(TrainedRegime):
    """Trains everything."""

    name: ClassVar[str] = "full"
    summary: ClassVar[str] = "full finetuning"
    trains: ClassVar[str] = "every weight, and a head"
    source: ClassVar[str] = "Devlin et al. 2019; Radford et al. 2018"
    options: ClassVar[type[Options]] = TrainingOptions
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-4,
        "decoder": 3e-4,
        "encoder-decoder": 1e-3,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Ask for the gradients of all that the task uses."""
        model.backbone.requires_grad_(True)
