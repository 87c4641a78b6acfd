"""Bottleneck adapters after the projections of a block's sub-layers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchsuite.errors import NotApplicable
from benchsuite.training.backbone import Backbone

# Ends of the names that known architectures give the last projection of a sub-layer.
ATTENTION = (
    "attention.output.dense",  # BERT, RoBERTa, ELECTRA
    "attention.out_lin",  # DistilBERT
    "attn.c_proj",  # GPT-2
    "attention.out_proj",  # GPT Neo
    "attention.dense",  # GPT-NeoX, BLOOM
    "self_attn.out_proj",  # OPT, BART
    "encoder_attn.out_proj",  # BART
    "self_attn.o_proj",  # Llama, Qwen2, Mistral
    "SelfAttention.o",  # T5
    "EncDecAttention.o",  # T5
)
FEED_FORWARD = (
    "output.dense",  # BERT, RoBERTa, ELECTRA
    "ffn.lin2",  # DistilBERT
    "mlp.c_proj",  # GPT-2, GPT Neo
    "fc2",  # OPT, BART
    "mlp.dense_4h_to_h",  # GPT-NeoX, BLOOM
    "mlp.down_proj",  # Llama, Qwen2, Mistral
    "DenseReluDense.wo",  # T5
)


class Bottleneck(nn.Module):
    """states + up(gelu(down(states))), the identity before training: `up` begins at zero.

    With several experts (AdaMix, Wang et al. 2022) every forward pass in training takes a `down`
    and an `up` at random, each on its own; in evaluation their means are taken.
    """

    def __init__(self, width: int, size: int, experts: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Linear(width, size) for _ in range(experts))
        self.up = nn.ModuleList(nn.Linear(size, width) for _ in range(experts))
        for layer in self.up:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, states: Tensor) -> Tensor:
        """States of the same shape (..., width)."""
        choose = _any if self.training else _mean
        added: Tensor = choose(self.up)(functional.gelu(choose(self.down)(states)))
        return states + added

    def average(self) -> None:
        """Replace the experts by one, their mean."""
        self.down = nn.ModuleList([_mean(self.down)])
        self.up = nn.ModuleList([_mean(self.up)])


def add_adapters(backbone: Backbone, size: int, experts: int, after_attention: bool) -> None:
    """Put an adapter after the feed-forward network of each block, before its residual addition.

    after_attention: also after each attention, of a decoder's block that to the encoder included.
    Raises NotApplicable where a block's projections have names that are not known.
    """
    for block in backbone.blocks():
        attention, feed_forward = _projections(block)
        for projection in [*attention, *feed_forward] if after_attention else feed_forward:
            projection.add_module("adapter", Bottleneck(backbone.width, size, experts))
            projection.register_forward_hook(_adapt)


def norms(backbone: Backbone) -> Iterator[nn.Module]:
    """All layer normalizations of the backbone, whatever their kind."""
    for module in backbone.modules():
        if "norm" in type(module).__name__.lower():
            yield module


def _projections(block: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The last projections of a block's attentions, and of its feed-forward network."""
    named = dict(block.named_modules())
    attention = [name for name in named if name.endswith(ATTENTION)]
    feed_forward = [name for name in named if name.endswith(FEED_FORWARD) and name not in attention]
    if not attention or len(feed_forward) != 1:
        raise NotApplicable(
            f"{type(block).__name__} is not of an architecture whose projections are known",
            "unknown blocks",
        )
    return [named[name] for name in attention], [named[name] for name in feed_forward]


def _adapt(projection: Any, given: object, output: Tensor) -> Tensor:
    del given
    adapted: Tensor = projection.adapter(output)
    return adapted


def _any(layers: nn.ModuleList) -> nn.Module:
    return layers[int(torch.randint(len(layers), ()))]


@torch.no_grad()
def _mean(layers: nn.ModuleList) -> nn.Module:
    """A layer whose parameters are the means of the layers'; the only one itself."""
    if len(layers) == 1:
        return layers[0]
    mean = copy.deepcopy(layers[0])
    for name, parameter in mean.named_parameters():
        parameter.copy_(torch.stack([layer.get_parameter(name) for layer in layers]).mean(0))
    return mean
