"""PMI, calibration and norms: by hand, by brute force over probabilities, and their properties."""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.regimes.base import Variant
from benchsuite.regimes.scores import (
    CONTENT_FREE,
    Way,
    calibrated,
    log_mean_exp,
    log_sum_exp,
    normalized,
    pmi,
    ways,
)
from benchsuite.regimes.zeroshot import make_predictor
from benchsuite.scoring.types import Score
from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import Prompt, TaskSpec
from tests.regimes.fakes import FakeScorer, made_examples
from tests.regimes.made import example
from tests.tasks.test_prompts import spec_of

LOGS = st.lists(st.floats(-50, 0), min_size=1, max_size=5)


def logs(*probabilities: float) -> list[float]:
    return [math.log(one) for one in probabilities]


def cloze(**keys: Any) -> TaskSpec:
    prompt = {
        "name": "p",
        "method": "cloze",
        "template": "{{ text }} So",
        "verbalizers": {"no": [" no", " nope"], "yes": " yes"},
    }
    return spec_of([prompt | keys], "classification", labels=["no", "yes"])


def choice(**keys: Any) -> TaskSpec:
    prompt = {
        "name": "p",
        "method": "choice",
        "template": "{{ context }} {{ question }}",
        "continuation": " {{ option }}",
    }
    return spec_of([prompt | keys])


def predicted(spec: TaskSpec, scorer: FakeScorer, examples: list[Example], **keys: Any) -> Variant:
    (variant,) = make_predictor(spec, spec.prompts, scorer, **keys).predict(examples)
    return variant


# By hand ----------------------------------------------------------------------------------------


def test_norms_by_hand() -> None:
    score = Score((-2.0, -3.0), (2, 4), (4, 6))
    assert normalized(score, "none") == [-2.0, -3.0]
    assert normalized(score, "token") == [-1.0, -0.75]
    assert normalized(score, "byte") == [-0.5, -0.5]


@settings(deadline=None)
@given(LOGS)
def test_log_sum_and_mean(values: list[float]) -> None:
    total = sum(map(math.exp, values))
    assert log_sum_exp(values) == pytest.approx(math.log(total))
    assert log_mean_exp(values) == pytest.approx(math.log(total / len(values)))
    # Exact, so that ties stay ties.
    assert log_sum_exp(values[:1]) == values[0]
    assert log_mean_exp(values[:1] * 3) == values[0]


def test_pmi_by_hand() -> None:
    # "the" is likelier than "a cat" everywhere; the context makes "a cat" four times likelier.
    found = pmi(logs(0.2, 0.04), logs(0.3, 0.01))
    assert found == pytest.approx(logs(2 / 3, 4.0))


def test_calibration_by_hand() -> None:
    # Labels 0.6 : 0.4 on the text; 0.8 : 0.2 and 0.9 : 0.1 on nothing, 0.85 : 0.15 in the mean.
    found = calibrated(logs(0.06, 0.04), [logs(0.4, 0.1), logs(0.009, 0.001)])
    assert found == pytest.approx(logs(0.6 / 0.85, 0.4 / 0.15))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-30, 0), st.floats(-30, 0)), min_size=2, max_size=5))
def test_calibration_is_zhaos_diagonal_matrix(pairs: list[tuple[float, float]]) -> None:
    values, free = (list(column) for column in zip(*pairs, strict=True))
    p = [math.exp(one) for one in values]
    q = [math.exp(one) for one in free]
    expected = [(a / sum(p)) / (b / sum(q)) for a, b in zip(p, q, strict=True)]
    assert [math.exp(one) for one in calibrated(values, [free])] == pytest.approx(expected)


@settings(deadline=None)
@given(LOGS)
def test_what_says_nothing_is_calibrated_to_uniform(values: list[float]) -> None:
    assert calibrated(values, [values] * 3) == [0.0] * len(values)


@settings(deadline=None)
@given(LOGS, st.floats(-20, 20))
def test_a_constant_prior_is_taken_out(values: list[float], by: float) -> None:
    shifted = [value + by * place for place, value in enumerate(values)]
    priors = [by * place for place, _ in enumerate(values)]
    assert pmi(shifted, priors) == pytest.approx(values, abs=1e-9)
    mended = calibrated(shifted, [priors])
    # Up to a constant, which no comparison sees.
    gaps = [value - values[0] for value in values]
    assert [value - mended[0] for value in mended] == pytest.approx(gaps, abs=1e-9)


# Which ways there are ---------------------------------------------------------------------------


