"""Frozen: embeddings and the lowest blocks stay as they are, the rest is trained.

Source: Lee, Tang and Lin 2019, "What Would Elsa Do? Freezing Layers During Transformer
Fine-Tuning" (a quarter of the layers trained comes close to all of them).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from benchsuite.cells import format_value
from benchsuite.errors import InputError
from benchsuite.models.checkpoint import read_config
from benchsuite.models.registry import number_of_layers
from benchsuite.regimes.base import Options, read_options
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.settings import TrainingOptions

if TYPE_CHECKING:
    from benchsuite.cells import Cell, RegimeCall
    from benchsuite.models.registry import Model, ModelRef
    from benchsuite.tasks.task import Task
    from benchsuite.training.frozen import StateCache
    from benchsuite.training.model import TaskModel
    from benchsuite.training.predictor import TrainedPredictor


class FrozenOptions(TrainingOptions):
    """Options of `frozen`."""

    k: int | float = Field(
        default=0.5,
        description="blocks that are frozen, the lowest first, an encoder's before its decoder's: "
        "a number of blocks (1), or with a point a share of all (1.0: all, only the head trains)",
    )

    @field_validator("k", mode="before")
    @classmethod
    def _is_count_or_share(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PydanticCustomError("k", "write a number of blocks or a share from 0.0 to 1.0")
        if value < 0:
            raise PydanticCustomError("k", "it must not be negative")
        if isinstance(value, float) and value > 1:
            raise PydanticCustomError(
                "k", "a share is at most 1.0; a number of blocks has no point"
            )
        return abs(value)  # -0.0 is 0.0


def frozen_blocks(k: int | float, blocks: int, model: str) -> int:
    """How many of a model's blocks are frozen: k itself, or the share of them, halves up.

    Raises InputError, naming the model, where it has fewer.
    """
    count = k if isinstance(k, int) else int(k * blocks + 0.5)
    if count > blocks:
        raise InputError(
            f"regime 'frozen': k={format_value(k)}: {model} has {blocks} blocks; write 0 to "
            f"{blocks}, or a share from 0.0 to 1.0"
        )
    return count


class Frozen(TrainedRegime):
    """Trains the upper blocks, the final norm above them, and a head.

    Embeddings and the lowest k blocks keep their weights and run without dropout; the final norm
    of a stack (an encoder-decoder has two) is frozen only with all blocks of that stack. What the
    frozen part gives is computed once and kept in the cell's folder while training lasts; but for
    frozen blocks of a decoder that writes its answers, which depend on what it has written.
    """

    name: ClassVar[str] = "frozen"
    summary: ClassVar[str] = "finetuning of the upper blocks"
    trains: ClassVar[str] = "the blocks above the lowest k, and a head"
    source: ClassVar[str] = "Lee, Tang and Lin 2019"
    options: ClassVar[type[Options]] = FrozenOptions
    positional: ClassVar[str | None] = "k"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-4,
        "decoder": 9e-4,
        "encoder-decoder": 3e-4,
    }

    def __init__(self) -> None:
        super().__init__()
        self._scratch: Path | None = None
        self._cache: StateCache | None = None
        self._blocks = (0, 0)  # frozen, and all, of the network last prepared

    def check_model(self, call: RegimeCall, ref: ModelRef) -> None:
        """Raise InputError where the model's configuration says that it has fewer blocks.

        An encoder-decoder's two stacks are counted, though tagging and spans use one of them.
        """
        super().check_model(call, ref)
        blocks = number_of_layers(ref)
        if blocks is None:
            return
        if ref.family == "encoder-decoder":
            config = read_config(ref.path, ref.name)
            blocks += config.get("num_decoder_layers", config.get("decoder_layers")) or blocks
        options = read_options(self, call).model_dump()
        if frozen_blocks(options["k"], blocks, ref.name) == blocks and options["head"] == "text":
            raise InputError(
                "regime 'frozen': head=text: with all blocks frozen nothing is trained"
            )

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> TrainedPredictor:
        """Train, keeping the frozen part's states in `scratch` meanwhile."""
        self._scratch = scratch
        try:
            predictor = super().fit(model, task, cell, scratch)
            predictor.notes["frozen_blocks"] = list(self._blocks)
            return predictor
        finally:
            self._scratch = None
            self._new_cache()

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Ask for the gradients of what lies above the frozen part."""
        from benchsuite.training.frozen import FrozenBackbone

        # Of this network alone: it learns in the pass that fills the cache what its blocks give.
        self._new_cache()

        blocks = len(model.backbone.blocks())
        frozen = frozen_blocks(options.k, blocks, "the part of the model that the task uses")
        model.backbone = FrozenBackbone(model.backbone, frozen, self._cache)
        self._blocks = (frozen, blocks)

    def _new_cache(self) -> None:
        """Forget the states that are kept; while training lasts an empty cache takes over."""
        from benchsuite.training.frozen import StateCache

        if self._cache is not None:
            self._cache.remove()
        self._cache = None if self._scratch is None else StateCache(self._scratch)
