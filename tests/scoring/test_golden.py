"""Scores of a tiny fixed model, pinned to the engine's version: they move only with a bump."""

import pytest

from benchsuite.models.registry import load_model
from benchsuite.scoring import Request, make_scorer
from benchsuite.scoring.version import SCORER_VERSION
from tests.tiny import SENTENCES

REQUESTS = [
    Request("The answer is ", ("yes", "no")),
    Request("", ("A letter.", "日本")),
    Request(" ".join(SENTENCES), ("\n", " very positive")),
]
# Version -> (log-likelihoods, token counts and truncation of each request, a greedy text).
GOLDEN = {
    3: (
        [
            ([-16.0229, -6.5012], (2, 1), False),
            ([-30.7355, -42.4703], (5, 6), False),
            ([-6.3512, -37.1344], (1, 5), True),
        ],
        "whi,YYYYY",
    )
}


def test_scores_move_only_with_the_version(tiny_gpt2_folder):
    scorer = make_scorer(load_model(str(tiny_gpt2_folder)))
    expected, text = GOLDEN[SCORER_VERSION]
    for found, (totals, counts, truncated) in zip(scorer.score(REQUESTS), expected, strict=True):
        assert found.log_likelihoods == pytest.approx(totals, abs=1e-3)
        assert (found.token_counts, found.truncated) == (counts, truncated)
    assert scorer.generate(["The old"], ["\n"], 8) == [text]
