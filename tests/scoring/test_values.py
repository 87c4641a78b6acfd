import math

import pytest
import torch

from benchsuite.errors import CellFailed
from benchsuite.scoring import Request
from benchsuite.scoring.values import read_off, score_of


def test_values_are_read_off_one_by_one():
    torch.manual_seed(0)
    logs = torch.randn(50, 30).log_softmax(1)
    logs[::5] = logs[::5].round()  # ties
    places = [at % 50 for at in range(200)]
    tokens = [int(logs[at].argmax()) if at % 3 else at % 30 for at in places]
    assert read_off(logs, places, tokens) == [
        (float(logs[at, token]), token == int(logs[at].argmax()))
        for at, token in zip(places, tokens, strict=True)
    ]


def test_of_tokens_that_tie_one_is_the_likeliest():
    logs = torch.zeros(1, 1000).log_softmax(1)
    assert [best for _, best in read_off(logs, [0] * 4, [0, 1, 500, 999])] == [True] + [False] * 3


def test_a_score_and_its_details():
    request = Request("a", ("b€", "c d"))
    found = [[(-1.0, True)], [(-2.0, True), (-0.5, False)]]
    score = score_of(0, request, found, True, details=True)
    assert (score.log_likelihoods, score.token_counts) == ((-1.0, -2.5), (1, 2))
    assert (score.byte_counts, score.truncated) == ((4, 3), True)
    assert (score.tokens, score.greedy) == (((-1.0,), (-2.0, -0.5)), (True, False))
    short = score_of(0, request, found, True, details=False)
    assert (short.tokens, short.greedy) == ((), ())


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_score_that_is_not_finite_fails(value):
    with pytest.raises(CellFailed, match="request 7: the log-likelihood of a continuation is"):
        score_of(7, Request("a", ("b",)), [[(value, False)]], False, details=False)
