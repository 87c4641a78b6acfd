"""Answers to questions: normalization and scores by hand."""

from __future__ import annotations

import pytest

from benchsuite.metrics import compute
from benchsuite.metrics.squad import normalize, span_scores
from tests.metrics.made import SPAN
from tests.outcomes import columns_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Eiffel Tower", "eiffel tower"),
        ("  a  cat,   an ANIMAL!\t", "cat animal"),
        ("U.S.", "us"),
        ("the-end", "theend"),  # punctuation goes first, so the article is no longer a word
        ("Athens", "athens"),
        ("another theme", "another theme"),
        ("“curly” – dash", "“curly” – dash"),  # only ASCII punctuation goes
        ("a", ""),
        ("...", ""),
        ("", ""),
        ("Café\u00a0Noir", "café noir"),
        ("$3.5 million", "35 million"),
        ("THE a An the", ""),
    ],
)
def test_normalization_by_hand(text: str, expected: str) -> None:
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("prediction", "golds", "v1", "v2"),
    [
        ("the Eiffel Tower", ["Eiffel Tower."], (1, 1), (1, 1)),
        ("big Eiffel Tower", ["the Eiffel Tower"], (0, 0.8), (0, 0.8)),  # p 2/3, r 1
        ("tower tower", ["tower"], (0, 2 / 3), (0, 2 / 3)),  # a token is shared once
        ("Paris", ["London", "Paris, France", "paris"], (1, 1), (1, 1)),
        ("Paris France", ["France", "in Paris"], (0, 2 / 3), (0, 2 / 3)),
        ("Rome", ["Paris"], (0, 0), (0, 0)),
        ("", ["Paris"], (0, 0), (0, 0)),
        ("", ["Paris", "."], (1, 0), (0, 0)),  # v1 keeps the empty gold, v2 drops it
        (".", ["the"], (1, 0), (1, 1)),
        ("two words", ["."], (0, 0), (0, 0)),
        ("naïve", ["NAÏVE"], (1, 1), (1, 1)),
        ("東京", ["東京"], (1, 1), (1, 1)),
    ],
)
def test_span_scores_by_hand(
    prediction: str, golds: list[str], v1: tuple[float, float], v2: tuple[float, float]
) -> None:
    assert span_scores(prediction, golds, may_be_unanswerable=False) == pytest.approx(v1)
    assert span_scores(prediction, golds, may_be_unanswerable=True) == pytest.approx(v2)


@pytest.mark.parametrize(
    ("prediction", "expected"), [("", 1.0), ("the", 1.0), ("Paris", 0.0), ("  ", 1.0)]
)
def test_questions_without_an_answer(prediction: str, expected: float) -> None:
    assert span_scores(prediction, (), may_be_unanswerable=True) == (expected, expected)


def test_span_columns() -> None:
    columns = columns_of(SPAN, [("Paris",), (), ("Rome", "in Rome")], ["", "", "Rome Italy"])
    assert columns["prediction"].tolist() == [0, 0, 1]
    assert columns["gold"].tolist() == [1, 0, 1]
    assert columns["em"].tolist() == [0, 1, 0]
    assert columns["f1"].tolist() == pytest.approx([0, 1, 2 / 3])
    assert compute(SPAN, "em", columns) == pytest.approx(1 / 3)


def test_the_rule_for_empty_answers_is_one_for_the_whole_data() -> None:
    golds: list[tuple[str, ...]] = [("Paris", ".")]
    assert columns_of(SPAN, golds, [""])["em"][0] == 1
    assert columns_of(SPAN, [*golds, ()], ["", ""])["em"][0] == 0
