"""Stacks run in two parts, over architectures that differ in what their blocks are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AlbertConfig,
    DebertaV2Config,
    Gemma2Config,
    LlamaConfig,
    LongT5Config,
    MT5Config,
    OPTConfig,
    Qwen2Config,
)

from benchsuite.errors import NotApplicable
from benchsuite.training.backbone import Backbone
from benchsuite.training.frozen import FrozenBackbone
from benchsuite.training.split import SplitStack, last_states, modules_after_blocks
from tests.training.bodies import CLASSES, IDS, backbone_of, batch_of, tiny_bart

COMMON = {
    "vocab_size": 400,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
DECODER = {**COMMON, "num_key_value_heads": 2, "head_dim": 8}
SEQ2SEQ = {"vocab_size": 400, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2}
SLIDING = ["full_attention", "sliding_attention", "full_attention"]
# Two kinds of attention by the block's place, blocks that give tuples, norms and projections that
# stand before the blocks or after them, a block that is run several times.
ARCHITECTURES: dict[str, tuple[str, Any]] = {
    "llama": ("decoder", LlamaConfig(**COMMON)),
    "gemma2": ("decoder", Gemma2Config(**DECODER, sliding_window=2)),
    "qwen2": (
        "decoder",
        Qwen2Config(**DECODER, use_sliding_window=True, sliding_window=2, layer_types=SLIDING),
    ),
    "opt": (
        "decoder",
        OPTConfig(
            vocab_size=400,
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            ffn_dim=32,
            word_embed_proj_dim=8,
        ),
    ),
    "deberta": ("encoder", DebertaV2Config(**COMMON, relative_attention=True, position_buckets=4)),
    "albert": ("encoder", AlbertConfig(**COMMON, embedding_size=8)),
    "mt5": ("encoder-decoder", MT5Config(**SEQ2SEQ, num_layers=3, decoder_start_token_id=0)),
}
AFTER = {
    "llama": ["norm"],
    "gemma2": ["norm"],
    "qwen2": ["norm"],
    "opt": ["decoder.final_layer_norm", "decoder.project_out"],
    "deberta": [],
    "albert": [],
    "mt5": ["final_layer_norm"],
    "bart": [],
}


def network_of(name: str) -> tuple[str, Any]:
    """Family and network, its weights wide enough to tell inputs apart, its padding token 0."""
    if name == "bart":
        return "encoder-decoder", tiny_bart()
    family, config = ARCHITECTURES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CLASSES[family].from_config(config)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 0.3)
    return family, network


def real(states: Tensor, mask: Tensor) -> Tensor:
    """States of what is no padding; of a decoder's first position all."""
    return states[mask.bool()] if states.shape[1] == mask.shape[1] else states


@pytest.mark.parametrize("name", [*ARCHITECTURES, "bart"])
def test_two_parts_are_the_whole(name: str) -> None:
    family, network = network_of(name)
    backbone = backbone_of(network, family)
    batch = batch_of(IDS)
    expected = backbone(batch).detach()
    blocks = len(backbone.blocks())
    assert blocks == {"mt5": 6, "bart": 4, "albert": 1}.get(name, 3)
    for frozen in range(blocks + 1):
        network.requires_grad_(False)
        parted = FrozenBackbone(backbone, frozen)
        states = parted(batch)
        torch.testing.assert_close(
            real(states, batch.mask), real(expected, batch.mask), atol=1e-5, rtol=1e-5
        )
        assert states.requires_grad is (frozen < blocks)
    torch.testing.assert_close(backbone(batch), expected, atol=0, rtol=0)


@pytest.mark.parametrize("name", [*ARCHITECTURES, "bart"])
def test_a_norm_above_the_blocks_is_found(name: str) -> None:
    family, network = network_of(name)
    backbone = backbone_of(network, family)
    after = modules_after_blocks(backbone.body, lambda: backbone(batch_of(IDS)))
    names = {module: path for path, module in backbone.body.named_modules()}
    assert sorted(names[module] for module in after) == AFTER[name]


def test_a_pass_ends_where_nothing_more_is_needed() -> None:
    family, network = network_of("llama")
    backbone = backbone_of(network, family)
    batch = batch_of(IDS)
    run: list[int] = []
    for number, block in enumerate(backbone.blocks()):
        block.register_forward_hook(lambda *given, number=number: run.append(number))
    split = SplitStack(backbone.body, 1)
    states = split.below(lambda: backbone(batch))
    assert run == [0]
    hidden = backbone.body(
        input_ids=batch.ids, attention_mask=batch.mask, output_hidden_states=True
    ).hidden_states
    assert torch.equal(states, hidden[1])
    run.clear()
    whole = split.above(lambda: backbone(batch), states)
    assert run == [0, 1, 2]  # passed over, its hooks are called
    assert torch.equal(whole, hidden[-1])
    assert "forward" not in vars(backbone.blocks()[0])

    family, network = network_of("mt5")
    backbone = backbone_of(network, family)
    backbone.decoder.register_forward_hook(lambda *given: pytest.fail("the decoder was run"))
    states = last_states(backbone.body, lambda: backbone(batch))
    assert torch.equal(states, Backbone(network, family, "tagging")(batch))


def test_biases_shared_in_another_way_are_refused() -> None:
    config = LongT5Config(**SEQ2SEQ, num_layers=2, decoder_start_token_id=0)
    backbone = backbone_of(CLASSES["encoder-decoder"].from_config(config), "encoder-decoder")
    with pytest.raises(NotApplicable, match="LongT5Block") as caught:
        FrozenBackbone(backbone, 1)
    assert caught.value.condition == "no blocks"
