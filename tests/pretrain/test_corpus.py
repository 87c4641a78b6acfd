"""Cleaning, duplicates, the held-out slice, pieces, and the removal of evaluation n-grams."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.errors import InputError
from benchsuite.pretrain.corpus import Corpus, clean, is_held_out, is_stub, pieces
from benchsuite.pretrain.decontaminate import NgramIndex, build_index
from benchsuite.pretrain.encoding import encode_corpus

from .conftest import made_up_text, write_source


def test_clean_drops_markup_and_keeps_prose() -> None:
    text = "Cat\nA cat () is<br />small.\n{| class=wikitable\n|-\n<ref>x\n\nIt\u00a0 purrs (often)."
    assert clean(text) == "Cat\nA cat is small.\nIt purrs (often)."


def test_stubs() -> None:
    prose = made_up_text(random.Random(1))
    assert not is_stub(prose)
    assert is_stub("1971\nwill be .")
    assert is_stub("Banda\nBanda may refer to:\n" + "A band is a group. " * 20)
    assert not is_stub(prose + "\nThis may refer to a cat.")


def test_documents_without_duplicates_and_stubs(tmp_path: Path) -> None:
    rng = random.Random(2)
    first, second = made_up_text(rng), made_up_text(rng)
    write_source(tmp_path, "x", [first, second, f" {first}\n", "short"])
    corpus = Corpus(tmp_path)
    assert list(corpus.documents("x")) == [first, second]
    counts = corpus.counts["x"]
    assert (counts.documents, counts.duplicates, counts.stubs) == (4, 1, 1)


def test_a_document_of_two_sources_is_read_once(tmp_path: Path) -> None:
    rng = random.Random(2)
    both, own = made_up_text(rng), made_up_text(rng)
    write_source(tmp_path, "a", [both])
    write_source(tmp_path, "b", [both, own])
    corpus = Corpus(tmp_path)
    for _ in range(2):  # read again, nothing changes
        assert [list(corpus.documents(source)) for source in "ab"] == [[both], [own]]
    assert corpus.counts["b"].duplicates == 1


def test_corpus_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.parquet file"):
        Corpus(tmp_path)
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no column `text`"):
        list(Corpus(tmp_path).documents("x"))
    pq.write_table(pa.table({"text": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="column `text` holds int64; a corpus file has strings"):
        Corpus(tmp_path)
    (tmp_path / "x.parquet").unlink()
    (tmp_path / "x.parquet").mkdir()
    with pytest.raises(InputError, match="damaged or no parquet file"):
        Corpus(tmp_path)


def test_damaged_pages_name_their_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": [made_up_text(random.Random(4))]}), path)
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)  # a page's header; the footer stays whole
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.parquet is damaged"):
        list(Corpus(tmp_path).documents("x"))
    split = tmp_path / "data" / "toy" / "plain" / "validation.parquet"
    split.parent.mkdir(parents=True)
    split.write_bytes(content)
    with pytest.raises(InputError, match=r"validation\.parquet is damaged; pull it again"):
        build_index(tmp_path / "data")


def test_held_out_share_is_about_as_asked() -> None:
    texts = [f"document {i}" for i in range(20_000)]
    assert 60 <= sum(map(is_held_out, texts)) <= 140  # 100 expected, SD 10
    assert [is_held_out(text, 0.5) for text in texts[:50]] == [
        is_held_out(text, 0.5) for text in texts[:50]
    ]


def test_pieces_join_to_the_document() -> None:
    text = made_up_text(random.Random(3), sentences=400)
    parts = pieces(text, limit=1000)
    assert len(parts) > 5
    assert "\n".join(parts) == text
    assert max(map(len, parts)) < 1500


def _naive(paragraph: str, evaluation: list[str], n: int = 13) -> bool:
    """The same question with sets of word tuples."""

    def grams(text: str) -> set[tuple[str, ...]]:
        cleaned = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower())
        words = cleaned.split()
        return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}

    return any(grams(paragraph) & grams(text) for text in evaluation)


def test_ngram_overlap_equals_the_naive_one() -> None:
    rng = random.Random(4)
    words = ["one", "two", "three", "four"]

    def text() -> str:
        return " ".join(rng.choice(words) for _ in range(rng.randint(1, 60)))

    evaluation = [text() for _ in range(40)]
    paragraphs = [text() for _ in range(200)]
    # plant copies with other case and punctuation, and near misses of 12 shared words
    for number in range(0, 40, 2):
        source = evaluation[number].split()
        if len(source) >= 13:
            paragraphs.append("Well, " + ", ".join(source[:13]).upper() + "!")
            paragraphs.append("Well, " + " ".join(source[:12]) + " never")
    index = NgramIndex()
    index.add(evaluation, "made")
    expected = [_naive(paragraph, evaluation) for paragraph in paragraphs]
    assert 5 < sum(expected) < len(expected)
    assert index.overlaps(paragraphs).tolist() == expected


def test_an_empty_index_drops_nothing() -> None:
    assert not NgramIndex().overlaps(["a " * 40, ""]).any()
    index = NgramIndex()
    index.add(["b " * 40], "made")
    assert index.overlaps([]).shape == (0,)


def test_contaminated_paragraphs_are_left_out(tmp_path: Path, tokenizer: Path) -> None:
    rng = random.Random(5)
    documents = [made_up_text(rng) for _ in range(30)]
    leaked = documents[7].split("\n")[3]
    trained = documents[8].split("\n")[2]
    mirror = tmp_path / "mirror" / "some" / "task"
    mirror.mkdir(parents=True)
    pq.write_table(
        pa.table({"id": ["1"], "context": [f"Before. {leaked} After."]}),
        mirror / "validation.parquet",
    )
    pq.write_table(pa.table({"context": [trained]}), mirror / "train.parquet")
    write_source(tmp_path / "corpus", "x", documents)
    index = build_index(tmp_path / "mirror")
    assert index.overlaps([leaked, trained]).tolist() == [True, False]
    meta = encode_corpus(
        tmp_path / "corpus", tokenizer, tmp_path / "shards", data=tmp_path / "mirror"
    )
    counts = meta["sources"]["x"]
    assert meta["decontaminated"]
    assert counts["contaminated_paragraphs"] == 1
    assert counts["contaminated_words"] == len(leaked.split())
    assert counts["contaminated_by"] == {"some/task": len(leaked.split())}


def test_an_overlap_is_of_each_dataset_that_has_it(tmp_path: Path) -> None:
    first, second = (" ".join(f"{kind}{i}" for i in range(13)) for kind in "ab")
    for folder, text in (("blimp/one", first), ("blimp/two", second), ("race/high", second)):
        path = tmp_path / "nyu-mll" / folder
        path.mkdir(parents=True)
        split = "train" if "blimp" in folder else "test"
        pq.write_table(pa.table({"text": [text]}), path / f"{split}.parquet")
    index = build_index(tmp_path)
    assert index.datasets_of(f"x {first} y") == ["nyu-mll/blimp"]
    assert index.datasets_of(second) == ["nyu-mll/blimp", "nyu-mll/race/high"]
    assert index.datasets_of(first.removesuffix(" a12")) == []


def test_lists_of_words_are_indexed(tmp_path: Path) -> None:
    words = [f"w{i}" for i in range(20)]
    pq.write_table(pa.table({"tokens": [words]}), tmp_path / "test.parquet")
    index = build_index(tmp_path)
    assert len(index.hashes) == 8
    assert np.all(np.diff(index.hashes.astype(object)) > 0)


def test_a_mirror_without_evaluation_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no evaluation split"):
        build_index(tmp_path)
