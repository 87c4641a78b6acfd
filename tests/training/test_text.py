"""Text to text: the form of the tasks, and what is written, against transformers' own ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchsuite.errors import NotApplicable
from benchsuite.models.registry import Model, load_model
from benchsuite.tasks.example import Example
from benchsuite.tasks.registry import Registry
from benchsuite.training.backbone import Backbone
from benchsuite.training.batches import Batch, collate
from benchsuite.training.items import Item
from benchsuite.training.rows import Layout
from benchsuite.training.text import TextMaker, TextModel
from tests.training.bodies import tiny_bart
from tests.training.made import made_task


def example(target: Any, **fields: Any) -> Example:
    return Example("0", "train", "", "0", "", fields, target)


@pytest.fixture(scope="module")
def model(tiny_t5_folder: Path) -> Model:
    return load_model(str(tiny_t5_folder))


def item_of(task: str, model: Model, one: Example) -> tuple[Item, TextMaker]:
    maker = TextMaker(Registry().get(task), Layout(model))
    [item] = maker.make([one])
    return item, maker


def said(model: Model, ids: Any) -> str:
    text: str = model.tokenizer.decode(ids)
    return text


def test_a_pair_is_told_by_its_columns(model: Model) -> None:
    """As T5 was trained on MRPC (Raffel et al. 2020, appendix D.4)."""
    one = example(1, text="They went. ", text_pair="They left.")
    item, _ = item_of("glue/mrpc", model, one)
    assert said(model, item.rows[0].ids) == ("mrpc sentence1: They went. sentence2: They left.</s>")
    assert [said(model, ids) for ids in item.answers] == [" not_equivalent</s>", " equivalent</s>"]
    assert item.gold == 1


def test_mnli_s_hypothesis_comes_first_as_t5_has_it(model: Model) -> None:
    item, _ = item_of("glue/mnli", model, example(0, text="They sat.", text_pair="They stood."))
    assert said(model, item.rows[0].ids) == ("mnli hypothesis: They stood. premise: They sat.</s>")


def test_more_options_than_letters(model: Model) -> None:
    options = [f"o{number}" for number in range(28)]
    item, _ = item_of("race/middle", model, example(27, context="c", question="q", options=options))
    assert "(Z) o25 (27) o26 (28) o27" in said(model, item.rows[0].ids)
    assert len(item.answers) == 28


def test_numbers_are_written_in_fifths_as_t5_s_are(model: Model) -> None:
    one = example(2.57, text="a", text_pair="b")
    item, maker = item_of("glue/stsb", model, one)
    texts = [said(model, ids) for ids in item.answers]
    assert len(texts) == 26 and texts[:2] == [" 0.0</s>", " 0.2</s>"] and texts[-1] == " 5.0</s>"
    assert item.gold is not None and texts[item.gold] == " 2.6</s>"  # T5's own example
    assert maker.numbers is not None and item.target == 2.57


def test_options_stand_in_the_row_and_are_the_answers(model: Model) -> None:
    one = example(1, context="An old man sat.", question="Who sat?", options=["a cat", " a man"])
    item, _ = item_of("race/middle", model, one)
    assert said(model, item.rows[0].ids) == (
        "question: Who sat? options: (A) a cat (B) a man context: An old man sat.</s>"
    )
    assert [said(model, ids) for ids in item.answers] == [" a cat</s>", " a man</s>"]


def test_of_a_span_the_first_right_answer_is_written(model: Model) -> None:
    one = example(("a man", "man"), context="An old man sat.", question="Who sat?")
    item, _ = item_of("squad/v1", model, one)
    assert said(model, item.rows[0].ids) == "question: Who sat? context: An old man sat.</s>"
    assert [said(model, ids) for ids in item.answers] == [" a man</s>"]
    nothing, _ = item_of("squad/v1", model, example((), context="x", question="Who?"))
    assert [said(model, ids) for ids in nothing.answers] == ["</s>"]
    unknown, _ = item_of("squad/v1", model, example(None, context="x", question="Who?"))
    assert unknown.gold is None


def test_what_the_task_names_is_cut_and_counted(tiny_t5_folder: Path) -> None:
    short = load_model(str(tiny_t5_folder), max_length=24)
    one = example(("x",), context="word " * 50, question="Who sat?")
    item, maker = item_of("squad/v1", short, one)
    assert len(item.rows[0].ids) == 24 and maker.counts.truncated == 1
    assert said(short, item.rows[0].ids).startswith("question: Who sat? context: wor")
    assert item.rows[0].ids[-1] == short.tokenizer.eos_token_id


def test_tags_are_not_written(model: Model, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no agreed form") as caught:
        TextMaker(made_task(tmp_path, "tagging").spec, Layout(model))
    assert caught.value.condition == "tags as text"


def made_batch(answers: list[list[int]], rows: list[list[int]]) -> Batch:
    from benchsuite.training.rows import Row

    items = [
        Item(n, (Row(tuple(ids), (), (0,)),), 0, answers=tuple(map(tuple, answers)), gold=n)
        for n, ids in enumerate(rows)
    ]
    return collate(items, 0, "cpu")


@pytest.mark.parametrize("which", ["t5", "bart"])
def test_losses_and_likelihoods_are_transformers_own(which: str, tiny_t5_folder: Path) -> None:
    network: Any = load_model(str(tiny_t5_folder)).network if which == "t5" else tiny_bart().eval()
    answers, rows = [[5, 9, 2], [7, 2]], [[30, 41, 12, 2], [77, 2]]
    text = TextModel(Backbone(network, "encoder-decoder", "classification", True), made_spec())
    batch = made_batch(answers, rows)
    with torch.no_grad():
        expected = np.array(
            [
                [
                    -len(answer)
                    * float(
                        network(
                            input_ids=torch.tensor([row]),
                            attention_mask=torch.ones(1, len(row)),
                            decoder_input_ids=torch.tensor([[text.backbone.start, *answer[:-1]]]),
                            labels=torch.tensor([answer]),
                        ).loss
                    )
                    for answer in answers
                ]
                for row in rows
            ]
        )
        found = text.eval().log_likelihoods(batch)
        loss = float(text.loss(text(batch), batch))
    assert np.allclose(np.stack(found), expected, atol=1e-4)
    assert loss == pytest.approx(-expected.diagonal().sum(), abs=1e-4)
    assert text.weight(batch) == 5


def made_spec() -> Any:
    return Registry().get("glue/mrpc")


def test_it_writes_what_transformers_generates(tiny_t5_folder: Path) -> None:
    network: Any = load_model(str(tiny_t5_folder)).network
    text = TextModel(Backbone(network, "encoder-decoder", "span", True), made_spec()).eval()
    batch = made_batch([[5, 2], [7, 2], [8, 2]], [[30, 41, 12, 2], [77, 2], [9, 9, 9, 2]])
    with torch.no_grad():
        found = text.write(batch, end=network.config.eos_token_id, longest=12)
        generated = network.generate(
            input_ids=batch.ids, attention_mask=batch.mask, max_new_tokens=12, do_sample=False
        )
    for mine, theirs in zip(found, generated[:, 1:].tolist(), strict=True):
        end = network.config.eos_token_id
        assert list(mine) == (theirs[: theirs.index(end)] if end in theirs else theirs)


def test_the_tied_output_layer_is_counted_once(tiny_t5_folder: Path) -> None:
    network: Any = load_model(str(tiny_t5_folder)).network
    text = TextModel(Backbone(network, "encoder-decoder", "span", True), made_spec())
    assert sum(p.numel() for p in text.parameters()) == sum(p.numel() for p in network.parameters())
