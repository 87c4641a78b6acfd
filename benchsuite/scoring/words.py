"""Which tokens make one word.

The tokenizer's own words (pre-tokens), as Kauf and Ivanova (2023) and minicons take them: WordPiece
and byte-level BPE split punctuation from words themselves. Where a tokenizer splits at white space
alone, or nowhere (SentencePiece), a word also ends at white space, and punctuation at its edges
stands apart, so that no family's words hold more than a person would call a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any


def words_of_tokens(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """For each text, the number of the word that each of its tokens belongs to."""
    if not texts:
        return []
    encoded = tokenizer(
        list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    return [
        number_words(text, [end for _, end in offsets], encoded.word_ids(row))
        for row, (text, offsets) in enumerate(zip(texts, encoded["offset_mapping"], strict=True))
    ]


def number_words(text: str, ends: Sequence[int], pretokens: Sequence[int | None]) -> list[int]:
    """The number, from 0 and never falling, of the word that each token of `text` belongs to.

    ends: end of each token in characters. pretokens: the tokenizer's `word_ids`.
    """
    begins = [0, *ends[:-1]]  # offsets may leave out the space that a token begins with
    pieces = [text[begin:end] for begin, end in zip(begins, ends, strict=True)]
    numbers: list[int] = []
    number = 0
    for _, group in groupby(range(len(pieces)), key=lambda place: pretokens[place]):
        for span in _at_spaces(list(group), pieces):
            for size in _parts([pieces[place] for place in span]):
                numbers += [number] * size
                number += 1
    return numbers


def _at_spaces(places: list[int], pieces: Sequence[str]) -> Iterator[list[int]]:
    """Tokens of one pre-token, split where white space follows something else."""
    span: list[int] = []
    filled = False
    for place in places:
        piece = pieces[place]
        if filled and piece[:1].isspace():
            yield span
            span, filled = [], False
        span.append(place)
        filled = filled or bool(piece.strip())
    yield span


def _parts(pieces: Sequence[str]) -> Iterator[int]:
    """Numbers of tokens of: punctuation before a word, the word, punctuation after it."""
    # White space alone, and what is left of a character that several tokens share, is neither.
    marks = [place for place, piece in enumerate(pieces) if _is_punctuation(piece)]
    solid = [place for place, piece in enumerate(pieces) if piece.strip() and place not in marks]
    if not marks or not solid:
        yield len(pieces)
        return
    first = solid[0] if marks[0] < solid[0] else 0
    last = next((place for place in marks if place > solid[-1]), len(pieces))
    yield from (size for size in (first, last - first, len(pieces) - last) if size)


def _is_punctuation(piece: str) -> bool:
    """Whether a token is punctuation or symbols and nothing else but white space."""
    piece = piece.strip()
    return bool(piece) and all(unicodedata.category(one)[0] in "PS" for one in piece)
