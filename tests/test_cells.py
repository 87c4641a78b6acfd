"""Cells: parsing is the inverse of formatting, plans are pure and stable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.cells import (
    Cell,
    RegimeCall,
    digest,
    format_regime,
    parse_regime,
    parse_seeds,
    parse_value,
    plan,
)
from benchsuite.errors import InputError

words = st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True).filter(
    lambda word: parse_value(word) == word
)
values = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: "+" not in repr(x)),
    words,
)
calls = st.builds(
    RegimeCall, name=words, options=st.dictionaries(st.one_of(st.just(""), words), values)
)


@given(calls)
def test_parse_is_the_inverse_of_format(call: RegimeCall) -> None:
    again = parse_regime(format_regime(call))
    assert again == call
    assert [type(v) for v in again.options.values()] == [type(v) for v in call.options.values()]


def test_a_share_and_a_count_stay_apart() -> None:
    assert parse_regime("frozen:1").options[""] == 1
    assert isinstance(parse_regime("frozen:1").options[""], int)
    assert isinstance(parse_regime("frozen:1.0").options[""], float)


@pytest.mark.parametrize("text", ["", ":", "lora:", "lora:r=", "lora:=3", "lora:r=1+r=2", "a:1+2"])
def test_malformed_regimes_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_regime(text)


def test_seeds() -> None:
    assert parse_seeds("0") == [0]
    assert parse_seeds("0..4") == [0, 1, 2, 3, 4]
    assert parse_seeds("3,1,1..2") == [3, 1, 2]
    for bad in ("", "a", "2..1", "0,,1", "-1"):
        with pytest.raises(InputError):
            parse_seeds(bad)


def test_seeds_make_no_copies_of_a_regime_without_randomness() -> None:
    cells = plan(
        ["m"],
        [parse_regime("zeroshot"), parse_regime("lora")],
        [("t", 5, None), ("u", None, 7)],
        [0, 1],
        {"zeroshot": False, "lora": True},
    )
    assert [(c.task, c.regime.name, c.seed) for c in cells] == [
        ("t", "zeroshot", None),
        ("t", "lora", 0),
        ("t", "lora", 1),
        ("u", "zeroshot", None),
        ("u", "lora", 0),
        ("u", "lora", 1),
    ]
    assert cells[0].limit == 5 and cells[-1].train_limit == 7


@given(calls, st.one_of(st.none(), st.integers(0, 9)))
def test_cells_survive_json(call: RegimeCall, seed: int | None) -> None:
    cell = Cell(model="m", task="t", regime=call, seed=seed)
    assert Cell.model_validate_json(cell.model_dump_json()) == cell


def test_digest_ignores_key_order_and_sees_values() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
