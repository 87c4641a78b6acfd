"""The encoder-decoder engine against lm-eval's HFLM (plain targets), and, where HFLM has no such
format, against transformers' own `labels=` one text at a time (spans)."""

from __future__ import annotations

import random

import pytest

from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer
from tests.scoring.real import needs_data, real_requests
from tests.scoring.seq2seq import SHAPES, build, request_values
from tests.scoring.test_parity import (
    compare_scores,
    harness_scores,
    harness_tokens,
    our_scores,
    own_texts,
    pairs_of,
)

TOLERANCE = 1e-4  # nats, in float32
# Task and examples a subset: a part for every run, and 2,000 requests or more.
PART = (("race/middle", 8), ("glue/sst2", 20))
MANY = (("race/middle", 100), ("glue/sst2", 520), ("glue/mrpc", 150))


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


def requests_of(works, least: int) -> list[Request]:
    requests = [one for task, limit in works for one in real_requests(task, limit)]
    assert len(requests) >= least
    return requests


def sides_of(scorer, requests: list[Request]) -> list[tuple[list[int], list[int]]]:
    """Ids that the encoder reads and that are scored of each continuation, without what ends it."""
    return [
        (list(part.source), list(part.scored[: len(part.scored) - part.ends]))
        for part in scorer.sides.parts(requests, "sum")
    ]


@needs_data
@pytest.mark.parametrize(
    ("works", "least"),
    [(PART, 60), pytest.param(MANY, 2000, marks=pytest.mark.slow)],
    ids=["part", "many"],
)
def test_plain_targets_score_as_with_the_harness(tmp_path, works, least):
    """HFLM does not score the token that ends a target: here it is the last of a score's tokens."""
    model = load(tmp_path, "t5-gated", 0)
    scorer, harness = make_scorer(model), harness_of(model)
    requests = requests_of(works, least)
    requests += own_texts(scorer, requests[-40:])
    pairs = pairs_of(requests)
    ours = [(sum(values[:-1]), best) for values, best in our_scores(scorer, requests)]
    theirs = harness_scores(harness, pairs)
    sides = [harness_tokens(harness, *pair) for pair in pairs]
    cut = [(source[-model.max_length :], scored) for source, scored in sides]
    alike = [a == b for a, b in zip(sides_of(scorer, requests), cut, strict=True)]
    compare_scores(ours, theirs, alike, f"{len(requests)} requests")
    assert len({best for _, best in ours}) == 2


@needs_data
@pytest.mark.parametrize(
    ("works", "path", "least"),
    [
        ((("race/middle", 2), ("glue/sst2", 5)), "sum", 15),
        pytest.param(MANY, "sum", 2000, marks=pytest.mark.slow),
        pytest.param((("blimp", 30),), "whole_span", 2000, marks=pytest.mark.slow),
    ],
    ids=["part", "many", "blimp"],
)
def test_spans_score_as_with_labels(tmp_path, works, path, least):
    compare_with_labels(load(tmp_path, "t5", 3), requests_of(works, least), path)


@needs_data
@pytest.mark.parametrize(
    ("limit", "least"), [(1, 40), pytest.param(48, 2000, marks=pytest.mark.slow)]
)
def test_words_score_as_with_labels(tmp_path, limit, least):
    """BLiMP's sentences; those with an apostrophe are left out, for tokenizers split at it."""
    requests = [
        one
        for one in real_requests("blimp", limit)
        if not any("'" in text for text in one.continuations)
    ]
    assert len(requests) >= least
    compare_with_labels(load(tmp_path, "t5", 3), requests, "span")


def compare_with_labels(model: Model, requests: list[Request], path: str) -> None:
    """All values are as one text at a time gives them; the order of requests is no matter."""
    random.Random(0).shuffle(requests)
    results = make_scorer(model).score(requests, path, details=True)
    count, worst = 0, 0.0
    for request, found in zip(requests, results, strict=True):
        expected = request_values(model, request, path, spans=True)
        for ours, theirs in zip(found.tokens, expected, strict=True):
            count += len(ours)
            worst = max(worst, *(abs(a - b) for a, b in zip(ours, theirs, strict=True)))
            assert worst < TOLERANCE, request
    cut = sum(found.truncated for found in results) / len(results)
    print(
        f"{path}: {len(requests)} requests ({cut:.1%} truncated), {count} values, "
        f"largest difference {worst:.1e} nats"
    )
