"""Byte-level BPE against the textbook, and what the saved tokenizer promises."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from benchsuite.errors import InputError
from benchsuite.pretrain.corpus import is_held_out
from benchsuite.pretrain.tokenizer import (
    load_tokenizer,
    report,
    special_tokens,
    train_bpe,
    train_tokenizer,
    wrap,
)

from .conftest import write_source

BYTES = 256


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def test_bpe_merges_follow_the_textbook() -> None:
    # banana, band, ban: the pairs counted are a+n 4, b+a 3, n+a 2, n+d 1, so a+n comes first;
    # then b+an 3 beats an+an 1, an+a 1, an+d 1
    room = len(special_tokens()) + BYTES + 2
    assert _merges(train_bpe(["banana band ban".replace(" ", "\n")], room)) == [
        ("a", "n"),
        ("b", "an"),
    ]


def test_vocabulary_has_all_bytes_and_special_tokens(tokenizer: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    assert len(loaded) == 400
    assert len(special_tokens()) == 37
    for token in special_tokens():
        assert loaded.encode(str(token)) == [loaded.convert_tokens_to_ids(str(token))]
    assert loaded.bos_token == loaded.eos_token == "<|endoftext|>"
    assert loaded.unk_token is None
    assert loaded.model_max_length == 1024


def test_nothing_is_added_by_itself(tokenizer: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    assert loaded("the cat").input_ids == loaded("the cat", add_special_tokens=False).input_ids
    assert loaded.tokenize("the")[0][0] != "Ġ"  # no space is put before


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_unicode_comes_back(text: str) -> None:
    assert _SMALL.decode(_SMALL(text).input_ids) == text


_SMALL = wrap(train_bpe(["banana band"], len(special_tokens()) + BYTES + 2))


@pytest.mark.parametrize("text", [" naïve 東京", "🙂🙂\n\n tab\t", "e\u0301 \u00a0 .", "it 's"])
def test_chosen_unicode_comes_back(tokenizer: Path, text: str) -> None:
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    assert loaded.decode(loaded(text).input_ids) == text


def test_mask_strips_the_space_on_its_left(tokenizer: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    with_space = loaded("the [MASK] sees").input_ids
    assert with_space == loaded("the[MASK] sees").input_ids
    assert with_space.count(loaded.mask_token_id) == 1
    assert loaded.convert_ids_to_tokens(loaded("the [CLS]").input_ids)[-2] == "Ġ"


def test_training_twice_gives_the_same_tokenizer(corpus: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_tokenizer(corpus, tmp_path / name, vocab_size=320)
    first, second = ((tmp_path / name / "tokenizer.json").read_text() for name in ("a", "b"))
    assert first == second


def test_bad_settings_are_refused_in_one_line(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown tokenizer kind 'unigram'"):
        train_tokenizer(corpus, tmp_path, kind="unigram")
    with pytest.raises(InputError, match="leaves no merges"):
        train_tokenizer(corpus, tmp_path, vocab_size=200)
    with pytest.raises(InputError, match="does not exist"):
        train_tokenizer(tmp_path / "none", tmp_path)
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        load_tokenizer(corpus)


def test_report_on_held_out_text(corpus: Path, tokenizer: Path) -> None:
    measured = report(corpus, tokenizer)
    assert measured["pieces"] >= 1
    assert measured["fertility"] == measured["tokens"] / measured["words"]
    # 400 entries spell most of the made-up words as one token
    assert 1 < measured["fertility"] < 3
    assert 1 < measured["bytes_per_token"] < 7
    assert 0 < measured["whole_word_share"] < 1


def test_report_counts_by_hand(tmp_path: Path) -> None:
    # merges an, ban: "ban" is one token, "band" two (ban d), " ban" two (space, ban)
    tokenizer = wrap(train_bpe(["banana\nband\nban"], len(special_tokens()) + BYTES + 2))
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    text = next(
        text
        for text in (f"ban\nband\n{'ban ' * (60 + i)}".rstrip() for i in range(5000))
        if is_held_out(text)
    )
    repeats = text.count("ban") - 2
    write_source(tmp_path / "corpus", "only", [text])
    measured = report(tmp_path / "corpus", tmp_path / "tokenizer")
    assert measured["words"] == repeats + 2
    # ban, \n, ban, d, \n, then ban once and (space, ban) for the others
    assert measured["tokens"] == 5 + 1 + 2 * (repeats - 1)
    assert measured["bytes_per_token"] == len(text) / measured["tokens"]
    assert measured["whole_word_share"] == (repeats + 1) / (repeats + 2)
