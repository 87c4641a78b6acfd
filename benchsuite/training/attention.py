"""Attention as plain matrix products where that is faster than torch's fused one."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

PLAIN_UP_TO = 128
"""Longest rows that a processor trains faster so in bfloat16, where the fused attention's backward
pass takes ten times its forward pass (measured: docs/performance.md); in float32 it makes no
difference."""


class Attention:
    """Switches the modules of transformers within a model that use torch's fused attention.

    The numbers are the same but for rounding. worthwhile: whether passes are of a kind that gains.
    """

    def __init__(self, model: nn.Module, worthwhile: bool) -> None:
        self._plain = False
        self._stacks = [
            module
            for module in (model.modules() if worthwhile else ())
            if isinstance(module, PreTrainedModel) and module.config._attn_implementation == "sdpa"
        ]

    def suit(self, length: int) -> None:
        """Make it the faster one for training on rows of this length."""
        self._switch(length <= PLAIN_UP_TO)

    def fuse(self) -> None:
        """Make it torch's again."""
        self._switch(False)

    def _switch(self, plain: bool) -> None:
        if plain != self._plain:
            for stack in self._stacks:
                stack.set_attn_implementation("eager" if plain else "sdpa")
            self._plain = plain
