"""Rows are what the family's own tokenizer would write, or start, delimiter and extract."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchsuite.errors import CellFailed
from benchsuite.models.registry import Model, load_model
from benchsuite.training.rows import Layout, _lead
from tests.tiny import SENTENCES


@pytest.fixture(scope="module")
def tiny(request: pytest.FixtureRequest) -> dict[str, Model]:
    found = {}
    for family, name in (("decoder", "gpt2"), ("encoder", "bert"), ("encoder-decoder", "t5")):
        found[family] = load_model(str(request.getfixturevalue(f"tiny_{name}_folder")))
    return found


@pytest.mark.parametrize("family", ["encoder", "encoder-decoder"])
def test_rows_are_the_tokenizer_s_own(family: str, tiny: dict[str, Model]) -> None:
    model = tiny[family]
    layout = Layout(model)
    for first, second in zip(SENTENCES, SENTENCES[1:], strict=False):
        one, two = layout.encode([first, second])
        alone = model.tokenizer(first)
        assert list(layout.join(one).ids) == alone["input_ids"]
        pair = model.tokenizer(first, second, return_token_type_ids=True)
        joined = layout.join(one, two)
        assert list(joined.ids) == pair["input_ids"]
        assert list(joined.ids[joined.first : joined.first + len(one)]) == one
        assert list(joined.ids[joined.second : joined.second + len(two)]) == two
        if family == "encoder":
            assert list(joined.types) == pair["token_type_ids"]
        else:
            assert joined.types == ()


def test_a_decoder_reads_start_text_delimiter_text_extract(tiny: dict[str, Model]) -> None:
    model = tiny["decoder"]
    layout = Layout(model)
    one, two = layout.encode(SENTENCES[:2])
    end = model.tokenizer.eos_token_id
    newline = model.tokenizer("\n")["input_ids"]
    joined = layout.join(one, two)
    assert list(joined.ids) == [end, *one, *newline, *two, end]
    assert list(layout.join(one).ids) == [end, *one, end]
    assert (joined.first, joined.second) == (1, 1 + len(one) + len(newline))


@pytest.mark.parametrize("family", ["decoder", "encoder", "encoder-decoder"])
def test_room_is_what_is_left_of_the_window(family: str, tiny: dict[str, Model]) -> None:
    model = tiny[family]
    layout = Layout(model, reserved=10)
    for pair in (False, True):
        room = layout.room(pair)
        ids = layout.join([5] * room if not pair else [5] * (room - 1), [5] if pair else None).ids
        assert len(ids) == model.max_length - 10
    with pytest.raises(CellFailed, match="no room for text .* raise --max-length"):
        Layout(model, reserved=model.max_length - 1).room(True)


@pytest.mark.parametrize("name", ["gpt", "bert", "t5"])
def test_a_text_begins_as_a_word_inside_one_does(name: str) -> None:
    layout = Layout(load_model(name))

    def plain(text: str) -> list[int]:
        ids: list[int] = layout.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    texts = ["the cat sat", " the cat sat", "Élan 1,250", ""]
    expected = [plain(" the cat sat"), plain(" the cat sat"), plain(" Élan 1,250"), []]
    assert layout.encode_led(texts) == expected
    assert layout.encode(texts) == [plain(text) for text in texts]
    assert plain("the cat sat") != expected[0]
    found = layout.encode_with_offsets(texts)
    assert [ids for ids, _ in found] == expected
    for text, (ids, places) in zip(texts[:2], found, strict=False):
        pieces = [text[low:high].strip() for low, high in places]
        assert pieces == [layout.tokenizer.decode([token]).strip() for token in ids]
    places = found[2][1]
    assert (places[0][0], places[-1][1]) == (0, len(texts[2]))


def test_a_tokenizer_that_tells_no_first_word_apart_gets_no_space() -> None:
    words = Tokenizer(models.WordPiece({"[UNK]": 0, "the": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    # Here a second space is a token of its own, as in Llama 2.
    vocab = {text: number for number, text in enumerate(["▁", "t", "h", "e", "th", "the", "▁the"])}
    merges = [("t", "h"), ("th", "e"), ("▁", "the")]
    pieces = Tokenizer(models.BPE(vocab, merges))
    pieces.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    assert [len(pieces.encode(text).ids) for text in ("the", " the")] == [1, 2]
    for backend in (words, pieces):
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
        assert _lead(tokenizer) == ""
