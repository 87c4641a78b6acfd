"""How tokenizers cut the same held-out text: fertility, bytes a token, whole words, unknowns."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from benchsuite.errors import InputError
from benchsuite.pretrain.corpus import Corpus
from benchsuite.pretrain.tokenizer import load_tokenizer

CHARACTERS = 2_000_000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Measures:
    """What one tokenizer makes of a text of `words` words (maximal runs of word characters).

    fertility: tokens a word, those of punctuation and white space included. bytes_per_token: UTF-8
    bytes of text a token. whole_word_share: of the words, those that are one known token, with or
    without the space before it. unknown_share: of the tokens, those that stand for text which the
    vocabulary cannot spell.
    """

    tokenizer: str
    model: str
    vocab_size: int
    words: int
    tokens: int
    fertility: float
    bytes_per_token: float
    whole_word_share: float
    unknown_share: float


def measure(
    corpus: Path, tokenizers: Sequence[Path], characters: int = CHARACTERS
) -> list[Measures]:
    """Measures of each tokenizer on about `characters` of the corpus's held-out slice.

    Raises InputError for a folder without a tokenizer and for a corpus without held-out words.
    """
    loaded = [load_tokenizer(folder) for folder in tokenizers]
    texts = list(Corpus(corpus).sample(characters, held_out=True))
    if not any(map(_WORD.search, texts)):
        raise InputError(f"the held-out slice of {corpus} is empty; the corpus is too small")
    return [
        _measure(str(folder), tokenizer, texts)
        for folder, tokenizer in zip(tokenizers, loaded, strict=True)
    ]


def _measure(name: str, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Measures:
    backend = tokenizer.backend_tokenizer
    words = tokens = unknown = whole = 0
    for text in texts:
        encoding = backend.encode(text, add_special_tokens=False)
        known = [one != tokenizer.unk_token_id for one in encoding.ids]
        # every piece of a character that takes several tokens has the whole character's span
        spans = Counter(
            _strip(text, *span)
            for span, spelled in zip(encoding.offsets, known, strict=True)
            if spelled
        )
        found = [match.span() for match in _WORD.finditer(text)]
        words += len(found)
        whole += sum(spans[span] == 1 for span in found)
        tokens += len(known)
        unknown += known.count(False)
    return Measures(
        tokenizer=name,
        model=type(backend.model).__name__,
        vocab_size=len(tokenizer),
        words=words,
        tokens=tokens,
        fertility=tokens / words,
        bytes_per_token=sum(len(text.encode()) for text in texts) / tokens,
        whole_word_share=whole / words,
        unknown_share=unknown / tokens,
    )


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """A token's span without the space at its head."""
    return (start + 1, end) if text[start : start + 1] == " " else (start, end)
