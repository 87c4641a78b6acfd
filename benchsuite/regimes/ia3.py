"""(IA)^3: learned factors of keys, values and inner activations, and a head.

Source: Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
In-Context Learning".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchsuite.regimes.trained import TrainedRegime

if TYPE_CHECKING:
    from benchsuite.training.model import TaskModel


class IA3(TrainedRegime):
    """Trains a factor for each number of what peft targets by default; all begin at one.

    Where an architecture computes queries, keys and values in one layer (GPT-2) peft scales the
    queries as well. The factors are merged into the weights before the model answers.
    """

    name: ClassVar[str] = "ia3"
    summary: ClassVar[str] = "learned factors of activations"
    trains: ClassVar[str] = "a vector a target, and a head"
    source: ClassVar[str] = "Liu et al. 2022"
    default_lr: ClassVar[dict[str, float]] = {
        "encoder": 3e-2,
        "decoder": 3e-2,
        "encoder-decoder": 3e-2,
    }

    def prepare(self, model: TaskModel, options: Any) -> None:
        """Put in peft's layers; raises NotApplicable where it names no targets."""
        from peft import IA3Config
        from peft.utils import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as KNOWN

        from benchsuite.training.injected import check_targets, inject, is_transposed

        check_targets(model.backbone, KNOWN)
        inject(model.backbone, IA3Config(fan_in_fan_out=is_transposed(model.backbone)))

    def groups(self, model: TaskModel, options: Any) -> list[dict[str, Any]]:
        """The head at a lower rate; factors do not decay."""
        from benchsuite.training.rates import vector_groups

        return vector_groups(model, options.decay)

    def finish(self, model: TaskModel) -> None:
        """Merge."""
        from benchsuite.training.injected import merge

        merge(model.backbone)