def test_the_own_way_comes_first_and_no_way_twice() -> None:
    prompt = choice(norm="token", premise="The answer is").prompts[0]
    own = Way("cloze", "cloze", "token")
    assert ways(prompt, ("cloze", "pll")) == [own]
    found = ways(prompt, ("cloze", "pll"), every=True)
    assert found[0] == own
    assert set(found) == {
        *(Way(path, path, norm) for path in ("cloze", "pll") for norm in ("none", "token", "byte")),
        Way("cloze", "pmi", "none"),
    }
    assert len(found) == len(set(found))
    threshold = Prompt(name="p", method="threshold", template="{{ text }}")
    assert ways(threshold, ("span",)) == [Way("span", "span", "token")]
    generate = Prompt(name="p", method="generate", template="{{ question }}")
    assert ways(generate, ("generate",), every=True) == [Way("generate", "generate", "none")]
    rating = Prompt(name="p", method="rating", template="{{ text }}", score="calibrated")
    assert [way.score for way in ways(rating, ("sum",), every=True)] == [
        *("calibrated", "sum", "sum", "sum")
    ]


# Through the predictor --------------------------------------------------------------------------


def noise(context: str, text: str) -> float:
    return -(crc32(f"{context}|{text}".encode()) % 1000) / 100


def test_calibrated_cloze_by_brute_force() -> None:
    spec = cloze(score="calibrated")
    texts = [f"text {n}" for n in range(40)]
    scorer = FakeScorer(noise)
    variant = predicted(spec, scorer, [example(n, text=text) for n, text in enumerate(texts)])

    def shares(text: str) -> list[float]:
        found = [math.exp(noise(f"{text} So", word)) for word in (" no", " nope", " yes")]
        return [(found[0] + found[1]) / sum(found), found[2] / sum(found)]

    free = [shares(text) for text in ("N/A", "[MASK]", "")]
    bias = [sum(column) / 3 for column in zip(*free, strict=True)]
    expected = []
    for text in texts:
        scores = [one / prior for one, prior in zip(shares(text), bias, strict=True)]
        expected.append(int(scores[1] > scores[0]))
    assert [one.value for one in variant.predictions] == expected
    assert 0 < sum(expected) < len(expected)
    assert (variant.score, variant.norm) == ("calibrated", "none")
    # The three content-free inputs are scored once, not once an example.
    contexts = [request.context for request in scorer.scored]
    assert [contexts.count(f"{text} So") for text in CONTENT_FREE] == [1, 1, 1]
    assert len(contexts) == len(texts) + 3


def test_pmi_choice_by_brute_force() -> None:
    spec = choice(score="pmi", premise="Answer:")
    options = [["a", "b c", "d"], ["e", "b c", "f"], ["a", "b c", "d"]]
    examples = [
        example(n, context=f"c{n}", question="q", options=texts) for n, texts in enumerate(options)
    ]
    scorer = FakeScorer(noise)
    variant = predicted(spec, scorer, examples)
    expected = []
    for number, texts in enumerate(options):
        gain = [noise(f"c{number} q", f" {o}") - noise("Answer:", f" {o}") for o in texts]
        expected.append(gain.index(max(gain)))
    assert [one.value for one in variant.predictions] == expected
    # The same set of options is scored once after the premise.
    assert [one.context for one in scorer.scored].count("Answer:") == 2


def test_a_constant_bias_for_a_label_is_taken_out() -> None:
    examples = made_examples(cloze(), 20)
    right = {f"{one.fields['text']} So": [" no", " yes"][one.target] for one in examples}

    def biased(context: str, text: str) -> float:
        return (5.0 if text == " yes" else 0.0) + (1.0 if right.get(context) == text else 0.0)

    plain = predicted(cloze(), FakeScorer(biased), examples)
    assert {one.value for one in plain.predictions} == {1}
    for keys in ({"score": "calibrated"}, {"score": "pmi", "premise": "So"}):
        mended = predicted(cloze(**keys), FakeScorer(biased), examples)
        assert [one.value for one in mended.predictions] == [one.target for one in examples]


@pytest.mark.parametrize("keys", [{"score": "calibrated"}, {"score": "pmi", "premise": "So"}])
def test_a_constant_model_ties_whatever_the_number_of_alternatives(keys: dict[str, Any]) -> None:
    spec = cloze(**keys)
    scorer = FakeScorer(lambda context, text: -3.7 * len(text))
    variant = predicted(spec, scorer, made_examples(spec, 4))
    assert [one.tied for one in variant.predictions] == [(0, 1)] * 4


