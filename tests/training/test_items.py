"""Examples to rows and targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.models.registry import Model, load_model
from benchsuite.tasks.example import Example
from benchsuite.training.items import ItemMaker
from benchsuite.training.rows import Layout
from tests.tiny import SENTENCES, tiny_bert, tiny_gpt2, tiny_t5
from tests.training.made import made_task

FAMILIES = ("decoder", "encoder", "encoder-decoder")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    root = tmp_path_factory.mktemp("items")
    return {
        "decoder": load_model(str(tiny_gpt2(root / "gpt2"))),
        "encoder": load_model(str(tiny_bert(root / "bert"))),
        "encoder-decoder": load_model(str(tiny_t5(root / "t5")), max_length=64),
    }


def maker(model: Model, folder: Path, kind: str, reserved: int = 0) -> ItemMaker:
    pooling = "last" if model.family == "decoder" else "first"
    return ItemMaker(made_task(folder, kind).spec, Layout(model, reserved), pooling)


def made(fields: dict, target: object, starts: tuple[int, ...] = ()) -> Example:
    return Example("0", "train", "", "0", "", fields, target, starts)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tag_stands_where_its_word_is_read(
    family: str, models: dict[str, Model], tmp_path: Path
) -> None:
    model = models[family]
    words = ["Paris", ",", "Berlin", "and", "crème", "brûlée", "1,250"]
    one = maker(model, tmp_path, "tagging")
    [item] = one.make([made({"tokens": words}, tuple(range(4)) + (0, 1, 2))])
    row = item.rows[0]
    assert item.words == tuple(range(7)) and item.target == (0, 1, 2, 3, 0, 1, 2)
    # Brute force: a word begins, and ends, where the text up to there is whole tokens.
    ids = model.tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    first = row.ids.index(ids[0])
    for number, position in enumerate(row.positions):
        before = model.tokenizer.decode(ids[: position - first])
        upto = model.tokenizer.decode(ids[: position - first + 1]).strip()
        if family == "decoder":  # at the last subword: at the first it has not read the word
            assert upto == " ".join(words[: number + 1])
            assert before.strip() != upto
        else:
            assert before.strip() == " ".join(words[:number])
            assert upto.startswith(before) and len(upto.split()) == number + 1


def test_a_word_without_a_token_takes_no_other_s(models: dict[str, Model], tmp_path: Path) -> None:
    """A tokenizer that drops a word's characters has none for it."""
    one = maker(models["encoder"], tmp_path, "tagging")
    whole = one.layout.encode_with_offsets

    def dropping(texts: list[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        return [
            (
                [i for i, (low, _) in zip(ids, offsets, strict=True) if low >= 4],
                [place for place in offsets if place[0] >= 4],
            )
            for ids, offsets in whole(texts)
        ]

    one.layout.encode_with_offsets = dropping
    [item] = one.make([made({"tokens": ["Anna", "Berlin", "and"]}, (1, 2, 0))])
    assert item.words == (1, 2) and item.target == (2, 0)


def test_words_beyond_the_window_are_left_out(models: dict[str, Model], tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(60)]
    one = maker(models["encoder"], tmp_path, "tagging")
    [item] = one.make([made({"tokens": words}, (0,) * 60)])
    assert one.counts.truncated == 1
    assert 0 < len(item.words) < 60 and len(item.target) == len(item.words)
    assert len(item.rows[0].ids) == 64


@pytest.mark.parametrize("family", FAMILIES)
def test_both_orders_are_two_rows_of_one_item(
    family: str, models: dict[str, Model], tmp_path: Path
) -> None:
    spec, layout = made_task(tmp_path, "regression").spec, Layout(models[family])
    example = made({"text": "A dog runs.", "text_pair": "The cat sleeps at home."}, 2.0)
    turned = made({"text": "The cat sleeps at home.", "text_pair": "A dog runs."}, 2.0)
    rows = {
        orders: [
            item.rows for item in ItemMaker(spec, layout, "first", orders).make([example, turned])
        ]
        for orders in (None, "one", "both")
    }
    [here], [there] = rows["one"]
    assert here != there and rows["both"] == [(here, there), (there, here)]
    assert rows[None] == rows["both" if family == "decoder" else "one"]


@pytest.mark.parametrize("family", FAMILIES)
def test_windows_hold_all_of_the_context_and_the_answer(
    family: str, models: dict[str, Model], tmp_path: Path
) -> None:
    context = " ".join(SENTENCES)
    # The answer's second occurrence is the one that counts.
    start = context.index("the", context.index("the") + 1)
    answer = context[start : start + 10]
    one = maker(models[family], tmp_path, "span")
    example = made({"context": context, "question": "Which?"}, (answer,), (start,))
    items = one.make([example])
    assert len(items) > 2 and one.counts.truncated == 1 and one.counts.unreachable == 0
    covered = {place for item in items for low, high in item.spans[1:] for place in (low, high - 1)}
    assert min(covered) == 0 and max(covered) == len(context) - 1
    found = 0
    for item in items:
        row = item.rows[0]
        assert len(row.ids) <= 64 and len(row.positions) == len(item.spans)
        assert row.positions[0] == (0 if family == "encoder" else len(row.ids) - 1)
        first, last = item.target
        if (first, last) == (0, 0):
            continue
        found += 1
        text = context[item.spans[first][0] : item.spans[last][1]]
        assert answer in text and item.spans[first][0] <= start
        ids = row.ids[row.positions[first] : row.positions[last] + 1]
        assert models[family].tokenizer.decode(ids) == text
    assert found >= 1


def test_an_answer_that_is_nowhere_is_not_learned(models: dict[str, Model], tmp_path: Path) -> None:
    one = maker(models["encoder"], tmp_path, "span")
    fields = {"context": SENTENCES[0], "question": "Who?"}
    lost, none, held_back = one.make(
        [made(fields, ("nobody",)), made(fields, ()), made(fields, None)]
    )
    assert (lost.target, none.target, held_back.target) == (None, (0, 0), None)
    assert one.counts.unreachable == 1


def test_a_decoder_reads_similar_texts_in_both_orders(
    models: dict[str, Model], tmp_path: Path
) -> None:
    example = made({"text": SENTENCES[0], "text_pair": SENTENCES[1]}, 2.0)
    layout = Layout(models["decoder"])
    one, two = layout.encode(SENTENCES[:2])
    [item] = maker(models["decoder"], tmp_path, "regression").make([example])
    assert [row.ids for row in item.rows] == [layout.join(one, two).ids, layout.join(two, one).ids]
    assert [row.positions for row in item.rows] == [(len(row.ids) - 1,) for row in item.rows]


@pytest.mark.parametrize("family", FAMILIES)
def test_of_a_choice_the_context_is_cut(
    family: str, models: dict[str, Model], tmp_path: Path
) -> None:
    model = models[family]
    options = ["a letter", "apples and two baskets"]
    fields = {"context": " ".join(SENTENCES), "question": "What did he sell?", "options": options}
    one = maker(model, tmp_path, "choice")
    [item] = one.make([made(fields, 1)])
    assert one.counts.truncated == 1 and len(item.rows) == 2
    for row, option in zip(item.rows, options, strict=True):
        text = model.tokenizer.decode(row.ids)
        assert len(row.ids) == 64
        assert f"What did he sell? {option}" in text and "The old keeper" in text


def test_the_pooled_positions(models: dict[str, Model], tmp_path: Path) -> None:
    example = made({"text": SENTENCES[0]}, 1)
    task = made_task(tmp_path, "classification").spec
    layout = Layout(models["encoder"])
    length = len(layout.join(layout.encode([SENTENCES[0]])[0]).ids)
    for pooling, expected in (
        ("first", (0,)),
        ("last", (length - 1,)),
        ("mean", tuple(range(length))),
    ):
        [item] = ItemMaker(task, layout, pooling).make([example])
        assert item.rows[0].positions == expected
