"""From requests to the two sides of an encoder-decoder: token ids in, token ids out.

Two formats. In spans: the encoder reads the text with one sentinel in the place of what is
missing, the decoder writes that sentinel, what is missing, and the next sentinel, which closes the
span. Plain: the encoder reads the context, the decoder writes the continuation, both as the
tokenizer frames any text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from benchsuite.errors import CellFailed
from benchsuite.scoring.masking import frame
from benchsuite.scoring.plan import Row
from benchsuite.scoring.sentinels import find_sentinels, speaks_in_spans
from benchsuite.scoring.tokens import Tokens
from benchsuite.scoring.types import Request
from benchsuite.scoring.words import words_of_tokens

if TYPE_CHECKING:
    from benchsuite.models.registry import Model


@dataclass(frozen=True, slots=True)
class Part:
    """Something to score: all of continuation `place` of request `request`, or a word of it.

    source: what the encoder reads. given: what the decoder has written before. scored: what it
    is to write now; the last `ends` of these tokens end it and are not of the text.
    """

    request: int
    place: int
    source: Row
    given: Row
    scored: Row
    ends: int
    truncated: bool

    @property
    def row(self) -> Row:
        """What the decoder is fed."""
        return self.given + self.scored[:-1]


class Sides:
    """The formats of one model.

    max_length: tokens of text that fit the window, whatever is added to them on either side.
    """

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self.tokens = Tokens(model.tokenizer)
        # Nothing before the text itself: what belongs there differs between the two sides.
        self.tokens.prefix = self.tokens.start = ()
        self.before, self.after = frame(model.tokenizer)
        self.sentinels = find_sentinels(model.tokenizer)
        self.in_spans = speaks_in_spans(model)
        self.begin: Row = (model.network.config.decoder_start_token_id,)
        self.max_length = model.max_length - len(self.before + self.after) - bool(self.sentinels)

    def parts(self, requests: Sequence[Request], path: str) -> list[Part]:
        """What to score, in the order of requests, of continuations and of words.

        Raises CellFailed for a continuation that has no token or is longer than the window, and
        for a path in spans where the vocabulary has no sentinels.
        """
        if path == "sum" and not self.in_spans:
            return list(self._plain(requests))
        if not self.sentinels:
            raise CellFailed(
                f"{self.name} has no sentinels (<extra_id_0>, <extra_id_1>): it cannot score by "
                f"the path '{path}'"
            )
        return list(self._words(requests) if path == "span" else self._spans(requests))

    def prompt(self, context: Row) -> tuple[Row, Row]:
        """(what the encoder reads, what the decoder is given) to continue a context."""
        if self.in_spans:
            return self._masked(context, ()), self.begin + self.sentinels[:1]
        return self.before + context + self.after, self.begin + self.before

    @property
    def stops(self) -> Row:
        """Tokens that end a generated text, beside the model's own."""
        return self.sentinels if self.in_spans else ()

    def _plain(self, requests: Sequence[Request]) -> Iterator[Part]:
        contexts = self.tokens.encode_contexts([request.context for request in requests])
        texts = [text for request in requests for text in request.continuations]
        # Texts to be continued are framed by nothing here, which is what a continuation needs too.
        continuations = iter(self.tokens.encode_contexts(texts))
        for number, (request, context) in enumerate(zip(requests, contexts, strict=True)):
            source, given = self.prompt(context[-self.max_length :])
            for place in range(len(request.continuations)):
                text = next(continuations)
                if not text:
                    raise CellFailed(
                        f"request {number}: continuation {place} has no token to score"
                    )
                self._check(number, text)
                yield Part(
                    request=number,
                    place=place,
                    source=source,
                    given=given,
                    scored=text + self.after,
                    ends=len(self.after),
                    truncated=len(context) > self.max_length,
                )

    def _spans(self, requests: Sequence[Request]) -> Iterator[Part]:
        """All of each continuation as the one span."""
        places = ((n, p) for n, request in enumerate(requests) for p in _places(request))
        for (number, place), one in zip(places, self.tokens.encode(requests), strict=True):
            text = one.ids[one.split :]
            self._check(number, text)
            context = one.ids[: one.split]
            kept = context[-self.max_length :]
            yield self._span(number, place, kept, text, (), len(kept) < len(context))

    def _words(self, requests: Sequence[Request]) -> Iterator[Part]:
        """Each word of each continuation as the one span, everything else to be read."""
        places = ((n, p) for n, request in enumerate(requests) for p in _places(request))
        texts = [one.context + text for one in requests for text in one.continuations]
        numbers = words_of_tokens(self.tokens.tokenizer, texts)
        for (number, place), one, words in zip(
            places, self.tokens.encode(requests), numbers, strict=True
        ):
            self._check(number, one.ids[one.split :])
            cut = max(0, len(one.ids) - self.max_length)
            for _, group in groupby(range(one.split, len(one.ids)), key=lambda at: words[at]):
                span = list(group)
                first, last = span[0], span[-1] + 1
                yield self._span(
                    number,
                    place,
                    one.ids[cut:first],
                    one.ids[first:last],
                    one.ids[last:],
                    cut > 0,
                )

    def _span(
        self, number: int, place: int, left: Row, text: Row, right: Row, truncated: bool
    ) -> Part:
        return Part(
            request=number,
            place=place,
            source=self._masked(left, right),
            given=self.begin + self.sentinels[:1],
            scored=text + self.sentinels[1:2],
            ends=1,
            truncated=truncated,
        )

    def _masked(self, left: Row, right: Row) -> Row:
        return self.before + left + self.sentinels[:1] + right + self.after

    def _check(self, number: int, text: Row) -> None:
        if len(text) > self.max_length:
            raise CellFailed(
                f"request {number}: a continuation of {len(text)} tokens is longer than the "
                f"window of {self.name}, {self.max_length} tokens"
            )


def _places(request: Request) -> range:
    return range(len(request.continuations))
