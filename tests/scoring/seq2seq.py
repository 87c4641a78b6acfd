"""Tiny random encoder-decoders, and their scores the slow way: one text at a time, by `labels=`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from tokenizers.processors import TemplateProcessing
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MT5Config,
    MT5ForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from benchsuite.models.registry import Model
from benchsuite.scoring import Request
from tests.scoring.reference import split_ids
from tests.tiny import tiny_tokenizer

T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
SHAPES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "t5": (T5ForConditionalGeneration, T5Config, T5),
    # T5 1.1: gated, its head apart from its table, nothing scaled before it.
    "t5-gated": (
        T5ForConditionalGeneration,
        T5Config,
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "mt5": (MT5ForConditionalGeneration, MT5Config, T5),
    "bart": (
        BartForConditionalGeneration,
        BartConfig,
        {
            "d_model": 16,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "max_position_embeddings": 64,
            "forced_eos_token_id": None,
        },
    ),
}


def build(
    folder: Path, shape: str, sentinels: int = 0, window: int = 64, constant: float | None = None
) -> Path:
    """A folder with a model of a shape. constant: value of every weight."""
    architecture, config_of, settings = SHAPES[shape]
    tokenizer = tiny_tokenizer("encoder-decoder")
    if shape == "bart":
        tokenizer.add_special_tokens({"bos_token": "<s>"})
        ids = {name: tokenizer.convert_tokens_to_ids(name) for name in ("<s>", "</s>")}
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<s> $A </s>", special_tokens=list(ids.items())
        )
    names = [f"<extra_id_{number}>" for number in range(sentinels)]
    if shape == "mt5":
        tokenizer.add_tokens([f"▁{name}" for name in names])
    elif names:
        tokenizer.add_special_tokens({"additional_special_tokens": names})
    tokenizer.model_max_length = window
    start = tokenizer.eos_token_id if shape == "bart" else tokenizer.pad_token_id
    config = config_of(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=start,
        **settings,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = architecture(config)
        # Wide enough for inputs to matter, narrow enough for no token to have all the probability.
        for name, parameter in network.named_parameters():
            if constant is not None:
                torch.nn.init.constant_(parameter, constant)
            elif parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.3 if "relative" not in name else 1.0)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sentinel(model: Model, number: int) -> int:
    """The id of a sentinel."""
    name = f"<extra_id_{number}>"
    return model.tokenizer.get_vocab().get(name) or model.tokenizer.get_vocab()[f"▁{name}"]


@torch.inference_mode()
def by_labels(model: Model, source: list[int], labels: list[int], first: int) -> list[float]:
    """log p of each label from number `first` on, the network shifting the labels itself."""
    outputs = model.network(input_ids=torch.tensor([source]), labels=torch.tensor([labels]))
    found = outputs.logits[0].double().log_softmax(-1)
    return [found[at, labels[at]].item() for at in range(first, len(labels))]


def plain_values(model: Model, context: str, continuation: str) -> list[float]:
    """Values of the tokens of a plain target, what ends it included."""
    *before, after = model.tokenizer("")["input_ids"]
    ids = model.tokenizer(context, add_special_tokens=False)["input_ids"]
    kept = ids[max(0, len(ids) - (model.max_length - len(before) - 1)) :]
    source = [*before, *kept, after]
    labels = model.tokenizer(continuation)["input_ids"]
    begun = labels[0] == model.tokenizer.bos_token_id
    return by_labels(model, source, labels, int(begun))


def filling_values(model: Model, left: list[int], text: list[int], right: list[int]) -> list[float]:
    """Values of the tokens that fill the gap of a text, and of the sentinel that closes it."""
    source = [*left, sentinel(model, 0), *right, model.tokenizer.eos_token_id]
    return by_labels(model, source, [sentinel(model, 0), *text, sentinel(model, 1)], 1)


def spans_values(model: Model, context: str, continuation: str, window: int) -> list[float]:
    """Values of a continuation as one filling, the context cut to fit a window."""
    left, text = split_ids(model, context, continuation)
    kept = left[max(0, len(left) - (window - 2)) :]
    return filling_values(model, kept, text, [])


def word_values(model: Model, context: str, continuation: str) -> list[float]:
    """Values word by word; both texts in plain English that a regular expression splits."""
    before = pieces(model, context)
    words = pieces(model, continuation)
    found = []
    for at, word in enumerate(words):
        left = sum(before, []) + sum(words[:at], [])
        found += filling_values(model, left, word, sum(words[at + 1 :], []))
    return found


def pieces(model: Model, text: str) -> list[list[int]]:
    """Ids of each word, and of each run of punctuation."""
    found = re.findall(r" ?[A-Za-z]+| ?[^\sA-Za-z]+", text)
    assert "".join(found) == text
    return [model.tokenizer(one, add_special_tokens=False)["input_ids"] for one in found]


@torch.inference_mode()
def greedy(model: Model, source: list[int], begin: list[int], ends: list[int], new: int) -> str:
    """transformers' own greedy generation of a single row, up to one of the tokens `ends`."""
    ids = model.network.generate(
        input_ids=torch.tensor([source]),
        decoder_input_ids=torch.tensor([begin]),
        do_sample=False,
        max_new_tokens=new,
    )[0, len(begin) :].tolist()
    kept = ids[: next((at for at, token in enumerate(ids) if token in ends), len(ids))]
    return model.tokenizer.decode(kept, skip_special_tokens=True)


def request_values(model: Model, request: Request, path: str, spans: bool) -> list[list[float]]:
    """Values of each continuation of a request."""
    if path == "sum" and not spans:
        return [plain_values(model, request.context, one) for one in request.continuations]
    if path == "span":
        return [word_values(model, request.context, one) for one in request.continuations]
    return [
        spans_values(model, request.context, one, model.max_length) for one in request.continuations
    ]
