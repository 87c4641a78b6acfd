"""Scores of a tiny fixed T5, pinned to the engine's version: they move only with a bump."""

import pytest

from benchsuite.models.registry import load_model
from benchsuite.scoring import Request, make_scorer
from benchsuite.scoring.version import SCORER_VERSION
from tests.scoring.seq2seq import build
from tests.tiny import SENTENCES

REQUESTS = [
    Request("The answer is ", ("yes", "no")),
    Request("", ("A letter.", "日本")),
    Request(" ".join(SENTENCES), ("\n", " very positive")),
]
# Version -> sentinels of the vocabulary -> path -> (log-likelihoods, token counts and truncation
# of each request), and a greedy text.
GOLDEN = {
    3: {
        0: {
            "sum": [
                ([-18.6379, -18.6477], (3, 3), False),
                ([-36.7704, -42.1995], (6, 7), False),
                ([-12.8947, -35.8522], (2, 6), True),
            ],
            "generate": "Sldldldldldldld",
        },
        3: {
            "sum": [
                ([-18.3985, -10.9309], (3, 2), False),
                ([-35.8246, -41.9394], (6, 7), False),
                ([-11.6574, -36.5078], (2, 6), True),
            ],
            "span": [
                ([-18.3985, -10.9309], (3, 2), False),
                ([-48.2122, -41.9394], (8, 7), False),
                ([-11.6445, -41.2029], (2, 7), True),
            ],
            "generate": "� Ber Ber Ber�",
        },
    }
}


@pytest.mark.parametrize("sentinels", [0, 3], ids=["plain", "spans"])
def test_scores_move_only_with_the_version(tmp_path, sentinels):
    scorer = make_scorer(load_model(str(build(tmp_path, "t5", sentinels))))
    golden = dict(GOLDEN[SCORER_VERSION][sentinels])
    assert scorer.generate(["The old"], ["\n"], 8) == [golden.pop("generate")]
    for path, expected in golden.items():
        for found, (totals, counts, truncated) in zip(
            scorer.score(REQUESTS, path), expected, strict=True
        ):
            assert found.log_likelihoods == pytest.approx(totals, abs=1e-3)
            assert (found.token_counts, found.truncated) == (counts, truncated)
