"""Learned keys and values before those of the text (Li and Liang 2021).

They begin as the keys and values of tokens of the vocabulary, which Li and Liang (section 7.4)
found better than random numbers; there is no network between parameters and keys (their
reparametrization), as in peft's default.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from peft import PrefixTuningConfig
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from benchsuite.errors import NotApplicable
from benchsuite.training.backbone import Backbone, block_list
from benchsuite.training.virtual import VirtualTokens, sample_tokens

# Ways of attending, by the names under which transformers finds them.
BEGINNING = "benchsuite_prefix_beginning"
LEARNED = "benchsuite_prefix"


class Prefix(nn.Module):
    """keys, values: (heads, virtual tokens, width of a head)."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys = nn.Parameter(keys.clone())
        self.values = nn.Parameter(values.clone())


def wrap_body(backbone: Backbone, tokens: int) -> None:
    """Put peft's prefix before an encoder's or a decoder's body; the text's positions move.

    Raises NotApplicable where the body takes no past keys and values.
    """
    body = backbone.body
    if "past_key_values" not in inspect.signature(body.forward).parameters:
        raise NotApplicable(f"{type(body).__name__} takes no past keys", "no past keys")
    cache = DynamicCache()
    with torch.no_grad():
        body(input_ids=sample_tokens(body, tokens), past_key_values=cache)
    config = PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=tokens)
    backbone.body = VirtualTokens(body, config)
    encoder = backbone.body.peft.prompt_encoder["default"]
    pairs = [part[0] for layer in cache.layers for part in (layer.keys, layer.values)]
    # (keys and values of each layer, heads, tokens, width) -> a row of all numbers a token
    encoder.load_prompt_embeddings(torch.stack(pairs).permute(2, 0, 1, 3).reshape(tokens, -1))


def add_prefixes(backbone: Backbone, tokens: int) -> None:
    """Give every attention of an encoder-decoder a prefix, that to the encoder included.

    The text's positions stay. Raises NotApplicable where an attention is not one that
    transformers lets a user replace.
    """
    ids = sample_tokens(backbone.body, tokens)
    stacks: list[Any] = [*backbone.stacks()]
    for stack in stacks:
        stack.set_attn_implementation(BEGINNING)
    with torch.no_grad():
        states = backbone.body(input_ids=ids).last_hidden_state
        if backbone.decoder is not None:
            backbone.decoder(input_ids=ids, encoder_hidden_states=states, use_cache=False)
    for stack in stacks:
        stack.set_attn_implementation(LEARNED)
        found = sum(isinstance(module, Prefix) for module in stack.modules())
        attentions = 2 if stack is backbone.decoder else 1
        if found != attentions * len(block_list(stack)[1]):
            raise NotApplicable(
                f"{type(stack).__name__} computes attention in a way of its own",
                "unknown attention",
            )


def _begin(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    """Plain attention, whose keys and values become the module's prefix."""
    module.prefix = Prefix(key[0], value[0])
    result: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, mask, **given)
    return result


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    position_bias: Tensor | None = None,
    **given: Any,
) -> tuple[Tensor, None]:
    """Attention to the module's prefix and to the text; relative positions know the text only."""
    keys, values = (
        part.to(key.dtype).expand(len(key), -1, -1, -1)
        for part in (module.prefix.keys, module.prefix.values)
    )
    tokens = keys.shape[2]
    if mask is not None:
        visible = 1 if mask.dtype == torch.bool else 0
        mask = functional.pad(mask, (tokens, 0), value=visible)
    if position_bias is not None:
        position_bias = functional.pad(position_bias, (tokens, 0))
    result: tuple[Tensor, None] = sdpa_attention_forward(
        module,
        query,
        torch.cat([keys, key], dim=2),
        torch.cat([values, value], dim=2),
        mask,
        position_bias=position_bias,
        **given,
    )
    return result


def _whole_mask(**given: Any) -> Tensor | None:
    """The mask of a causal attention written out: torch's own would hide a part of the text."""
    mask: Tensor | None = sdpa_mask(**given | {"allow_is_causal_skip": False})
    return mask


AttentionInterface.register(BEGINNING, _begin)
AttentionMaskInterface.register(BEGINNING, sdpa_mask)
AttentionInterface.register(LEARNED, _attend)
AttentionMaskInterface.register(LEARNED, _whole_mask)
