"""Logits to answers, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from benchsuite.errors import CellFailed
from benchsuite.metrics.squad import span_scores
from benchsuite.tasks.example import Example, Prediction
from benchsuite.training import decode as module
from benchsuite.training.decode import best_span, choose_no_answer_threshold, decode
from benchsuite.training.items import Item
from benchsuite.training.rows import Row
from tests.training.made import made_task

CONTEXT = "one two three four five six seven eight nine ten"


def window(words: range, example: int = 0) -> Item:
    """A window over these words of CONTEXT, a token each."""
    starts = [CONTEXT.index(word) for word in CONTEXT.split()]
    spans = [(starts[n], starts[n] + len(CONTEXT.split()[n])) for n in words]
    row = Row((0,) * (len(spans) + 1), (), tuple(range(len(spans) + 1)))
    return Item(example, (row,), None, spans=((0, 0), *spans))


def brute_force(windows: list[Item], scores: list[np.ndarray]) -> tuple[str, float]:
    best, text, null = -np.inf, "", np.inf
    for item, score in zip(windows, scores, strict=True):
        null = min(null, score[0, 0] + score[0, 1])
        for first in range(1, len(score)):
            for last in range(first, min(first + module.LONGEST_ANSWER, len(score))):
                if score[first, 0] + score[last, 1] > best:
                    best = score[first, 0] + score[last, 1]
                    text = CONTEXT[item.spans[first][0] : item.spans[last][1]]
    return text, best - null


def test_the_best_span_is_that_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_ANSWER", 4)
    random = np.random.default_rng(0)
    for _ in range(100):
        windows = [window(range(6)), window(range(3, 10))]
        scores = [random.normal(size=(len(item.spans), 2)) for item in windows]
        text, margin = best_span(CONTEXT, windows, scores)
        expected, gap = brute_force(windows, scores)
        assert text == expected and margin == pytest.approx(gap)


def test_a_span_is_found_among_the_best_starts_and_ends_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one start and one end to pair, an end before the start leaves no pair."""
    monkeypatch.setattr(module, "N_BEST", 1)
    scores = np.zeros((7, 2))
    scores[5, 0] = scores[2, 1] = 9.0
    text, _ = best_span(CONTEXT, [window(range(6))], [scores])
    assert text == ""


def test_the_threshold_is_the_best_of_all(tmp_path) -> None:
    task = made_task(tmp_path, "span").spec
    random = np.random.default_rng(1)
    for _ in range(20):
        examples, items, scores = [], [], []
        for number in range(12):
            gold = () if random.random() < 0.4 else (random.choice(CONTEXT.split()),)
            fields = {"context": CONTEXT, "question": "?"}
            examples.append(Example(str(number), "s", "", str(number), "", fields, gold))
            items.append(window(range(10), number))
            # Half numbers, so that margins tie.
            scores.append(np.round(random.normal(size=(11, 2)) * 2) / 2)
        found = choose_no_answer_threshold(task, examples, items, scores)
        assert found is not None

        def f1(threshold: float, examples=examples, items=items, scores=scores) -> float:
            said = decode(task, examples, items, scores, threshold)
            return sum(
                span_scores(one.value, example.target, may_be_unanswerable=True)[1]
                for one, example in zip(said, examples, strict=True)
            )

        margins = [
            best_span(CONTEXT, [item], [score])[1]
            for item, score in zip(items, scores, strict=True)
        ]
        best = max(f1(threshold) for threshold in [min(margins) - 1, *margins])
        assert f1(found) == pytest.approx(best)


def test_no_threshold_where_all_have_an_answer(tmp_path) -> None:
    task = made_task(tmp_path, "span").spec
    example = Example("0", "s", "", "0", "", {"context": CONTEXT, "question": "?"}, ("one",))
    scores = [np.zeros((11, 2))]
    items = [window(range(10))]
    assert choose_no_answer_threshold(task, [example], items, scores) is None
    # Then an answer is given however much better `no answer` scores.
    scores[0][0] = 100.0
    assert decode(task, [example], items, scores)[0].value != ""
    assert decode(task, [example], items, scores, threshold=0.0) == [Prediction("")]


def test_cut_off_words_are_outside(tmp_path) -> None:
    task = made_task(tmp_path, "tagging").spec
    fields = {"tokens": ["a", "b", "c"]}
    example = Example("0", "s", "", "0", "", fields, None)
    item = Item(0, (Row((1, 2), (), (0, 1)),), None, words=(0, 1))
    scores = np.array([[0.0, 5.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]])
    assert decode(task, [example], [item], [scores]) == [Prediction((1, 2, 0))]


def test_equal_scores_tie_and_infinite_ones_fail(tmp_path) -> None:
    task = made_task(tmp_path, "classification").spec
    example = Example("0", "s", "", "0", "", {"text": "a"}, 1)
    item = Item(0, (Row((1,), (), (0,)),), 1)
    assert decode(task, [example], [item], [np.array([2.0, 2.0])]) == [Prediction(0, (0, 1))]
    with pytest.raises(CellFailed, match="not finite"):
        decode(task, [example], [item], [np.array([2.0, np.nan])])
