"""Zero-shot with the real engine on tiny models: constant logits, and a real tokenizer's window."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.models.registry import load_model
from benchsuite.regimes.zeroshot import make_predictor
from benchsuite.scoring import Scorer, make_scorer
from benchsuite.tasks.example import Example
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.task import load_task
from tests.regimes.fakes import credit, made_examples
from tests.tiny import SENTENCES, tiny_gpt2

REAL = pytest.mark.skipif(
    "BENCHSUITE_DATA" not in os.environ, reason="BENCHSUITE_DATA is not set: no real data"
)


@pytest.fixture(scope="module")
def constant_logits(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A model that gives every token the same probability, whatever came before."""
    folder = tiny_gpt2(tmp_path_factory.mktemp("constant"), n_positions=512, constant=0.0)
    return make_scorer(load_model(str(folder)))


@pytest.fixture(scope="module")
def small_window(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return make_scorer(load_model(str(tiny_gpt2(tmp_path_factory.mktemp("small")))))


def mean_credits(task: str, scorer: Scorer, examples: list[Example]) -> list[float]:
    spec = Registry().get(task)
    means = []
    for variant in make_predictor(spec, spec.prompts, scorer).predict(examples):
        gained = [credit(p, e.target) for p, e in zip(variant.predictions, examples, strict=True)]
        means.append(sum(gained) / len(gained))
    return means


@REAL
@pytest.mark.parametrize("task", ["race/middle", "race/high"])
def test_constant_logits_get_exactly_chance_on_race(task: str, constant_logits: Scorer) -> None:
    examples = load_task(task, offline=True).evaluation("test").examples[::90]
    assert mean_credits(task, constant_logits, examples) == [0.25, 0.25]


@REAL
def test_constant_logits_get_chance_on_blimp_but_for_length(constant_logits: Scorer) -> None:
    # The sum favours the sentence of fewer tokens; pairs of equally many tie.
    task = load_task("blimp", offline=True)
    examples = task.evaluation("train").examples[::100]
    equal, shorter = [], []
    for one in examples:
        asked = [f" {one.fields[side]}" for side in ("good", "bad")]  # as the prompt has them
        good, bad = constant_logits.count_tokens(asked)
        (equal if good == bad else shorter).append(one)
    assert len(equal) > 150
    assert mean_credits("blimp", constant_logits, equal) == [0.5]
    assert mean_credits("blimp", constant_logits, examples)[0] == pytest.approx(0.5, abs=0.05)
    for one in shorter[::10]:
        asked = [f" {one.fields[side]}" for side in ("good", "bad")]  # as the prompt has them
        good, bad = constant_logits.count_tokens(asked)
        assert mean_credits("blimp", constant_logits, [one]) == [float(good < bad)]


def test_constant_logits_tie_options_of_any_length(constant_logits: Scorer) -> None:
    spec = Registry().get("race/middle")
    options = ["a", "a few more words", "Naïve café – “très cher”", "1,250"]
    fields = {"context": SENTENCES[0], "question": "Which?", "options": options}
    examples = [Example("1", "test", "", "1", "", fields, 2)]
    for variant in make_predictor(spec, spec.prompts, constant_logits).predict(examples):
        assert variant.predictions[0].tied == (0, 1, 2, 3)


@settings(max_examples=40, deadline=None)
@given(
    context=st.lists(st.sampled_from([*SENTENCES, "ﬁ ﷺ 𝔘𝔫𝔦", "\n\n", "日本語"]), max_size=8),
    junk=st.text(max_size=80),
)
def test_what_is_shortened_fits_and_the_engine_cuts_nothing(
    context: list[str], junk: str, small_window: Scorer
) -> None:
    # A window of 64 tokens of a real byte-level BPE; whole contexts have up to several hundred.
    spec = Registry().get("race/middle")
    fields = {
        "context": " ".join(context) + junk,
        "question": "Who?",
        "options": ["Mary", "the old keeper", "nobody", "a teacher"],
    }
    before = small_window.usage.truncated
    examples = [Example("1", "test", "", "1", "", fields, 0)]
    variants = make_predictor(spec, spec.prompts, small_window).predict(examples)
    assert small_window.usage.truncated == before
    fixed = "Question: Who?\nAnswer: the old keeper"
    tokens = small_window.count_tokens([fields["context"].strip() + "\n" + fixed])[0]
    assert variants[1].prompt == "question-answer"
    if tokens < 60:
        assert variants[1].counts == {"truncated": 0}
    if tokens > 70:
        assert variants[1].counts == {"truncated": 1}


def test_every_task_s_made_examples_go_through_the_engine(constant_logits: Scorer) -> None:
    for name in Registry().ids():
        spec = Registry().get(name)
        examples = made_examples(spec, 4)
        variants = make_predictor(spec, spec.prompts, constant_logits, examples).predict(examples)
        assert [len(variant.predictions) for variant in variants] == [4] * len(spec.prompts)
