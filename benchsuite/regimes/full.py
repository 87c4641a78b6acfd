"""Full finetuning: every weight of the backbone and a head.

Sources: Devlin et al. 2019 (BERT, section 4); Howard and Ruder 2018 (ULMFiT, section 3.2: rates
that fall from layer to layer); Radford et al. 2018 (GPT, section 3.2: language modelling beside
the task, which helps on larger sets).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from benchsuite.errors import InputError
from benchsuite.regimes.base import Options, read_options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import TrainingOptions

if TYPE_CHECKING:
    from benchsuite.cells import RegimeCall
    from benchsuite.models.registry import ModelRef
    from benchsuite.training.backbone import Backbone
    from benchsuite.training.model import TaskModel


class FullOptions(TrainingOptions):
    """Options of `full`."""

    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="each block's learning rate as a share of that of the block above it; the "
        "embeddings count as the lowest",
    )
    lm: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="decoders: weight of the language-model loss on the task's texts (GPT: 0.5)",
    )


class Full(TrainedRegime):
    """Trains everything that the task uses."""

    name: ClassVar[str] = "full"
    summary: ClassVar[str] = "full finetuning"
    trains: ClassVar[str] = "every weight, and a head"
    source: ClassVar[str] = "Devlin et al. 2019; Howard and Ruder 2018; Radford et al. 2018"
    options: ClassVar[type[Options]] = FullOptions
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-4,
        "decoder": 3e-4,
        "encoder-decoder": 3e-4,
    }

    def check_model(self, call: RegimeCall, ref: ModelRef) -> None:
        """Raise InputError where a language-model loss is asked of another than a decoder."""
        super().check_model(call, ref)
        if read_options(self, call).model_dump()["lm"] and ref.family != "decoder":
            raise InputError(f"regime 'full': lm: {ref.name} is no decoder; leave it out")

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Ask for the gradients of all that the task uses."""
        model.backbone.requires_grad_(True)
        model.lm_weight = options.lm

    def groups(self, model: TaskModel, options: Any) -> list[dict[str, Any]]:
        """The usual groups; where rates fall with depth, one a depth of each."""
        groups = super().groups(model, options)
        if options.layer_decay == 1:
            return groups
        below = _blocks_above(model.backbone)
        found = []
        for group in groups:
            for depth in sorted({below.get(id(p), 0) for p in group["params"]}):
                params = [p for p in group["params"] if below.get(id(p), 0) == depth]
                found.append({**group, "params": params, "lr_scale": options.layer_decay**depth})
        return found


def _blocks_above(backbone: Backbone) -> dict[int, int]:
    """Id of each parameter of the backbone -> blocks above it; norms above all blocks have 0.

    Embeddings and their norm (what stands before a stack's blocks, or is called so: BART's norm
    stands behind them) lie below the blocks of all stacks, a stack's final norm below the next
    stack's.
    """
    from benchsuite.training.backbone import block_list

    blocks = backbone.blocks()
    found = {id(p): len(blocks) - 1 - n for n, b in enumerate(blocks) for p in b.parameters()}
    inside = set(found)
    above = len(blocks)
    for stack in backbone.stacks():
        above -= len(block_list(stack)[1])
        after = False
        for name, parameter in stack.named_parameters():
            after = after or id(parameter) in inside
            embeds = not after or "embed" in name
            found.setdefault(id(parameter), len(blocks) if embeds else above)
    return found
