"""Scores of a tiny fixed encoder, pinned to the engine's version: they move only with a bump."""

import pytest

from benchsuite.models.registry import load_model
from benchsuite.scoring import Request, make_scorer
from benchsuite.scoring.version import SCORER_VERSION
from tests.tiny import SENTENCES

REQUESTS = [
    Request("The answer is ", ("yes", "no")),
    Request("", ("A letter.", "They don't think, 日本")),
    Request(" ".join(SENTENCES), ("\n", " very positive")),
]
# Version -> path -> (log-likelihoods, token counts and truncation of each request).
GOLDEN = {
    3: {
        "cloze": [
            ([-15.3534, -5.3712], (2, 1), False),
            ([-32.9317, -108.6993], (5, 16), False),
            ([-4.3708, -34.6382], (1, 5), True),
        ],
        "pll": [
            ([-15.2815, -5.3712], (2, 1), False),
            ([-33.6504, -107.3477], (5, 16), False),
            ([-4.3708, -34.7131], (1, 5), True),
        ],
        "pll_within_word": [
            ([-15.2555, -5.3712], (2, 1), False),
            ([-32.8674, -107.3435], (5, 16), False),
            ([-4.3708, -34.7864], (1, 5), True),
        ],
    }
}


@pytest.mark.parametrize("path", ["cloze", "pll", "pll_within_word"])
def test_scores_move_only_with_the_version(tiny_bert_folder, path):
    scorer = make_scorer(load_model(str(tiny_bert_folder)))
    expected = GOLDEN[SCORER_VERSION][path]
    for found, (totals, counts, truncated) in zip(
        scorer.score(REQUESTS, path), expected, strict=True
    ):
        assert found.log_likelihoods == pytest.approx(totals, abs=1e-3)
        assert (found.token_counts, found.truncated) == (counts, truncated)
