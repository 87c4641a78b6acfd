"""Tokenizing in segments is tokenizing at once."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchsuite.scoring import Request, tokens
from benchsuite.scoring.tokens import SPLITS, Tokens, cuts_at_spaces
from tests.scoring.real import needs_data, real_requests
from tests.tiny import tiny_tokenizer

PARTS = [
    "The", "answer", "is", "they", "'t", "'s", "don't", "12", "1,250", "é", "e\u0301", "\u0301",
    " ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u2003", "\x1c", "<|endoftext|>", "日本", "🙂",
    "…", "€", ".", "...", "!?", "_", "-", "/", "K\u212a", "½", "ﬁ",
]  # fmt: skip
texts = st.lists(st.sampled_from([*PARTS, *[" "] * 12]), max_size=60).map("".join)


def changed(**parts) -> PreTrainedTokenizerFast:
    """The tiny tokenizer with another normalizer or pre-tokenizer."""
    tokenizer = tiny_tokenizer()
    for name, part in parts.items():
        setattr(tokenizer.backend_tokenizer, name, part)
    return tokenizer


def split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


TOKENIZERS = {
    "gpt2": tiny_tokenizer(),
    "qwen2": changed(pre_tokenizer=split_by(SPLITS[0]), normalizer=normalizers.NFC()),
    "llama3": changed(pre_tokenizer=split_by(SPLITS[1])),
    "prefix space": changed(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True)),
}


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(contexts=st.lists(texts, min_size=1, max_size=3), ends=st.lists(texts, min_size=1))
def test_segments_give_the_ids_of_the_whole(name, contexts, ends):
    tokenizer = TOKENIZERS[name]
    assert cuts_at_spaces(tokenizer)
    endings = tuple(end + "x" for end in ends)
    with pytest.MonkeyPatch.context() as patch:
        # Cut wherever it is allowed, not only now and then.
        patch.setattr(tokens, "SEGMENT", 0)
        found = Tokens(tokenizer).encode([Request(context, endings) for context in contexts])
    whole = Tokens(tokenizer)
    whole.cuts = False
    assert found == whole.encode([Request(context, endings) for context in contexts])


def test_a_long_context_is_cut():
    context = "The answer is very positive. " * 12
    closed, rest = Tokens(tiny_tokenizer())._segments(context)
    assert len(closed) > 4
    assert "".join(closed) + rest == context
    assert len(rest) < 100


def fastest(work) -> float:
    """Seconds of the fastest of three calls."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize("sentence", ["Это обычный русский текст. ", "文" * 27, "a\n" * 14])
def test_cutting_takes_less_time_than_tokenizing(sentence):
    """Also where no space stands between two ASCII characters: no search from every start."""
    cut = Tokens(tiny_tokenizer())
    context = sentence * 700
    assert fastest(lambda: cut._segments(context)) < fastest(lambda: cut.count([context]))


def test_a_context_is_cut_once_a_call(monkeypatch):
    given = []
    segments = Tokens._segments

    def noted(self, context):
        given.append(context)
        return segments(self, context)

    monkeypatch.setattr(Tokens, "_segments", noted)
    context = "The answer is very positive. " * 4
    Tokens(tiny_tokenizer()).encode(
        [Request(context, (" yes", " no"))] * 3 + [Request("x", ("y",))]
    )
    assert sorted(given) == [context, "x"]


@pytest.mark.parametrize("continuation", ["\u0301", "\u0301 is", "\u0301\u0327", "\u0327 is"])
def test_an_accent_that_is_composed_with_the_end_of_the_context(continuation):
    """The composed letter straddles the boundary, so it belongs to the continuation."""
    composing = Tokens(changed(normalizer=normalizers.NFC()))
    (found,) = composing.encode([Request("The caf e", (continuation,))])
    decode = composing.tokenizer.decode
    assert decode(found.ids[: found.split]).strip() == "The caf"
    scored = decode(found.ids[found.split :]).strip()
    assert scored == unicodedata.normalize("NFC", "e" + continuation)
    # Two tokens where nothing composes them.
    (apart,) = Tokens(tiny_tokenizer()).encode([Request("e", ("\u0301",))])
    assert tiny_tokenizer().decode(apart.ids[apart.split :]) == "\u0301"


@pytest.mark.parametrize(
    "tokenizer",
    [
        # A pattern that is not known, merges over spaces, characters that join over a cut, and
        # tokens that swallow the space after them or hold one.
        changed(pre_tokenizer=split_by(r"\w+ \w+|\s+|.")),
        changed(pre_tokenizer=pre_tokenizers.ByteLevel(use_regex=False)),
        changed(pre_tokenizer=pre_tokenizers.Metaspace()),
        changed(normalizer=normalizers.NFKC()),
    ],
)
def test_what_is_not_known_is_not_cut(tokenizer):
    assert not cuts_at_spaces(tokenizer)
    context = "The answer is very positive. " * 12
    assert Tokens(tokenizer)._segments(context) == ([], context)


@pytest.mark.parametrize(
    "token",
    [
        AddedToken("<x>", rstrip=True),
        AddedToken("very positive"),
        AddedToken(" positive", single_word=True),
    ],
    ids=["takes the space after it", "holds a space", "looks before its space"],
)
def test_added_tokens_over_a_space(token):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([token])
    assert not cuts_at_spaces(tokenizer)


def test_what_was_last_asked_of_the_tokenizer_does_not_matter():
    tokenizer = tiny_tokenizer()
    expected = Tokens(tokenizer).count(["The answer is yes", "x"])
    tokenizer(["The answer is yes", "x"], padding="max_length", max_length=2, truncation=True)
    assert json.loads(tokenizer.backend_tokenizer.to_str())["padding"] is not None
    assert Tokens(tokenizer).count(["The answer is yes", "x"]) == expected


@needs_data
@pytest.mark.parametrize("task", ["race/middle", "ner/conll2003", "glue/cola", "squad/v1"])
def test_real_texts(task):
    from benchsuite.models.registry import load_model

    tokenizer = load_model("gpt").tokenizer
    requests = real_requests(task, 20, prompts=1)
    cut, whole = Tokens(tokenizer), Tokens(tokenizer)
    assert cut.cuts
    whole.cuts = False
    assert cut.encode(requests) == whole.encode(requests)
