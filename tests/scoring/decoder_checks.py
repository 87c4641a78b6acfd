"""Comparing a decoder's scores with the reference, and requests that share beginnings."""

import pytest

from benchsuite.scoring import Request, Scorer
from tests.scoring.reference import log_likelihoods
from tests.tiny import SENTENCES

TOLERANCE = 1e-4  # nats, in float32


def close(found, expected) -> bool:
    return found == pytest.approx(expected, abs=TOLERANCE)


def check_with(scorer: Scorer, requests: list[Request]) -> None:
    for request, result in zip(requests, scorer.score(requests), strict=True):
        assert close(result.log_likelihoods, log_likelihoods(scorer.model, request)), request


def sharing_requests() -> list[Request]:
    """Several requests on one long text, so that beginnings are shared in several depths."""
    passage = " ".join(SENTENCES[:3])
    return [
        Request(f"{passage}\nQuestion {number}?", (" yes", " no, never", " The answer is 12 €."))
        for number in range(4)
    ]
