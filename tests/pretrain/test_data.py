"""Shards, packed rows, atomic files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.pretrain import shards as shards_module
from benchsuite.pretrain.data import Rows
from benchsuite.pretrain.shards import (
    META,
    SHARD_TOKENS,
    check_shards,
    read_meta,
    read_shards,
    tokenizer_hash,
    write_shards,
)

TOLD = {
    "train_tokens": 400,
    "validation_tokens": 0,
    "tokenizer_hash": "c8f0f0f8d6bd5a6a4d0d3a4a4a8c6f2b",
    "decontaminated": False,
    "sources": {},
}


def test_shards_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "SHARD_TOKENS", 100)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 2**16, size) for size in (0, 30, 350, 1, 99)]
    assert write_shards(arrays, tmp_path, "train") == 480
    assert len(list(tmp_path.glob("train-*.npz"))) == 5
    read = read_shards(tmp_path, "train")
    assert read.dtype == np.uint16
    assert np.array_equal(read, np.concatenate(arrays))


def test_a_smaller_encoding_replaces_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "SHARD_TOKENS", 100)
    write_shards([np.full(350, 1)], tmp_path, "train")
    write_shards([np.full(150, 1)], tmp_path, "validation")
    (tmp_path / META).write_text("{}")
    write_shards([np.full(120, 2)], tmp_path, "train")
    assert read_shards(tmp_path, "train").tolist() == [2] * 120
    assert read_shards(tmp_path, "validation").tolist() == [1] * 150
    # counts of the encoding before would be wrong
    with pytest.raises(InputError, match=r"has no shards\.json"):
        read_meta(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{x}-0000{i}.npz" for x in ("train", "validation") for i in (0, 1)]


def test_a_failed_encoding_leaves_the_shards_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "SHARD_TOKENS", 100)
    write_shards([np.full(350, 1)], tmp_path, "train")
    (tmp_path / META).write_text(json.dumps(TOLD))
    with pytest.raises(InputError, match="does not fit uint16"):
        write_shards([np.full(150, 2), np.array([70_000])], tmp_path, "train")
    assert read_shards(tmp_path, "train").tolist() == [1] * 350
    assert read_meta(tmp_path) == TOLD
    assert len(list(tmp_path.iterdir())) == 5


def test_a_shard_stays_under_45_mib_even_uncompressed() -> None:
    assert SHARD_TOKENS * 2 < 45 * 2**20


def test_shard_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not fit uint16"):
        write_shards([np.array([70_000])], tmp_path, "train")
    with pytest.raises(InputError, match="no train shards"):
        read_shards(tmp_path, "train")
    with pytest.raises(InputError, match=r"no shards\.json|has no shards\.json"):
        read_meta(tmp_path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def _dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _flip,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no array"),
        lambda path: np.savez(path, other=np.arange(3)),
        _dangle,
    ],
)
def test_a_damaged_shard_is_named(damage: Callable[[Path], object], tmp_path: Path) -> None:
    write_shards([np.random.default_rng(0).integers(0, 400, 5000)], tmp_path, "train")
    damage(tmp_path / "train-00000.npz")
    with pytest.raises(InputError, match=r"train-00000\.npz is damaged; copy it again"):
        read_shards(tmp_path, "train")


def test_shards_that_do_not_belong_together(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer" / "tokenizer.json"
    tokenizer.parent.mkdir()
    tokenizer.write_text("one")
    told = TOLD | {"tokenizer_hash": tokenizer_hash(tmp_path)}
    (tmp_path / META).write_text(json.dumps(told))
    check_shards(np.arange(400), tmp_path, "train", vocab_size=400)
    check_shards(np.arange(0), tmp_path, "validation", vocab_size=400)
    with pytest.raises(InputError, match=r"399 train tokens, shards\.json tells 400; copy all"):
        check_shards(np.arange(399), tmp_path, "train", vocab_size=400)
    with pytest.raises(InputError, match="of another tokenizer"):
        check_shards(np.arange(400), tmp_path, "train", vocab_size=399)
    tokenizer.write_text("another of the same size")
    with pytest.raises(InputError, match="of another tokenizer"):
        check_shards(np.arange(400), tmp_path, "train", vocab_size=400)
    wrong = (
        {"train_tokens": "400"},
        {"sources": []},
        {"sources": {"a": {}}},
        {"decontaminated": 1},
    )
    for damaged in ("{", "[]", "{}", *(json.dumps(TOLD | one) for one in wrong)):
        (tmp_path / META).write_text(damaged)
        with pytest.raises(InputError, match=r"shards\.json is damaged"):
            read_meta(tmp_path)


def test_tokens_read_at_several_lengths_are_counted_once() -> None:
    rows = Rows(np.zeros(101, dtype=np.uint16), seed=3)
    seen = np.zeros(101, dtype=bool)
    for length, count in ((10, 4), (25, 2)):
        for start in [rows._order(length, 0)[i] * length for i in range(count)]:
            seen[start : start + length] = True
    assert rows.distinct({10: 4, 25: 2}) == seen.sum() < 90
    # more than an epoch reads all that rows of this length reach
    assert rows.distinct({25: 9}) == 100


def test_no_tokens_have_no_row() -> None:
    with pytest.raises(InputError, match="hold fewer than 11 tokens"):
        Rows(np.zeros(0, dtype=np.uint16), seed=3).require(10)


def test_an_epoch_covers_every_window_once_and_the_next_differs() -> None:
    rows = Rows(np.arange(1001, dtype=np.uint16), seed=3)
    assert rows.count(100) == 10
    first = rows.batch(100, 0, 10)
    assert first.shape == (10, 101)
    assert sorted(first[:, 0].tolist()) == list(range(0, 1000, 100))
    # targets follow their inputs by one token
    assert (first[:, 1:] == first[:, :-1] + 1).all()
    second = rows.batch(100, 10, 10)
    assert sorted(second[:, 0].tolist()) == list(range(0, 1000, 100))
    assert first.tolist() != second.tolist()


def test_rows_depend_on_their_number_alone() -> None:
    tokens = np.arange(1001, dtype=np.uint16)
    straight = Rows(tokens, seed=3).batch(100, 0, 25)
    parts = Rows(tokens, seed=3)
    assert parts.batch(100, 7, 8).tolist() == straight[7:15].tolist()
    assert parts.batch(100, 18, 7).tolist() == straight[18:].tolist()
    assert Rows(tokens, seed=4).batch(100, 0, 25).tolist() != straight.tolist()


def test_too_little_text_is_refused() -> None:
    with pytest.raises(InputError, match="fewer than 101 tokens"):
        Rows(np.arange(100, dtype=np.uint16), seed=0).batch(100, 0, 1)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomically(path, lambda file: file.write(b"old"))

    def fail(file) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["x"]
