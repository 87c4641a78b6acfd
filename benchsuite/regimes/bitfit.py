"""BitFit: the bias terms of the backbone and a head.

Source: Ben Zaken, Ravfogel and Goldberg 2022, "BitFit: Simple Parameter-efficient Fine-tuning for
Transformer-based Masked Language-models".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchsuite.errors import NotApplicable
from benchsuite.regimes.trained import TrainedRegime

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class BitFit(TrainedRegime):
    """Trains all bias terms, those of the layer normalizations included."""

    name: ClassVar[str] = "bitfit"
    summary: ClassVar[str] = "bias terms alone"
    trains: ClassVar[str] = "the backbone's bias terms, and a head"
    source: ClassVar[str] = "Ben Zaken et al. 2022"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-3,
        "decoder": 9e-3,
        "encoder-decoder": 3e-3,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Ask for the gradients of the bias terms.

        Raises NotApplicable where there is none: the head alone would be trained.
        """
        biases = [
            parameter
            for name, parameter in model.backbone.named_parameters()
            if name.rpartition(".")[2].endswith("bias")
        ]
        if not biases:
            body = type(model.backbone.body).__name__
            raise NotApplicable(f"{body} has no bias terms", "no bias terms")
        for parameter in biases:
            parameter.requires_grad_(True)
