"""Zero-shot methods on scores worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.regimes.zeroshot import make_predictor
from benchsuite.regimes.zeroshot_methods import (
    answer_scores,
    build_requests,
    clean_answer,
    decide,
    expected_rating,
)
from benchsuite.scoring.types import Request, Score
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import Prompt, TaskSpec
from benchsuite.tasks.task import load_task
from tests.regimes.fakes import FakeScorer
from tests.regimes.made import classification, example
from tests.tasks.test_prompts import spec_of


def scored(*values: float, tokens: tuple[int, ...] = (), size: tuple[int, ...] = ()) -> Score:
    ones = (1,) * len(values)
    return Score(values, tokens or ones, size or ones)


def cloze(**verbalizers: str | list[str]) -> Prompt:
    return Prompt(name="p", method="cloze", template="{{ text }}", verbalizers=verbalizers)


def decided(prompt: Prompt, spec: TaskSpec, score: Score) -> Prediction:
    return decide(prompt, spec, {}, [answer_scores(prompt, score, prompt.norm)])


def test_cloze_adds_the_probabilities_of_alternatives() -> None:
    prompt = cloze(bad=[" no", " nope"], good=" yes")
    spec = classification(
        [prompt.model_dump(include={"name", "method", "template", "verbalizers"})]
    )
    requests = build_requests(prompt, {"text": "Fine?"})
    assert requests == [Request("Fine?", (" no", " nope", " yes"))]
    # 0.2 + 0.2 > 0.3, though 0.3 is the largest of the three.
    score = scored(math.log(0.2), math.log(0.2), math.log(0.3))
    assert decided(prompt, spec, score).value == 0
    assert decided(prompt, spec, scored(-9.0, -9.0, -1.0)).value == 1


def test_labels_keep_the_order_of_the_task() -> None:
    prompt = cloze(good=" yes", bad=" no")  # the other way round than the task's labels
    spec = classification([])
    assert decided(prompt, spec, scored(-1.0, -2.0)) == Prediction(1)


@pytest.mark.parametrize(
    ("norm", "best"),
    [("none", 0), ("token", 1), ("byte", 2)],
)
def test_choice_divides_by_its_unit(norm: str, best: int) -> None:
    prompt = Prompt.model_validate(
        {
            "name": "p",
            "method": "choice",
            "template": "{{ question }}",
            "continuation": " {{ option }}",
            "norm": norm,
        }
    )
    # By hand: -2, -3, -4 in all; -1, -0.75, -0.8 a token; -0.5, -0.5, -0.4 a byte.
    score = scored(-2.0, -3.0, -4.0, tokens=(2, 4, 5), size=(4, 6, 10))
    assert decided(prompt, spec_of([]), score) == Prediction(best)


def test_exactly_equal_scores_are_tied() -> None:
    prompt = Prompt(name="p", method="pair", template="{{ text }}")
    spec = spec_of([], "minimal_pair")
    assert decided(prompt, spec, scored(-3.0, -3.0)) == Prediction(0, (0, 1))
    assert decided(prompt, spec, scored(-3.0, -2.999999)) == Prediction(1)


def test_options_that_read_alike_tie_whatever_the_engine_s_last_digits() -> None:
    calls = iter(range(1000))
    jitter = FakeScorer(lambda context, text: -3.0 - 1e-7 * next(calls))
    prompt = {
        "name": "p",
        "method": "choice",
        "template": "{{ question }}",
        "continuation": " {{ option | trim }}",
        "norm": "token",
    }
    spec = spec_of([prompt])
    fields = {"question": "Q?", "options": ["same", "other words", "same ", "same"]}
    (variant,) = make_predictor(spec, spec.prompts, jitter).predict([example(1, **fields)])
    assert variant.predictions == [Prediction(1)]
    fields["options"] = ["same", "x", "same ", "same"]
    (variant,) = make_predictor(spec, spec.prompts, jitter).predict([example(1, **fields)])
    assert variant.predictions == [Prediction(0, (0, 2, 3))]


def test_rating_is_the_expectation_by_hand() -> None:
    prompt = Prompt(
        name="p", method="rating", template="{{ text }}", ratings={" low": 0, " mid": 2, " top": 5}
    )
    # Weights 1 : 2 : 1 -> (0 + 4 + 5) / 4.
    score = scored(math.log(0.1), math.log(0.2), math.log(0.1))
    assert expected_rating(prompt, score.log_likelihoods) == pytest.approx(2.25)
    assert expected_rating(prompt, [-1000.0, -1000.0, 0.0]) == 5.0
    (request,) = build_requests(prompt, {"text": "How much?"})
    assert request == Request("How much?", (" low", " mid", " top"))


@settings(deadline=None)
@given(st.lists(st.floats(-300, 0), min_size=3, max_size=3))
def test_a_rating_stays_in_its_range(values: list[float]) -> None:
    prompt = Prompt(
        name="p", method="rating", template="{{ text }}", ratings={" a": 1.1, " b": 1.2, " c": 4.9}
    )
    assert 1.1 <= expected_rating(prompt, values) <= 4.9


@pytest.mark.parametrize(
    ("generated", "answer"),
    [
        (" Paris ", "Paris"),
        (" Unanswerable.", ""),
        ("no-answer", "no-answer"),
        ('"No  Answer!"', ""),
        ("no answer was given", "no answer was given"),
        ("  ", ""),
    ],
)
def test_generated_answers_are_cleaned(generated: str, answer: str) -> None:
    prompt = Prompt(
        name="p",
        method="generate",
        template="{{ question }}",
        no_answer=["unanswerable", "no answer"],
    )
    assert clean_answer(prompt, generated) == answer


def test_entities_by_hand() -> None:
    prompt = Prompt(
        name="p",
        method="entity",
        template="{{ sentence }}|{{ span }} is",
        verbalizers={"LOC": " place", "O": " word", "PER": [" person", " man"]},
    )
    spec = spec_of([], "tagging", labels=["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
    table = {
        ("Ann", " man"): -0.1,
        ("Ann Lee", " man"): 0.0,  # the larger margin: overlaps go to the whole name
        ("York", " place"): -1.0,
        ("York", " person"): -1.0,  # equal types: the first of the task's labels
        ("left", " word"): -10.0,  # equal to the types: O is kept
    }

    def value(context: str, text: str) -> float:
        span = context.split("|")[1].removesuffix(" is")
        return table.get((span, text), -5.0 if text == " word" else -1000.0)

    tokens = ["Ann", "Lee", "left", "York", "."]
    scorer = FakeScorer(value)
    gold = (1, 2, 0, 3, 0)
    (variant,) = make_predictor(spec, [prompt], scorer).predict([example(1, gold, tokens=tokens)])
    assert variant.predictions == [Prediction((1, 2, 0, 1, 0))]
    assert variant.counts == {
        "truncated": 0,
        "candidates": 10,
        "gold_entities": 2,
        "gold_covered": 2,
    }
    assert scorer.scored[0].context == "Ann Lee left York .|Ann is"
    assert (variant.score, variant.norm) == ("sum", "none")


def test_unlabelled_sentences_are_tagged_but_not_counted() -> None:
    spec = load_task("ner/conll2003").spec
    fields = {"tokens": ["Ann", "and", "Bo"]}
    variants = make_predictor(spec, spec.prompts, FakeScorer()).predict(
        [Example("1", "test", "", "1", "", fields, None)]
    )
    for variant in variants:
        assert variant.predictions == [Prediction((0, 0, 0))]
        assert variant.counts == {"truncated": 0, "candidates": 2}
