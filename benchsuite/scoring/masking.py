"""Texts to what a masked language model sees: which tokens are masked, which are scored. No torch.

The boundary rules are those of every engine: context and continuation are tokenized once,
together, and a token that ends inside the continuation belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import CellFailed
from benchsuite.scoring.plan import Row
from benchsuite.scoring.tokens import Encoded, Tokens
from benchsuite.scoring.types import Request
from benchsuite.scoring.words import words_of_tokens


@dataclass(frozen=True, slots=True)
class Line:
    """One continuation of request number `request`, with its context and the special tokens.

    The continuation is `ids[first:stop]`. words: the number of each of its tokens' words, for the
    path that asks for words. truncated: whether the context lost tokens on the left.
    """

    request: int
    ids: Row
    first: int
    stop: int
    words: tuple[int, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens to mask together, `start` to `stop`, of which those up to `scored` are scored."""

    start: int
    stop: int
    scored: int


class Masker:
    """A fast tokenizer of a masked language model. window: its longest input in tokens."""

    def __init__(self, tokenizer: Any, window: int, name: str) -> None:
        if tokenizer.mask_token_id is None:
            raise CellFailed(f"the tokenizer of {name} names no mask token")
        self.name = name
        self.mask: int = tokenizer.mask_token_id
        self.tokens = Tokens(tokenizer)
        # A text's special tokens are set around what is left of it when it fits the window.
        self.tokens.prefix = self.tokens.start = ()
        self.before, self.after = frame(tokenizer)
        self.room = window - len(self.before) - len(self.after)

    def lines(self, requests: Sequence[Request], words: bool) -> list[Line]:
        """Every continuation of every request, in order. words: whether to fill `Line.words`.

        Raises CellFailed where a continuation has no token, or more than the window takes.
        """
        encoded = self.tokens.encode(requests)
        numbers: Sequence[Sequence[int]] = [()] * len(encoded)
        if words:
            texts = [one.context + text for one in requests for text in one.continuations]
            numbers = words_of_tokens(self.tokens.tokenizer, texts)
        return [self._line(one, of_text) for one, of_text in zip(encoded, numbers, strict=True)]

    def _line(self, one: Encoded, words: Sequence[int]) -> Line:
        if one.scored > self.room:
            raise CellFailed(
                f"request {one.request}: a continuation of {one.scored} tokens is longer than the "
                f"window of {self.name}, {self.room} tokens beside the special ones"
            )
        kept = one.ids[-self.room :]
        stop = len(self.before) + len(kept)
        return Line(
            request=one.request,
            ids=self.before + kept + self.after,
            first=stop - one.scored,
            stop=stop,
            words=tuple(words[one.split :]),
            truncated=len(kept) < len(one.ids),
        )

    def masked(self, line: Line, span: Span) -> Row:
        """The line's ids with a span of them masked."""
        masks = (self.mask,) * (span.stop - span.start)
        return line.ids[: span.start] + masks + line.ids[span.stop :]


def spans(line: Line, path: str) -> Iterator[Span]:
    """What is masked, pass by pass, to score a line by a path; each token is scored once."""
    if path == "cloze":
        yield Span(line.first, line.stop, line.stop)
        return
    for at in range(line.first, line.stop):
        end = at + 1
        if path == "pll_within_word":
            word = line.words[at - line.first]
            while end < line.stop and line.words[end - line.first] == word:
                end += 1
        yield Span(at, end, at + 1)


def frame(tokenizer: Any) -> tuple[Row, Row]:
    """The special tokens that the tokenizer puts before and after a text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, special = tuple(encoded["input_ids"]), encoded["special_tokens_mask"]
    inside = [at for at, one in enumerate(special) if not one]
    return ids[: inside[0]], ids[inside[-1] + 1 :]
