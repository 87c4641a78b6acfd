"""Scoring with a masked language model the slow way: one masked copy at a time, no padding."""

from __future__ import annotations

import torch

from benchsuite.models.registry import Model
from benchsuite.scoring import Request
from tests.scoring.reference import split_ids


def token_scores(model: Model, context: str, continuation: str, path: str) -> list[tuple]:
    """(log p, whether it is the likeliest) of each token of a continuation, for a byte-level BPE.

    Boundaries are found by counting bytes, words by the pre-tokenizer's own pieces: neither needs
    the offsets that the engine goes by.
    """
    before, after = split_ids(model, context, continuation)
    words = _words(model, context + continuation)[len(before) :]
    room = model.max_length - 2
    ids = (before + after)[-room:]
    first = len(ids) - len(after)
    found = []
    for at, token in enumerate(after):
        masked = list(ids)
        for other in range(len(after)):
            together = {
                "cloze": True,
                "pll": other == at,
                "pll_within_word": other >= at and words[other] == words[at],
            }
            if together[path]:
                masked[first + other] = model.tokenizer.mask_token_id
        found.append(_score(model, masked, first + at, token))
    return found


def log_likelihoods(model: Model, request: Request, path: str) -> list[float]:
    """The score of each continuation of a request."""
    return [
        sum(value for value, _ in token_scores(model, request.context, continuation, path))
        for continuation in request.continuations
    ]


@torch.inference_mode()
def _score(model: Model, ids: list[int], at: int, token: int) -> tuple[float, bool]:
    """One plain pass: [CLS] ids [SEP], every logit, log-softmax in double precision."""
    framed = [model.tokenizer.cls_token_id, *ids, model.tokenizer.sep_token_id]
    logits = model.network(input_ids=torch.tensor([framed])).logits[0, at + 1]
    return logits.double().log_softmax(-1)[token].item(), int(logits.argmax()) == token


def _words(model: Model, text: str) -> list[int]:
    """The word of each token: the piece of the pre-tokenizer that its first byte lies in."""
    pieces = model.tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    of_byte = [number for number, (piece, _) in enumerate(pieces) for _ in piece]
    tokens = model.tokenizer.convert_ids_to_tokens(
        model.tokenizer(text, add_special_tokens=False)["input_ids"]
    )
    starts = [sum(map(len, tokens[:at])) for at in range(len(tokens))]
    return [of_byte[start] for start in starts]
