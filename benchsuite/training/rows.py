"""Texts to the rows of token ids that a family reads: special tokens, pairs and segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import CellFailed
from benchsuite.models.registry import Model
from benchsuite.scoring.tokens import Tokens

Ids = tuple[int, ...]
DELIMITER = "\n"


@dataclass(frozen=True, slots=True)
class Row:
    """A sequence as it is fed, and the positions whose states a head reads.

    types: the segment of each token, () where the family knows none.
    """

    ids: Ids
    types: Ids
    positions: Ids


@dataclass(frozen=True, slots=True)
class _Around:
    """Special tokens of a row, and the segments of its texts (and of what follows each)."""

    before: Ids
    between: Ids
    after: Ids


@dataclass(frozen=True, slots=True)
class Joined:
    """A row without its positions. first, second: where the texts begin."""

    ids: Ids
    types: Ids
    first: int
    second: int


class Layout:
    """How a family writes one text, or two, into a row.

    Encoders and encoder-decoders: as their tokenizer does, pairs by segment where the model has
    segments. Decoders: start, text, delimiter, text, extract (Radford et al. 2018), with tokens
    that any decoder has read in pretraining in place of new ones: the start of text, a newline
    and the end of text. New ones could not be learned under regimes that train no embedding.
    max_length: tokens of a row; room that the regime itself takes (virtual tokens) is left out.
    """

    def __init__(self, model: Model, reserved: int = 0) -> None:
        self.family = model.family
        self.tokenizer: Any = model.tokenizer
        self.max_length = model.max_length - reserved
        tokens = Tokens(model.tokenizer)
        self.pad = tokens.pad
        if model.family == "decoder":
            end = self.tokenizer.eos_token_id
            start = tuple(tokens.prefix) or tuple(tokens.start[:1])
            after = () if end is None else (int(end),)
            delimiter = tuple(self.encode([DELIMITER])[0])
            self._single = _Around(start, (), after)
            self._pair = _Around(start, delimiter, after)
        else:
            self._single = self._around(False)
            self._pair = self._around(True)
        self._lead = _lead(self.tokenizer)
        segments = getattr(model.network.config, "type_vocab_size", 0) or 0
        self.has_segments = model.family == "encoder" and segments > 1

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text on its own, nothing added."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids

    def encode_led(self, texts: Sequence[str]) -> list[list[int]]:
        """As `encode`, the first word as the tokenizer writes it inside a text.

        Byte-level tokenizers write a word without the space before it by other tokens, which
        pretraining meets where paragraphs begin and hardly ever in lower case.
        """
        return self.encode([self._led(text) for text in texts])

    def encode_with_offsets(
        self, texts: Sequence[str]
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """As `encode_led`, with the characters (from, to) of the text that each token covers."""
        if not texts:
            return []
        led = [self._led(text) for text in texts]
        found = self.tokenizer(led, add_special_tokens=False, return_offsets_mapping=True)
        places = [
            [(max(0, low - more), max(0, high - more)) for low, high in offsets]
            for offsets, more in zip(
                found["offset_mapping"],
                (len(ours) - len(text) for ours, text in zip(led, texts, strict=True)),
                strict=True,
            )
        ]
        return list(zip(found["input_ids"], places, strict=True))

    def room(self, pair: bool) -> int:
        """Tokens of text that fit a row.

        Raises CellFailed where there is none.
        """
        around = self._pair if pair else self._single
        room = self.max_length - sum(map(len, (around.before, around.between, around.after)))
        if room < 1:
            raise CellFailed(
                f"the window has no room for text beside its special and virtual tokens "
                f"({-room + 1} more needed); raise --max-length or lower the regime's tokens"
            )
        return room

    def join(self, first: Sequence[int], second: Sequence[int] | None = None) -> Joined:
        """The row of one text, or of two."""
        around = self._single if second is None else self._pair
        head = (*around.before, *first, *around.between)
        tail = (*(second or ()), *around.after)
        types: Ids = ()
        if self.has_segments:
            types = (0,) * len(head) + (0 if second is None else 1,) * len(tail)
        return Joined((*head, *tail), types, len(around.before), len(head))

    def _led(self, text: str) -> str:
        return text if not text or text[0].isspace() else self._lead + text

    def _around(self, pair: bool) -> _Around:
        """What the tokenizer puts around texts, read off one that it encoded."""
        encoded = self.tokenizer("a", "b") if pair else self.tokenizer("a")
        ids, of = encoded["input_ids"], encoded.sequence_ids(0)
        first = [place for place, text in enumerate(of) if text == 0]
        last = [place for place, text in enumerate(of) if text == 1] or first
        between = ids[first[-1] + 1 : last[0]] if pair else []
        return _Around(tuple(ids[: first[0]]), tuple(between), tuple(ids[last[-1] + 1 :]))


def _lead(tokenizer: Any) -> str:
    """A space where a word's token contains the one before it, and is another without; else ""."""
    bare, led = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("the", " the"))
    return " " if len(bare) == len(led) and bare != led else ""
