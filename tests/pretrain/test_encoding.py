"""From a corpus to shards."""

from pathlib import Path

import pytest

from benchsuite.errors import InputError
from benchsuite.pretrain import shards as shards_module
from benchsuite.pretrain.corpus import Corpus
from benchsuite.pretrain.encoding import encode_corpus
from benchsuite.pretrain.shards import read_meta, read_shards
from benchsuite.pretrain.tokenizer import load_tokenizer
from tests.pretrain.conftest import write_source
from tests.tiny import tiny_tokenizer


def test_bad_settings_are_refused_in_one_line(
    corpus: Path, tokenizer: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="mix names 'novels'"):
        encode_corpus(corpus, tokenizer, tmp_path, tokens=100, mix={"novels": 1.0})
    with pytest.raises(InputError, match="needs a token count"):
        encode_corpus(corpus, tokenizer, tmp_path, mix={"fables": 1.0})
    with pytest.raises(InputError, match="number of tokens must be above 0"):
        encode_corpus(corpus, tokenizer, tmp_path, tokens=0)


def test_a_text_that_spells_special_tokens_is_text(tokenizer: Path, tmp_path: Path) -> None:
    told = "They wrote <extra_id_0> and [MASK] and <|endoftext|> on the wall. " * 8
    write_source(tmp_path / "corpus", "only", [told])
    encode_corpus(tmp_path / "corpus", tokenizer, tmp_path / "shards")
    ids = read_shards(tmp_path / "shards", "train")
    face = load_tokenizer(tokenizer)
    assert [id for id in ids if id in face.all_special_ids] == [face.eos_token_id]
    assert face.decode(ids[:-1]) == told.strip()


def test_a_tokenizer_without_the_shared_special_tokens_is_refused(
    corpus: Path, tmp_path: Path
) -> None:
    tiny_tokenizer("decoder").save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"has no \[PAD\]; make one with `bench tokenizer train`"):
        encode_corpus(corpus, tmp_path / "other", tmp_path / "shards")


def test_shards_decode_to_the_documents(shards: Path, corpus: Path) -> None:
    loaded = load_tokenizer(shards / "tokenizer")
    decoded = "".join(
        loaded.decode(read_shards(shards, split)) for split in ("train", "validation")
    )
    pieces = set(decoded.split("<|endoftext|>")) - {""}
    documents = {
        document
        for source in ("fables", "letters")
        for document in Corpus(corpus).documents(source)
    }
    assert pieces == documents


def test_encoding_again_with_less_leaves_nothing_of_before(
    corpus: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "SHARD_TOKENS", 10_000)
    whole = encode_corpus(corpus, tokenizer, tmp_path)
    before = len(list(tmp_path.glob("train-*.npz")))
    less = encode_corpus(corpus, tokenizer, tmp_path, tokens=20_000)
    assert less["train_tokens"] < whole["train_tokens"]
    assert len(list(tmp_path.glob("train-*.npz"))) < before
    assert len(read_shards(tmp_path, "train")) == less["train_tokens"]
    assert read_meta(tmp_path) == less


def test_a_mix_takes_its_shares(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    mix = {"fables": 0.75, "letters": 0.25}
    meta = encode_corpus(corpus, tokenizer, tmp_path, tokens=100_000, mix=mix)
    fables = meta["sources"]["fables"]["train_tokens"]
    letters = meta["sources"]["letters"]["train_tokens"]
    assert meta["train_tokens"] == fables + letters
    assert 0.6 < fables / (fables + letters) < 0.8