def test_calibrated_ratings_and_entities() -> None:
    prompt = {
        "name": "p",
        "method": "rating",
        "template": "{{ text }} is",
        "ratings": {" low": 0, " mid": 2, " top": 5},
        "score": "calibrated",
    }
    spec = spec_of([prompt], "regression", range=[0, 5], metrics=["pearson"])
    # The model likes " top" whatever the text; that leaves nothing: the mean of the ratings.
    scorer = FakeScorer(lambda context, text: 0.0 if text == " top" else -4.0)
    variant = predicted(spec, scorer, made_examples(spec, 3))
    assert [one.value for one in variant.predictions] == pytest.approx([7 / 3] * 3)

    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    prompt = {
        "name": "p",
        "method": "entity",
        "template": "{{ sentence }} {{ span }} is",
        "verbalizers": {"O": " word", "PER": " man", "LOC": " place"},
        "score": "calibrated",
    }
    spec = spec_of([prompt], "tagging", labels=tags)

    def likes_words(context: str, text: str) -> float:
        known = {" man": context.endswith("Ann is"), " place": context.endswith("Rome is")}
        return 0.0 if text == " word" else -5.0 + known[text]

    fields = {"tokens": ["Ann", "and", "Rome"]}
    scorer = FakeScorer(likes_words)
    variant = predicted(spec, scorer, [example(1, (1, 0, 3), **fields)])
    assert [one.value for one in variant.predictions] == [(1, 0, 3)]
    assert [one.context for one in scorer.scored[-3:]] == ["N/A N/A is", "[MASK] [MASK] is", "  is"]


def test_demonstrations_stand_before_premise_and_content_free_inputs() -> None:
    scorer = FakeScorer(noise)
    spec = cloze(score="calibrated", premise="So")
    make_predictor(spec, spec.prompts, scorer, before={"p": "D. "}, every=True).predict(
        made_examples(spec, 2)
    )
    assert all(one.context.startswith("D. ") for one in scorer.scored)
    assert {"D. So", "D. N/A So", "D. [MASK] So"} <= {one.context for one in scorer.scored}


# All of them --------------------------------------------------------------------------------------


def test_every_way_gives_what_it_would_give_alone() -> None:
    examples = made_examples(choice(), 30)
    spec = choice(norm="byte", premise="Answer:")
    scorer = FakeScorer(noise)
    predictor = make_predictor(spec, spec.prompts, scorer, every=True)
    first, *others = predictor.predict(examples)
    assert (first.score, first.norm, first.primary) == ("sum", "byte", True)
    assert {(one.score, one.norm) for one in others} == {
        *[("sum", "none"), ("sum", "token"), ("pmi", "none")]
    }
    assert not any(one.primary or one.counts for one in others)
    # One call a path and chunk, and one for the premise.
    assert scorer.paths == ["sum", "sum"]
    for variant in [first, *others]:
        keys = {"norm": variant.norm} if variant.score == "sum" else {"score": "pmi"}
        alone = predicted(choice(premise="Answer:", **keys), FakeScorer(noise), examples)
        assert alone.predictions == variant.predictions


@pytest.mark.parametrize(
    ("family", "paths"),
    [
        ("decoder", ["sum"]),
        ("encoder", ["pll_within_word", "pll"]),
        ("encoder-decoder", ["span", "whole_span"]),
    ],
)
def test_each_way_has_its_own_threshold(family: str, paths: list[str]) -> None:
    spec = spec_of(
        [{"name": "p", "method": "threshold", "template": "{{ text }}"}],
        "classification",
        labels=["bad", "good"],
    )
    slice_ = [example(n, text="w " * n) for n in range(1, 6)]
    scorer = FakeScorer(lambda context, text: -float(len(text.split()) ** 2), family=family)
    predictor = make_predictor(spec, spec.prompts, scorer, slice_, every=True)
    variants = predictor.predict(slice_)
    assert [(one.score, one.norm) for one in variants if one.primary] == [(paths[0], "token")]
    assert {one.score for one in variants} == set(paths) == set(scorer.paths)
    notes = {(one.score, one.norm): one.notes["threshold"] for one in variants}
    # Sums -1, -4, -9, -16, -25; means a token -1 to -5; bytes are twice the tokens.
    for path in paths:
        assert (notes[path, "none"], notes[path, "token"], notes[path, "byte"]) == (-9, -3, -1.5)
    for variant in variants:
        assert [one.value for one in variant.predictions] == [1, 1, 0, 0, 0]
        assert [bool(one.tied) for one in variant.predictions] == [False] * 2 + [True] + [False] * 2
