"""Rows are what the family's own tokenizer would write, or start, delimiter and extract."""

from __future__ import annotations

import pytest

from benchsuite.errors import CellFailed
from benchsuite.models.registry import Model, load_model
from benchsuite.training.rows import Layout
from tests.tiny import SENTENCES


@pytest.fixture(scope="module")
def models(request: pytest.FixtureRequest) -> dict[str, Model]:
    found = {}
    for family, name in (("decoder", "gpt2"), ("encoder", "bert"), ("encoder-decoder", "t5")):
        found[family] = load_model(str(request.getfixturevalue(f"tiny_{name}_folder")))
    return found


@pytest.mark.parametrize("family", ["encoder", "encoder-decoder"])
def test_rows_are_the_tokenizer_s_own(family: str, models: dict[str, Model]) -> None:
    model = models[family]
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


def test_a_decoder_reads_start_text_delimiter_text_extract(models: dict[str, Model]) -> None:
    model = models["decoder"]
    layout = Layout(model)
    one, two = layout.encode(SENTENCES[:2])
    end = model.tokenizer.eos_token_id
    newline = model.tokenizer("\n")["input_ids"]
    joined = layout.join(one, two)
    assert list(joined.ids) == [end, *one, *newline, *two, end]
    assert list(layout.join(one).ids) == [end, *one, end]
    assert (joined.first, joined.second) == (1, 1 + len(one) + len(newline))


@pytest.mark.parametrize("family", ["decoder", "encoder", "encoder-decoder"])
def test_room_is_what_is_left_of_the_window(family: str, models: dict[str, Model]) -> None:
    model = models[family]
    layout = Layout(model, reserved=10)
    for pair in (False, True):
        room = layout.room(pair)
        ids = layout.join([5] * room if not pair else [5] * (room - 1), [5] if pair else None).ids
        assert len(ids) == model.max_length - 10
    with pytest.raises(CellFailed, match="no room for text .* raise --max-length"):
        Layout(model, reserved=model.max_length - 1).room(True)
