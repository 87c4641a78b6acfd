"""The report's figures against counts by hand."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from benchsuite.errors import InputError
from benchsuite.pretrain.corpus import is_held_out
from benchsuite.pretrain.tokenizer import special_tokens, train_bpe, train_wordpiece, wrap
from benchsuite.pretrain.tokenizer_report import Measures, measure

from .conftest import write_source

BYTES = 256


def _measured(tokenizer: Tokenizer, text: str, repeated: str, folder: Path) -> tuple[Measures, int]:
    """Measures on `text` and as many copies of `repeated` as make it held out; their number."""
    whole, copies = next(
        (whole, copies)
        for copies in range(60, 5000)
        if is_held_out(whole := (text + copies * repeated).rstrip())
    )
    write_source(folder / "corpus", "only", [whole])
    wrap(tokenizer).save_pretrained(folder / "tokenizer")
    (found,) = measure(folder / "corpus", [folder / "tokenizer"])
    return found, copies


def test_bpe_by_hand(tmp_path: Path) -> None:
    # merges an, ban: "ban" is one token, "band" two (ban d), " ban" two (space, ban)
    bpe = train_bpe(["banana\nband\nban"], len(special_tokens()) + BYTES + 2)
    found, copies = _measured(bpe, "ban\nband\n", "ban ", tmp_path)
    assert (found.model, found.vocab_size) == ("BPE", 295)
    assert found.words == 2 + copies
    # ban, \n, ban, d, \n, then ban once and (space, ban) for the others
    assert found.tokens == 5 + 1 + 2 * (copies - 1)
    assert found.fertility == found.tokens / found.words
    assert found.bytes_per_token == (len("ban\nband\n") + 4 * copies - 1) / found.tokens
    assert found.whole_word_share == (1 + copies) / (2 + copies)
    assert found.unknown_share == 0


def test_a_letter_of_two_bytes_is_no_whole_word(tmp_path: Path) -> None:
    bpe = train_bpe(["banana\nband\nban"], len(special_tokens()) + BYTES + 2)
    found, copies = _measured(bpe, "é\n", "ban ", tmp_path)
    assert found.words == 1 + copies
    assert found.whole_word_share == copies / (1 + copies)
    assert found.bytes_per_token == (3 + 4 * copies - 1) / (3 + 1 + 2 * (copies - 1))


def test_wordpiece_by_hand(tmp_path: Path) -> None:
    # ban is an entry, ##an and ##d too; "nose" has letters that are not
    wordpiece = train_wordpiece(["banana band ban"], 600)
    found, copies = _measured(wordpiece, "nose banand\n", "ban ", tmp_path)
    assert found.model == "WordPiece"
    assert found.words == 2 + copies
    # [UNK], ban ##an ##d, then one a copy
    assert found.tokens == 4 + copies
    assert found.whole_word_share == copies / (2 + copies)
    assert found.unknown_share == 1 / (4 + copies)


def test_several_on_the_same_text(corpus: Path, tokenizer: Path) -> None:
    found = measure(corpus, [tokenizer, tokenizer])
    assert found[0] == found[1]
    assert found[0].tokenizer == str(tokenizer)
    # 400 entries spell most of the made-up words as one token
    assert 1 < found[0].fertility < 3
    assert 0 < found[0].whole_word_share < 1


def test_bad_input_is_refused_in_one_line(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        measure(corpus, [tokenizer, tmp_path])
    text = next(
        text
        for text in (f"{'word ' * (60 + i)}".rstrip() for i in range(99))
        if not is_held_out(text)
    )
    write_source(tmp_path, "only", [text])
    with pytest.raises(InputError, match="held-out slice of .* is empty"):
        measure(tmp_path, [tokenizer])
