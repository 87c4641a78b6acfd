"""Adapters: bottleneck networks between the frozen layers, and a head.

Sources: Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP"; Pfeiffer et al. 2021,
"AdapterFusion" (one a block, after the feed-forward network); Wang et al. 2022, "AdaMix" (several
adapters at each place, averaged in the end; their consistency loss between two passes is left out).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from benchsuite.regimes.base import Options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import Positive, TrainingOptions

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class AdapterOptions(TrainingOptions):
    """Options of `adapter`."""

    placement: Literal["houlsby", "pfeiffer"] = Field(
        default="houlsby",
        description="houlsby: after every attention and feed-forward network, and the layer "
        "normalizations are trained too; pfeiffer: after feed-forward networks only",
    )
    size: Positive = Field(default=64, description="width of the bottleneck")
    experts: Positive = Field(
        default=1, description="adapters at each place, one of them a pass at random (AdaMix)"
    )


class Adapter(TrainedRegime):
    """Trains adapters in every block of the backbone; before training they change nothing.

    Houlsby et al. train the layer normalizations as well, Pfeiffer et al. nothing of the backbone.
    A decoder block that attends to an encoder gets, under houlsby, an adapter after that attention
    too. All experts are trained and counted; the model that answers has their mean, one adapter a
    place.
    """

    name: ClassVar[str] = "adapter"
    summary: ClassVar[str] = "bottleneck adapters; AdaMix with experts > 1"
    trains: ClassVar[str] = "adapters (houlsby: layer normalizations, too), and a head"
    source: ClassVar[str] = "Houlsby et al. 2019; Pfeiffer et al. 2021; Wang et al. 2022"
    options: ClassVar[type[Options]] = AdapterOptions
    positional: ClassVar[str | None] = "placement"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-3,
        "decoder": 9e-4,
        "encoder-decoder": 9e-4,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Add the adapters; raises NotApplicable where the blocks are of an unknown sort."""
        from benchsuite.training.adapters import add_adapters, norms

        houlsby = options.placement == "houlsby"
        add_adapters(model.backbone, options.size, options.experts, after_attention=houlsby)
        for norm in norms(model.backbone) if houlsby else ():
            norm.requires_grad_(True)

    def finish(self, model: TaskModel) -> None:
        """Average the experts of each place into one adapter."""
        from benchsuite.training.adapters import Bottleneck

        for module in model.modules():
            if isinstance(module, Bottleneck):
                module.average()
