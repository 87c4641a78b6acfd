"""Backbones around tiny networks, and batches of token ids, without a task or a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    BartForConditionalGeneration,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
)

from benchsuite.training.backbone import Backbone
from benchsuite.training.batches import Batch, collate
from benchsuite.training.items import Item
from benchsuite.training.rows import Row

CLASSES: dict[str, Any] = {
    "encoder": AutoModelForMaskedLM,
    "decoder": AutoModelForCausalLM,
    "encoder-decoder": AutoModelForSeq2SeqLM,
}
IDS = [[7, 30, 55, 201, 9, 118], [44, 12, 8], [90, 3, 77, 61, 140]]


def backbone_of(source: Path | Any, family: str, kind: str = "classification") -> Backbone:
    """A backbone in evaluation mode that asks for no gradients; source: a folder or a network."""
    network = CLASSES[family].from_pretrained(source) if isinstance(source, Path) else source
    return Backbone(network.requires_grad_(False).eval(), family, kind).eval()


SMALL = {"vocab_size": 400, "hidden_size": 16}
LAYERS = SMALL | {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def tiny_gpt_neox() -> GPTNeoXForCausalLM:
    """A two-layer GPT-NeoX of width 16."""
    return GPTNeoXForCausalLM(GPTNeoXConfig(**LAYERS))


def tiny_bart() -> BartForConditionalGeneration:
    """A two-layer BART of width 16, its weights wide enough to tell inputs apart."""
    config = BartConfig(
        vocab_size=400,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        init_std=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BartForConditionalGeneration(config)


def batch_of(rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Batch:
    """Rows of ids, and of segments, as a batch padded with 0; the first position is read."""
    segments = [()] * len(rows) if types is None else types
    items = [
        Item(number, (Row(tuple(ids), tuple(of), (0,)),), None)
        for number, (ids, of) in enumerate(zip(rows, segments, strict=True))
    ]
    return collate(items, 0, "cpu")
