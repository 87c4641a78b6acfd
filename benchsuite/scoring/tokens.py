"""Texts to token ids and their boundaries; every engine asks here."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from benchsuite.errors import CellFailed
from benchsuite.scoring.plan import Row
from benchsuite.scoring.types import Request

# What a text is split into before byte-pair merges: GPT-2's pattern is built into ByteLevel, these
# are those of Llama 3 and Qwen 2. In all of them white space opens a piece or fills one; a space
# between two other characters always opens one, whatever stands before it.
SPLITS = tuple(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    + repeat
    + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    for repeat in ("", "{1,3}")
)
# Printable ASCII on both sides: what counts as white space beyond it differs between libraries.
BORDER = re.compile(r"[!-~](?= [!-~])")
# Characters that a segment has more of, so that few calls tokenize much.
SEGMENT = 48


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
        self.cuts = cuts_at_spaces(tokenizer)
        self.prefix, self.start = _starting_tokens(tokenizer)
        # Any token can pad: padding is to the right of, or masked from, everything that counts.
        known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
        self.pad: int = next(token for token in known if token is not None)

    def encode(self, requests: Sequence[Request]) -> list[Encoded]:
        """Every continuation of every request, in order.

        Before the text comes what the tokenizer itself puts there. Where nothing comes before the
        first token to score, bos (or eos, for want of one) does, as in lm-eval's HFLM.
        A context is tokenized in segments that no token can straddle, where the tokenizer has
        such; only the rest of it goes through again with each continuation.
        Raises CellFailed where a continuation has no token.
        """
        contexts = {context: self._segments(context) for context in {r.context for r in requests}}
        segments = {segment for closed, _ in contexts.values() for segment in closed}
        ids_of = {
            text: ids for text, (ids, _) in zip(segments, self._ids(list(segments)), strict=True)
        }
        opened = {
            context: (tuple(chain.from_iterable(ids_of[segment] for segment in closed)), rest)
            for context, (closed, rest) in contexts.items()
        }
        pieces = [
            [opened[request.context][1] + continuation for continuation in request.continuations]
            for request in requests
        ]
        unique = list({text: None for texts in pieces for text in texts})
        encoded = dict(zip(unique, self._ids(unique), strict=True))
        found = []
        for number, (request, texts) in enumerate(zip(requests, pieces, strict=True)):
            before, rest = opened[request.context]
            for place, text in enumerate(texts):
                ids, ends = encoded[text]
                border = self._border(text, len(rest))
                split = next((at for at, end in enumerate(ends) if end > border), len(ids))
                if split == len(ids):
                    raise CellFailed(
                        f"request {number}: continuation {place} has no token to score"
                    )
                opening = self.prefix if before or split else self.start
                begin = opening + before
                found.append(Encoded(number, begin + ids, len(begin) + split))
        return found

    def encode_contexts(self, contexts: Sequence[str]) -> list[Row]:
        """Texts to be continued; an empty one is the token that begins a text."""
        return [(self.prefix + ids) or self.start for ids, _ in self._ids(contexts)]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return [len(encoding) for encoding in self._encodings(texts)]

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

    def _segments(self, context: str) -> tuple[list[str], str]:
        """A context as segments that are tokenized on their own, and the rest."""
        if not self.cuts:
            return [], context
        segments: list[str] = []
        begin = 0
        while cut := BORDER.search(context, begin + SEGMENT):
            segments.append(context[begin : cut.end()])
            begin = cut.end()
        return segments, context[begin:]

    def _border(self, text: str, border: int) -> int:
        """Where a continuation begins for the tokenizer: not after a character it adds to.

        A normalizer may compose a letter and the accent that follows; offsets then give the whole
        to the letter.
        """
        normalizer = self.tokenizer.backend_tokenizer.normalizer
        if normalizer is None or not unicodedata.combining(text[border : border + 1] or " "):
            return border
        whole = normalizer.normalize_str(text)
        while not whole.startswith(normalizer.normalize_str(text[:border])):
            border -= 1
        return border

    def _ids(self, texts: Sequence[str]) -> list[tuple[Row, list[int]]]:
        """Token ids of each text, nothing added, and the end of each token in characters."""
        return [
            (tuple(encoding.ids), [end for _, end in encoding.offsets])
            for encoding in self._encodings(texts)
        ]

    def _encodings(self, texts: Sequence[str]) -> list[Any]:
        """The backend's own encodings: transformers turns every field of them into lists."""
        backend = self.tokenizer.backend_tokenizer
        # Whatever was last asked of the tokenizer stays set in its backend.
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = self.tokenizer.split_special_tokens
        found: list[Any] = backend.encode_batch(list(texts), add_special_tokens=False)
        return found


def cuts_at_spaces(tokenizer: Any) -> bool:
    """Whether text may be cut before a space between two printable ASCII characters and tokenized
    in parts: the ids are those of the whole.

    True for byte-pair merges within pieces that such a space always opens (GPT-2, Llama 3 and Qwen
    2 and those like them), with no normalization across it and no added token over it.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = state["pre_tokenizer"] or {}
    match steps.get("pretokenizers") or [steps]:
        case [{"type": "ByteLevel", "use_regex": True}]:
            pass
        case [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "use_regex": False},
        ] if regex in SPLITS:
            pass
        case _:
            return False
    added = state["added_tokens"]
    # A token that must be a word of its own looks at the character before its space.
    over = any(
        token["rstrip"]
        or re.search("[!-~] ", token["content"])
        or (token["single_word"] and token["content"].startswith(" "))
        for token in added
    )
    return (
        state["model"]["type"] == "BPE"
        and (state["normalizer"] or {}).get("type") in (None, "NFC")
        and not over
    )


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
