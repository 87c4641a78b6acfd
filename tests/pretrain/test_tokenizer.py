"""The three kinds against textbooks and brute force, and what every saved tokenizer promises."""

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from benchsuite.errors import InputError
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.tokenizer import (
    KIND_NAMES,
    load_tokenizer,
    special_tokens,
    train_bpe,
    train_tokenizer,
    train_unigram,
    train_wordpiece,
    wrap,
)

from .conftest import write_source

BYTES = 256
TEXTBOOK = "banana band ban"
KINDS = tuple(KIND_NAMES)
LOSSLESS = ("bpe", "unigram")


def _model(tokenizer: Tokenizer) -> dict:
    model: dict = json.loads(tokenizer.to_str())["model"]
    return model


@pytest.fixture(scope="module")
def folders(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tokenizer of each kind, 600 entries, trained on the made-up corpus."""
    root = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        train_tokenizer(corpus, root / kind, vocab_size=600, kind=kind)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(params=KINDS)
def loaded(request: pytest.FixtureRequest, folders: dict[str, Path]) -> PreTrainedTokenizerFast:
    """Each kind, loaded as the scoring engines load it."""
    return AutoTokenizer.from_pretrained(folders[request.param])


def test_bpe_merges_follow_the_textbook() -> None:
    # banana, band, ban: the pairs counted are a+n 4, b+a 3, n+a 2, n+d 1, so a+n comes first;
    # then b+an 3 beats an+an 1, an+a 1, an+d 1
    room = len(special_tokens()) + BYTES + 2
    trained = train_bpe([TEXTBOOK.replace(" ", "\n")], room)
    assert [tuple(pair) for pair in _model(trained)["merges"]] == [("a", "n"), ("b", "an")]


def test_wordpiece_merges_the_most_frequent_pair() -> None:
    # b ##a ##n ##a ##n ##a, b ##a ##n ##d, b ##a ##n: ##a+##n 4, b+##a 3, ##n+##a 2, ##n+##d 1.
    # By the paper's gain, count(pair) / (count(first) x count(second)), ##n+##d would come first:
    # 1/(4 x 1) against 4/(5 x 4), 3/(3 x 5) and 2/(4 x 5)
    vocabulary = train_wordpiece([TEXTBOOK], 600).get_vocab()
    in_order = sorted(vocabulary, key=vocabulary.__getitem__)
    alphabet = ["##a", "##b", "##d", "##n", "a", "b", "d", "n"]
    start = len(special_tokens()) + 1
    assert in_order[start : start + 8] == alphabet
    # then ban 3 beats ##an+##an 1, ##an+##a 1, ##an+##d 1
    assert in_order[start + 8 : start + 10] == ["##an", "ban"]


def test_wordpiece_takes_the_longest_match_from_the_left() -> None:
    tokenizer = train_wordpiece([TEXTBOOK], 600)
    # merged above: ##an, ban, ##ana, band, banana
    assert tokenizer.encode("bananas banand, aband").tokens == [
        *("[UNK]", "ban", "##an", "##d", "[UNK]", "a", "##b", "##an", "##d")
    ]


def test_wordpiece_keeps_the_most_frequent_characters() -> None:
    # 300 characters, each more often than the next
    characters = [chr(0x1000 + number) for number in range(300)]
    letters = [one for one in characters if one.isalpha()][:280]
    text = " ".join(one * 2 for rank, one in enumerate(letters) for _ in range(300 - rank))
    tokenizer = train_wordpiece([text], 600)
    assert [tokenizer.encode(one).tokens != ["[UNK]"] for one in letters] == [
        rank < 256 for rank in range(len(letters))
    ]


def _best(text: str, scores: dict[str, float]) -> float:
    """The highest score of all ways to cut a text into pieces, each way tried."""
    ways = [
        scores[text[:end]] + (_best(text[end:], scores) if text[end:] else 0.0)
        for end in range(1, len(text) + 1)
        if text[:end] in scores
    ]
    return max(ways, default=-math.inf)


@given(st.text(alphabet="bandĠ", min_size=1, max_size=12))
def test_unigram_finds_the_best_segmentation(text: str) -> None:
    pieces = _UNIGRAM.model.tokenize(text)
    found = sum(_SCORES[piece.value] for piece in pieces)
    assert "".join(piece.value for piece in pieces) == text
    assert found == pytest.approx(_best(text, _SCORES))


_UNIGRAM = train_unigram(["banana band ban an and a nab bad dab"] * 3, 320)
_SCORES = {piece: score for piece, score in _model(_UNIGRAM)["vocab"][len(special_tokens()) :]}


def test_unigram_scores_are_probabilities_of_pieces() -> None:
    # more than one way was open above: there are pieces of several bytes; bytes never seen have the
    # lowest score of all, the other scores are logarithms of shares that add up to about 1
    seen = {piece: score for piece, score in _SCORES.items() if len(piece) > 1 or piece in "bandĠ"}
    assert sum(len(piece) > 1 for piece in seen) >= 3
    unseen = {score for piece, score in _SCORES.items() if piece not in seen}
    assert unseen == {min(_SCORES.values())}
    assert 0.8 < sum(map(math.exp, seen.values())) < 1.2


def test_unigram_has_frequent_words_without_their_punctuation() -> None:
    # "quick" is a part of no other word: the library's trainer, given words alone, cannot find it
    tokenizer = train_unigram(["the quick fox. a quick, quick dog; so quick! quick?"] * 9, 330)
    assert tokenizer.encode("a quick, quick!").tokens == ["a", "Ġquick", ",", "Ġquick", "!"]
    assert not any(re.search(r"[a-z][.,;!?]", piece) for piece in tokenizer.get_vocab())


def test_one_set_of_special_tokens_for_all(loaded: PreTrainedTokenizerFast) -> None:
    names = [str(token) for token in special_tokens()]
    assert len(names) == 37
    assert loaded.convert_tokens_to_ids(names) == list(range(37))
    for number, name in enumerate(names):
        assert loaded.encode(name) == [number]
    assert loaded.bos_token == loaded.eos_token == "<|endoftext|>"
    wordpiece = type(loaded.backend_tokenizer.model).__name__ == "WordPiece"
    assert loaded.unk_token == ("[UNK]" if wordpiece else None)
    assert len(loaded.added_tokens_decoder) == 37 + wordpiece
    assert loaded.model_max_length == 1024


def test_nothing_is_added_by_itself(loaded: PreTrainedTokenizerFast) -> None:
    assert loaded("the cat").input_ids == loaded("the cat", add_special_tokens=False).input_ids
    assert loaded.tokenize("the")[0][0] != "Ġ"  # no space is put before


def test_mask_strips_the_space_on_its_left(loaded: PreTrainedTokenizerFast) -> None:
    with_space = loaded("the [MASK] sees").input_ids
    assert with_space == loaded("the[MASK] sees").input_ids
    assert with_space.count(loaded.mask_token_id) == 1
    # nothing is left between it and the word before
    before, after = loaded("the").input_ids, loaded(" sees").input_ids
    assert with_space == [*before, loaded.mask_token_id, *after]


def test_other_special_tokens_leave_the_space(folders: dict[str, Path]) -> None:
    bpe = load_tokenizer(folders["bpe"])
    assert bpe.convert_ids_to_tokens(bpe("the [CLS]").input_ids)[-2] == "Ġ"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_unicode_comes_back_from_bytes(text: str) -> None:
    for tokenizer in _BYTE_LEVEL:
        assert tokenizer.decode(tokenizer(text).input_ids) == text


_BYTE_LEVEL = [
    wrap(train_bpe([TEXTBOOK], len(special_tokens()) + BYTES + 2)),
    wrap(_UNIGRAM),
]


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("text", [" naïve 東京", "🙂🙂\n\n tab\t", "e\u0301 \u00a0 .", "it 's"])
def test_chosen_unicode_comes_back(folders: dict[str, Path], kind: str, text: str) -> None:
    loaded = AutoTokenizer.from_pretrained(folders[kind])
    assert loaded.decode(loaded(text).input_ids) == text


@given(st.text(alphabet="bandBANDé ,.!?'-\n\t\u00a0"))
def test_words_and_punctuation_come_back_from_wordpiece(text: str) -> None:
    ids = _WORDPIECE(text).input_ids
    decoded = _WORDPIECE.decode(ids)
    assert _WORDPIECE(decoded).input_ids == ids
    # all but white space, where nothing is unknown
    assert "".join(decoded.split()) == "".join(text.split())


_LETTERS = "bandBANDé"
_WORDPIECE = wrap(train_wordpiece([f"{' '.join(_LETTERS)} {2 * _LETTERS} , . ! ? ' -"], 600))


def test_ordinary_prose_comes_back_from_wordpiece() -> None:
    for text in ("Band, ban. banana!", "a band? BAND."):
        assert _WORDPIECE.decode(_WORDPIECE(text).input_ids) == text


def test_tokens_that_go_on_with_a_word_are_known(loaded: PreTrainedTokenizerFast) -> None:
    """What whole-word masking joins is what the tokenizer itself calls a word."""
    first, last = Vocabulary.of(loaded).word_edges
    encoding = loaded("catriver some gardenhouse, the birdies songbird. mywinter")
    ids, words, tokens = encoding.input_ids, encoding.word_ids(), encoding.tokens()
    pairs = [(at, at + 1) for at in range(len(ids) - 1)]
    joined = [bool(first[ids[two]] and last[ids[one]]) for one, two in pairs]
    # a space that is a token of its own belongs to no word
    same = [words[one] == words[two] and tokens[one] != "Ġ" for one, two in pairs]
    assert joined == same
    assert {True, False} <= set(joined)


@pytest.mark.parametrize("kind", KINDS)
def test_training_twice_gives_the_same_tokenizer(
    corpus: Path, folders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    train_tokenizer(corpus, tmp_path, vocab_size=600, kind=kind)
    first, second = (folder / "tokenizer.json" for folder in (folders[kind], tmp_path))
    assert first.read_text() == second.read_text()


@pytest.mark.parametrize(("kind", "taken"), [("bpe", 293), ("unigram", 293), ("wordpiece", 550)])
def test_a_vocabulary_has_room_for_merges(
    corpus: Path, tmp_path: Path, kind: str, taken: int
) -> None:
    with pytest.raises(InputError, match=f"leaves no merges.* take {taken}$"):
        train_tokenizer(corpus, tmp_path, vocab_size=taken, kind=kind)
    assert len(train_tokenizer(corpus, tmp_path, vocab_size=taken + 1, kind=kind)) <= taken + 1


def test_bad_settings_are_refused_in_one_line(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown tokenizer kind 'word'; there is bpe, wordpiece"):
        train_tokenizer(corpus, tmp_path, kind="word")
    with pytest.raises(InputError, match="exceeds 16-bit ids"):
        train_tokenizer(corpus, tmp_path, vocab_size=70_000)
    with pytest.raises(InputError, match="--characters must be above 0"):
        train_tokenizer(corpus, tmp_path, characters=0)
    with pytest.raises(InputError, match="does not exist"):
        train_tokenizer(tmp_path / "none", tmp_path)
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        load_tokenizer(corpus)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer\.json is damaged"):
        load_tokenizer(tmp_path)
    faced = train_tokenizer(corpus, tmp_path / "whole", vocab_size=300)
    (tmp_path / "whole" / "tokenizer_config.json").unlink()
    assert Vocabulary.of(faced).mask >= 0
    with pytest.raises(InputError, match="whole lacks special tokens; use one made by"):
        Vocabulary.of(load_tokenizer(tmp_path / "whole"))
    write_source(tmp_path / "stubs", "only", ["too short"])
    with pytest.raises(InputError, match="no text to train on"):
        train_tokenizer(tmp_path / "stubs", tmp_path)


def test_a_full_disk_leaves_no_half_of_a_tokenizer(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, folder: str) -> None:
        (Path(folder) / "tokenizer.json").write_text("{")
        raise Exception("File too large (os error 27)")  # what the library raises

    monkeypatch.setattr(PreTrainedTokenizerFast, "save_pretrained", fail)
    with pytest.raises(OSError, match="File too large"):
        train_tokenizer(corpus, tmp_path, vocab_size=300)
    assert not list(tmp_path.iterdir())
