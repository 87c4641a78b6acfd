"""peft's layers inside a backbone: put in for training, merged into the weights afterwards."""

from __future__ import annotations

import copy
from collections.abc import Container

from peft import PeftConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

from benchsuite.errors import NotApplicable
from benchsuite.training.backbone import Backbone


def inject(backbone: Backbone, config: PeftConfig) -> None:
    """Put peft's layers into each stack; they ask for gradients, nothing else of it does."""
    for stack in backbone.stacks():
        # peft writes the modules it finds into the configuration.
        inject_adapter_in_model(copy.deepcopy(config), stack)


def check_targets(backbone: Backbone, known: Container[str]) -> None:
    """Raise NotApplicable where peft has no default targets for the architecture."""
    architecture = backbone.body.config.model_type
    if architecture not in known:
        raise NotApplicable(f"peft names no modules of {architecture} for it", "no targets")


def is_transposed(backbone: Backbone) -> bool:
    """Whether linear layers keep their weights transposed (GPT-2), as peft wants to be told."""
    return any(isinstance(module, Conv1D) for module in backbone.modules())


def merge(backbone: Backbone) -> None:
    """Merge peft's layers into the weights they stand before; the learned tensors stay as they are.

    Raises ValueError where a merged weight is not finite.
    """
    for parent in list(backbone.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BaseTunerLayer):
                child.merge(safe_merge=True)
                merged: nn.Module = child.get_base_layer()
                setattr(parent, name, merged)
