"""Texts to token ids and their boundaries; every engine asks here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import CellFailed
from benchsuite.scoring.plan import Row
from benchsuite.scoring.types import Request


@dataclass(frozen=True, slots=True)
class Encoded:
    """One continuation of request number `request`: all ids, and where those to score begin."""

    request: int
    ids: Row
    split: int

    @property
    def scored(self) -> int:
        """Number of tokens to score."""
        return len(self.ids) - self.split


class Tokens:
    """A fast tokenizer with the two rules of boundaries.

    Context and continuation are tokenized once, together. A token that ends inside the
    continuation belongs to it, wherever it began.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.prefix, self.start = _starting_tokens(tokenizer)
        # Any token can pad: padding is to the right of, or masked from, everything that counts.
        known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
        self.pad: int = next(token for token in known if token is not None)

    def encode(self, requests: Sequence[Request]) -> list[Encoded]:
        """Every continuation of every request, in order.

        Before the text comes what the tokenizer itself puts there. Where nothing comes before the
        first token to score, bos (or eos, for want of one) does, as in lm-eval's HFLM.
        Raises CellFailed where a continuation has no token.
        """
        pairs = [
            (number, place, request)
            for number, request in enumerate(requests)
            for place in range(len(request.continuations))
        ]
        texts = [request.context + request.continuations[place] for _, place, request in pairs]
        found = []
        for (number, place, request), (ids, ends) in zip(pairs, self._ids(texts), strict=True):
            border = len(request.context)
            split = next((at for at, end in enumerate(ends) if end > border), len(ids))
            if split == len(ids):
                raise CellFailed(f"request {number}: continuation {place} has no token to score")
            before = self.prefix if split else self.start
            found.append(Encoded(number, before + ids, len(before) + split))
        return found

    def encode_contexts(self, contexts: Sequence[str]) -> list[Row]:
        """Texts to be continued; an empty one is the token that begins a text."""
        return [(self.prefix + ids) or self.start for ids, _ in self._ids(contexts)]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return [len(ids) for ids, _ in self._ids(texts)]

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        ((_, ends),) = self._ids([text])
        if len(ends) <= tokens:
            return text
        for count in range(tokens, 0, -1):
            # A token begins where the one before it ends: offsets may leave out its space.
            part = text[: ends[count - 1]] if keep == "start" else text[ends[-count - 1] :]
            # A part may fall into more tokens than it had inside the whole.
            if self.count([part])[0] <= tokens:
                return part
        return ""

    def _ids(self, texts: Sequence[str]) -> list[tuple[Row, list[int]]]:
        """Token ids of each text, nothing added, and the end of each token in characters."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return [
            (tuple(ids), [end for _, end in offsets])
            for ids, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]


def _starting_tokens(tokenizer: Any) -> tuple[Row, Row]:
    """(tokens the tokenizer itself puts before a text, tokens that stand for an empty context)."""
    plain = tuple(tokenizer("a", add_special_tokens=False)["input_ids"])
    full = tuple(tokenizer("a")["input_ids"])
    for place in range(1, len(full) - len(plain) + 1):
        if full[place : place + len(plain)] == plain:
            return full[:place], full[:place]
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return (), (token,)
    raise CellFailed("the tokenizer names no token that begins a text (bos or eos)")
