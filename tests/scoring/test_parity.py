"""The engine against lm-eval's HFLM: the same log-likelihoods wherever both tokenize alike."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer
from tests.scoring.real import needs_data, real_requests

TOLERANCE = 1e-4  # nats, in float32

# Boundaries where the two differ: (context, continuation, what we score, what HFLM scores).
# HFLM moves all white space that ends a context, line breaks too, into the continuation; here a
# continuation begins with the token that holds its first character.
GOLDEN = [
    ("Answer: yes.\n", "No.", "No.", "\nNo."),
    ("One line.\n\n", "Next.", "Next.", "\n\nNext."),
    ("Two  ", "spaces", " spaces", "  spaces"),
    ("A tab\t", "after it", "after it", "\tafter it"),
    # A token that straddles the boundary is scored here. HFLM cuts at the number of tokens of the
    # context alone, wherever that falls, and may be left with nothing to score.
    ("The answ", "er is", " answer is", " is"),
    ("Hello wor", "ld", " world", ""),
    ("The end..", ".", "...", ""),
]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("gpt")


@pytest.fixture(scope="module")
def harness(model):
    pytest.importorskip("lm_eval")
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=model.network,
        tokenizer=model.tokenizer,
        backend="causal",
        batch_size=16,
        device="cpu",
        max_length=model.max_length,
    )


def pairs_of(requests: list[Request]) -> list[tuple[str, str]]:
    return [(r.context, continuation) for r in requests for continuation in r.continuations]


def harness_tokens(harness, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Ids HFLM conditions on and scores."""
    if context == "":
        return [harness.prefix_token_id], harness.tok_encode(continuation, add_special_tokens=False)
    return harness._encode_pair(context, continuation)


def our_tokens(scorer, context: str, continuation: str) -> tuple[list[int], list[int]]:
    (found,) = scorer.tokens.encode([Request(context, (continuation,))])
    return list(found.ids[: found.split]), list(found.ids[found.split :])


def harness_scores(harness, pairs: list[tuple[str, str]]) -> list[tuple[float, bool]]:
    """(log-likelihood, whether its tokens are the likeliest ones) of each continuation."""
    instances = [SimpleNamespace(args=pair) for pair in pairs]
    return harness.loglikelihood(instances, disable_tqdm=True)


def our_scores(scorer, requests: list[Request]) -> list[tuple[tuple[float, ...], bool]]:
    """(log-likelihoods of its tokens, whether they are the likeliest) of each continuation."""
    return [
        one
        for found in scorer.score(requests, details=True)
        for one in zip(found.tokens, found.greedy, strict=True)
    ]


def own_texts(scorer, requests: list[Request]) -> list[Request]:
    """Requests with what the model itself goes on with, so that some are the likeliest."""
    contexts = [one.context for one in requests]
    texts = scorer.generate(contexts, [], 1)
    return [Request(*pair) for pair in zip(contexts, zip(texts, strict=True), strict=True)]


def compare_scores(
    ours: list[tuple[float, bool]], theirs: list[tuple[float, bool]], alike: list[bool], what: str
) -> int:
    """Continuations that both tokenize alike: they must score alike. Prints their share."""
    same = [pair for pair, one in zip(zip(ours, theirs, strict=True), alike, strict=True) if one]
    worst = max(abs(a - b) for (a, _), (b, _) in same)
    print(
        f"{what}: {len(same)} of {len(ours)} continuations ({len(same) / len(ours):.1%}) tokenized "
        f"alike, {sum(a for (_, a), _ in same)} greedy, largest difference {worst:.1e} nats"
    )
    assert len(same) >= 0.99 * len(ours)
    assert worst < TOLERANCE
    assert [a for (_, a), _ in same] == [b for _, (_, b) in same]
    return len(same)


def compare(model: Model, harness, counts: dict[str, int]) -> tuple[int, int]:
    """(requests, continuations) that were compared; counts: task -> examples a subset.

    To each task ten continuations of the model's own are added.
    """
    scorer = make_scorer(model)
    asked = compared = 0
    for task, limit in counts.items():
        requests = real_requests(task, limit)
        asked += len(requests)
        requests += own_texts(scorer, requests[-10:])
        pairs = pairs_of(requests)
        ours = [(sum(values), best) for values, best in our_scores(scorer, requests)]
        theirs = harness_scores(harness, pairs)
        alike = [our_tokens(scorer, *pair) == harness_tokens(harness, *pair) for pair in pairs]
        compared += compare_scores(ours, theirs, alike, f"{task}, {len(requests)} requests")
    return asked, compared


@needs_data
def test_real_requests_score_as_with_the_harness(model, harness):
    counts = {"race/middle": 12, "glue/sst2": 40, "blimp": 1, "glue/cola": 30, "glue/mrpc": 12}
    asked, compared = compare(model, harness, counts)
    assert asked >= 250
    assert compared >= 500


@needs_data
@pytest.mark.slow
def test_thousands_of_real_requests_score_as_with_the_harness(model, harness):
    counts = {
        "race/middle": 100,
        "glue/sst2": 250,
        "blimp": 10,
        "glue/cola": 300,
        "glue/mrpc": 150,
        "ner/conll2003": 20,
    }
    asked, compared = compare(model, harness, counts)
    assert asked >= 2000
    assert compared >= 4000


@pytest.mark.parametrize(("context", "continuation", "here", "there"), GOLDEN)
def test_boundaries_that_differ_from_the_harness(
    model, harness, context, continuation, here, there
):
    scorer = make_scorer(model)
    scored = our_tokens(scorer, context, continuation)
    theirs = harness_tokens(harness, context, continuation)
    assert scored != theirs
    assert model.tokenizer.decode(scored[1]) == here
    assert model.tokenizer.decode(theirs[1]) == there
