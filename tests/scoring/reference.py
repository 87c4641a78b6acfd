"""Scoring and greedy generation the slow way: one text at a time, no cache, no padding."""

from __future__ import annotations

import torch

from benchsuite.models.registry import Model
from benchsuite.scoring import score
from benchsuite.scoring.types import Request


def split_ids(model: Model, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Token ids before and of a continuation, split by counting bytes.

    In a byte-level vocabulary every character of a token stands for one byte, so this needs none
    of the offsets that the engine goes by.
    """
    ids = model.tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    tokens = model.tokenizer.convert_ids_to_tokens(ids)
    border, at, split = len(context.encode()), 0, 0
    for token in tokens:
        at += len(token)
        split += at <= border
    return ids[:split], ids[split:]


@torch.inference_mode()
def log_likelihood(model: Model, before: list[int], tokens: list[int]) -> float:
    """Sum of log p(token | everything before it), in nats; at most a window is looked at."""
    ids = ((before or [model.tokenizer.bos_token_id]) + tokens)[-(model.max_length + 1) :]
    logits = model.network(torch.tensor([ids[:-1]])).logits[0].double()
    log_probabilities = logits.log_softmax(-1)
    first = len(ids) - len(tokens)
    return sum(log_probabilities[first - 1 + i, t].item() for i, t in enumerate(tokens))


def log_likelihoods(model: Model, request: Request) -> list[float]:
    """The score of each continuation of a request."""
    return [
        log_likelihood(model, *split_ids(model, request.context, continuation))
        for continuation in request.continuations
    ]


@torch.inference_mode()
def greedy(model: Model, context: str, stop: list[str], max_new_tokens: int) -> str:
    """The most probable token, again and again, until a stop string or the end of text."""
    ids = model.tokenizer(context, add_special_tokens=False)["input_ids"]
    ids = (ids or [model.tokenizer.bos_token_id])[-(model.max_length - max_new_tokens) :]
    new: list[int] = []
    text = ""
    for _ in range(max_new_tokens):
        best = int(model.network(torch.tensor([ids + new])).logits[0, -1].argmax())
        if best == model.tokenizer.eos_token_id:
            break
        new.append(best)
        text = model.tokenizer.decode(new)
        for one in stop:
            if one in text:
                return min((text.split(one)[0] for one in stop if one in text), key=len)
    return text


def check_that_one_of_two_tied_tokens_is_greedy(model: Model) -> None:
    """Two tokens equally likely after any text: equal scores, and the first is the greedy one."""
    texts = ("s", "t")
    tied = [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert [len(ids) for ids in tied] == [1, 1]
    logits = torch.zeros(model.network.config.vocab_size)
    logits[torch.tensor(tied)] = 1.0
    head = model.network.get_output_embeddings()
    hook = head.register_forward_hook(lambda module, states, output: logits.expand_as(output))
    try:
        (found,) = score(model, [Request("The answ", texts)], details=True)
    finally:
        hook.remove()
    assert found.tokens[0][0] == found.tokens[1][0]
    assert found.greedy == (tied[0] < tied[1], tied[1] < tied[0])
