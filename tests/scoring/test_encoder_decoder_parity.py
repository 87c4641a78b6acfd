"""The encoder-decoder engine against lm-eval's HFLM (plain targets), and, where HFLM has no such
format, against transformers' own `labels=` one text at a time (spans)."""

from __future__ import annotations

import random

import pytest

from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer
from tests.scoring.real import needs_data, real_requests
from tests.scoring.seq2seq import SHAPES, build, request_values
from tests.scoring.test_parity import harness_scores, pairs_of

TOLERANCE = 1e-4  # nats, in float32
# Task and examples a subset: a part for every run, and 2,000 continuations or more.
PART = (("race/middle", 8), ("glue/sst2", 20))
MANY = (("race/middle", 100), ("glue/sst2", 200), ("glue/mrpc", 50))


def load(folder, name: str, sentinels: int) -> Model:
    assert name in SHAPES
    return load_model(str(build(folder, name, sentinels, window=1024)))


def harness_of(model: Model):
    pytest.importorskip("lm_eval")
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=model.network,
        tokenizer=model.tokenizer,
        backend="seq2seq",
        batch_size=8,
        device="cpu",
        max_length=model.max_length,
    )


def compare_with_harness(model: Model, works) -> tuple[int, int, float]:
    """(continuations, those that both tokenize alike, largest difference among these).

    HFLM does not score the token that ends a target: here it is the last of a score's tokens. It
    puts a token where a context is empty, and moves white space from the end of the context to the
    continuation.
    """
    requests = [one for task, limit in works for one in real_requests(task, limit)]
    pairs = pairs_of(requests)
    found = make_scorer(model).score(requests, details=True)
    ours = [tokens[:-1] for one in found for tokens in one.tokens]
    greedy = [one for result in found for one in result.greedy]
    harness = harness_of(model)
    theirs = harness_scores(harness, pairs)
    alike = [bool(context) and context == context.rstrip() for context, _ in pairs]
    differences = [abs(sum(a) - b) for a, b, same in zip(ours, theirs, alike, strict=True) if same]
    assert len(greedy) == len(pairs)
    return len(pairs), sum(alike), max(differences)


@needs_data
@pytest.mark.parametrize(
    ("works", "least"),
    [(PART, 150), pytest.param(MANY, 2000, marks=pytest.mark.slow)],
    ids=["part", "many"],
)
def test_plain_targets_score_as_with_the_harness(tmp_path, works, least):
    count, alike, difference = compare_with_harness(load(tmp_path, "t5-gated", 0), works)
    print(
        f"{count} continuations, {alike / count:.1%} tokenized alike, within {difference:.1e} nats"
    )
    assert count >= least
    assert alike >= 0.99 * count if works is PART else alike >= 2000
    assert difference < TOLERANCE


@needs_data
@pytest.mark.parametrize(
    ("works", "path", "least"),
    [
        ((("race/middle", 2), ("glue/sst2", 5)), "sum", 30),
        pytest.param(MANY, "sum", 2000, marks=pytest.mark.slow),
        pytest.param((("blimp", 15),), "whole_span", 2000, marks=pytest.mark.slow),
    ],
    ids=["part", "many", "blimp"],
)
def test_spans_score_as_with_labels(tmp_path, works, path, least):
    model = load(tmp_path, "t5", 3)
    requests = [one for task, limit in works for one in real_requests(task, limit)]
    assert len(pairs_of(requests)) >= least
    compare_with_labels(model, requests, path)


@needs_data
@pytest.mark.parametrize(
    ("limit", "least"), [(1, 500), pytest.param(15, 7500, marks=pytest.mark.slow)]
)
def test_words_score_as_with_labels(tmp_path, limit, least):
    """BLiMP's sentences; those with an apostrophe are left out, for tokenizers split at it."""
    requests = [
        one
        for one in real_requests("blimp", limit)
        if not any("'" in text for text in one.continuations)
    ]
    assert compare_with_labels(load(tmp_path, "t5", 3), requests, "span") >= least


def compare_with_labels(model: Model, requests: list[Request], path: str) -> int:
    """Values scored, all as one text at a time gives them; the order of requests is no matter."""
    random.Random(0).shuffle(requests)
    values = 0
    for request, found in zip(
        requests, make_scorer(model).score(requests, path, details=True), strict=True
    ):
        for tokens, expected in zip(
            found.tokens, request_values(model, request, path, spans=True), strict=True
        ):
            assert tokens == pytest.approx(expected, abs=TOLERANCE)
            values += len(tokens)
    return values
