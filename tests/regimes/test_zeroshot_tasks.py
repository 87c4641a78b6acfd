"""Every bundled task and prompt through an oracle, its inverse and a constant scorer."""

from __future__ import annotations

import os

import pytest

from benchsuite.errors import DataUnavailable
from benchsuite.regimes.entities import candidate_spans, entity_spans
from benchsuite.regimes.zeroshot import make_predictor
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.tasks.example import Example
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.spec import Prompt, TaskSpec
from benchsuite.tasks.task import load_task
from tests.regimes.fakes import FakeScorer, credit, made_examples, oracle

SPECS = [Registry().get(name) for name in Registry().ids()]
PROMPTS = [
    pytest.param(spec, prompt, id=f"{spec.id}-{prompt.name}")
    for spec in SPECS
    for prompt in spec.prompts
]
RANKED = [param for param in PROMPTS if param.values[1].method in ("cloze", "choice", "pair")]
REAL = pytest.mark.skipif(
    "BENCHSUITE_DATA" not in os.environ, reason="BENCHSUITE_DATA is not set: no real data"
)


def real_examples(spec: TaskSpec, number: int = 300) -> list[Example]:
    """Scorable examples of the first evaluation split, spread over it, requests all different."""
    try:
        data = load_task(spec.id, offline=True).evaluation(spec.dataset.eval_splits[0])
    except DataUnavailable as error:
        pytest.skip(str(error))
    scorable = [example for example in data.examples if example.target is not None]
    return scorable[:: max(1, len(scorable) // number)]


def distinct(spec: TaskSpec, prompt: Prompt, examples: list[Example]) -> list[Example]:
    """Without examples whose requests an earlier example has made: an oracle knows one answer."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for example in examples:
        requests = build_requests(prompt, values_of(spec, example))
        key = tuple(one.context or one.continuations for one in requests)
        if key not in seen:
            seen.add(key)
            kept.append(example)
    return kept


def mean_credit(
    spec: TaskSpec, prompt: Prompt, scorer: FakeScorer, examples: list[Example]
) -> float:
    (variant,) = make_predictor(spec, [prompt], scorer).predict(examples)
    gained = [
        credit(prediction, example.target)
        for prediction, example in zip(variant.predictions, examples, strict=True)
    ]
    return sum(gained) / len(gained)


def tells_apart(spec: TaskSpec, example: Example) -> bool:
    """Whether no two candidates that read alike have different gold types in the sentence."""
    tokens = example.fields["tokens"]
    gold = {
        (start, end): kind
        for start, end, kind in entity_spans(spec.labels[tag] for tag in example.target)
    }
    spans = candidate_spans(tokens)
    readings = {(tuple(tokens[start:end]), gold.get((start, end), "O")) for start, end in spans}
    return len(readings) == len({tuple(tokens[start:end]) for start, end in spans})


def best_possible(spec: TaskSpec, prompt: Prompt, examples: list[Example]) -> float:
    """1, less what options or sentences that read alike cost an oracle."""
    if prompt.method == "cloze":
        return 1.0
    shares = []
    for example in examples:
        (request,) = build_requests(prompt, values_of(spec, example))
        shares.append(1 / request.continuations.count(request.continuations[example.target]))
    return sum(shares) / len(shares)


def test_prompts_are_there() -> None:
    assert len(RANKED) > 20
    for spec in SPECS:
        assert spec.prompts, spec.id


@pytest.mark.parametrize(("spec", "prompt"), RANKED)
def test_oracle_on_made_examples(spec: TaskSpec, prompt: Prompt) -> None:
    examples = made_examples(spec)
    assert mean_credit(spec, prompt, oracle(spec, prompt, examples), examples) == 1.0
    inverse = oracle(spec, prompt, examples, inverse=True)
    assert mean_credit(spec, prompt, inverse, examples) == 0.0


@pytest.mark.parametrize(("spec", "prompt"), RANKED)
def test_oracle_on_its_own_examples(spec: TaskSpec, prompt: Prompt) -> None:
    if not spec.is_mini and "BENCHSUITE_DATA" not in os.environ:
        pytest.skip("BENCHSUITE_DATA is not set: no real data")
    examples = distinct(spec, prompt, real_examples(spec))
    reached = mean_credit(spec, prompt, oracle(spec, prompt, examples), examples)
    assert reached == pytest.approx(best_possible(spec, prompt, examples))
    assert reached > 0.95  # the rest read alike
    inverse = oracle(spec, prompt, examples, inverse=True)
    assert mean_credit(spec, prompt, inverse, examples) <= 1 - best_possible(spec, prompt, examples)


@pytest.mark.parametrize(
    ("spec", "prompt"), [param for param in PROMPTS if param.values[1].method == "threshold"]
)
def test_oracle_with_a_threshold(spec: TaskSpec, prompt: Prompt) -> None:
    examples = made_examples(spec)
    for inverse, expected in ((False, 1.0), (True, 0.0)):
        scorer = oracle(spec, prompt, examples, inverse)
        # Both labels as often, so that the median lies between them.
        (variant,) = make_predictor(spec, [prompt], scorer, examples).predict(examples)
        gained = [credit(p, e.target) for p, e in zip(variant.predictions, examples, strict=True)]
        assert sum(gained) / len(gained) == expected
        assert variant.norm == "token"


@pytest.mark.parametrize(
    ("spec", "prompt"), [param for param in PROMPTS if param.values[1].method == "threshold"]
)
def test_oracle_with_a_tuned_threshold_needs_no_balance(spec: TaskSpec, prompt: Prompt) -> None:
    if not spec.is_mini and "BENCHSUITE_DATA" not in os.environ:
        pytest.skip("BENCHSUITE_DATA is not set: no real data")
    examples = distinct(spec, prompt, real_examples(spec))
    scorer = oracle(spec, prompt, examples)
    (variant,) = make_predictor(spec, [prompt], scorer, examples, tuned=True).predict(examples)
    assert [one.value for one in variant.predictions] == [one.target for one in examples]


@pytest.mark.parametrize(
    ("spec", "prompt"), [param for param in PROMPTS if param.values[1].method == "entity"]
)
def test_oracle_gets_what_the_candidates_allow(spec: TaskSpec, prompt: Prompt) -> None:
    examples = made_examples(spec)
    if spec.is_mini or "BENCHSUITE_DATA" in os.environ:
        examples += [one for one in real_examples(spec) if tells_apart(spec, one)]
    for inverse in (False, True):
        found = covered = gold = 0
        counts: dict[str, float] = {}
        for example in examples:  # one at a time: sentences repeat, with other tags
            scorer = oracle(spec, prompt, [example], inverse)
            (variant,) = make_predictor(spec, [prompt], scorer).predict([example])
            for name, value in variant.counts.items():
                counts[name] = counts.get(name, 0) + value
            predicted = set(entity_spans(spec.labels[tag] for tag in variant.predictions[0].value))
            entities = set(entity_spans(spec.labels[tag] for tag in example.target))
            candidates = set(candidate_spans(example.fields["tokens"]))
            reachable = {one for one in entities if one[:2] in candidates}
            assert predicted == (reachable if not inverse else predicted - entities)
            found += len(predicted & entities)
            covered += len(reachable)
            gold += len(entities)
        assert found == (0 if inverse else covered)
        assert counts["gold_entities"] == gold
        assert counts["gold_covered"] == covered
        assert covered / gold > 0.9


@pytest.mark.parametrize(
    ("spec", "prompt"),
    [param for param in PROMPTS if param.values[1].method in ("cloze", "choice", "pair")],
)
def test_constant_scores_are_chance(spec: TaskSpec, prompt: Prompt) -> None:
    examples = made_examples(spec)
    classes = {"cloze": len(spec.labels), "choice": 4, "pair": 2}[prompt.method]
    if (
        len(
            {len([text] if isinstance(text, str) else text) for text in prompt.verbalizers.values()}
        )
        > 1
    ):
        pytest.skip("labels with more alternatives weigh more, by design")
    (variant,) = make_predictor(
        spec, [prompt.model_copy(update={"norm": "none"})], FakeScorer()
    ).predict(examples)
    assert all(prediction.tied == tuple(range(classes)) for prediction in variant.predictions)
    gained = [credit(p, e.target) for p, e in zip(variant.predictions, examples, strict=True)]
    assert sum(gained) / len(gained) == pytest.approx(1 / classes)


@REAL
@pytest.mark.parametrize(("name", "chance"), [("race/middle", 0.25), ("race/high", 0.25)])
def test_constant_logits_are_chance_on_race(name: str, chance: float) -> None:
    # Constant logits give each token the same probability, so longer options score less in all.
    spec = Registry().get(name)
    scorer = FakeScorer(lambda context, text: -9.0 * len(text.split()))
    examples = real_examples(spec)
    variants = make_predictor(spec, spec.prompts, scorer).predict(examples)
    for variant in variants:
        gained = [credit(p, e.target) for p, e in zip(variant.predictions, examples, strict=True)]
        assert sum(gained) / len(gained) == chance


@REAL
def test_constant_scores_are_chance_on_blimp() -> None:
    spec = Registry().get("blimp")
    examples = real_examples(spec, 670)
    (variant,) = make_predictor(spec, spec.prompts, FakeScorer()).predict(examples)
    gained = [credit(p, e.target) for p, e in zip(variant.predictions, examples, strict=True)]
    assert sum(gained) / len(gained) == 0.5
