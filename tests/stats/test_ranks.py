"""Mean ranks and their intervals against a loop and known orders."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from benchsuite.stats import mean_ranks, rank_intervals


def test_mean_ranks_equal_scipy_task_by_task() -> None:
    scores = np.random.default_rng(0).integers(0, 6, size=(4, 5)).astype(float)
    by_task = [scipy.stats.rankdata(-scores[:, task]) for task in range(5)]
    assert mean_ranks(scores) == pytest.approx(np.mean(by_task, axis=0))
    several = np.stack([scores, -scores])
    assert mean_ranks(several)[1] == pytest.approx(5 - mean_ranks(scores))


def test_equal_scores_share_their_ranks() -> None:
    assert mean_ranks(np.array([[0.8], [0.8], [0.5]])).tolist() == [1.5, 1.5, 3.0]


def test_far_apart_ranks_are_certain_and_close_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    scores = np.array([[0.9, 0.9], [0.7, 0.7], [0.69, 0.71]])
    drawn = scores + 0.02 * generator.standard_normal((4_000, 3, 2))
    best, second, third = rank_intervals(scores, drawn)
    assert (best.value, best.low, best.high) == (1.0, 1.0, 1.0)
    assert (second.low, second.high) == (third.low, third.high) == (2.0, 3.0)


def test_an_interval_holds_its_value() -> None:
    """Replicates of equals hardly ever all rank the same one first."""
    scores = np.tile(np.linspace(0.701, 0.700, 12)[:, None], (1, 30))
    drawn = scores + 0.05 * np.random.default_rng(0).standard_normal((500, 12, 30))
    for one in rank_intervals(scores, drawn):
        assert one.low <= one.value <= one.high


def test_an_order_that_seldom_turns_is_certain() -> None:
    """Two systems whose order turns around in 10% of the replicates of the one task."""
    drawn = np.zeros((1000, 2, 1))
    drawn[:, 0] = 1.0
    drawn[:100, 1] = 2.0
    first, second = rank_intervals(np.array([[1.0], [0.0]]), drawn)
    assert (first.low, first.high, second.low, second.high) == (1.0, 2.0, 1.0, 2.0)
    drawn[:80] = [[1.0], [0.0]]
    assert rank_intervals(np.array([[1.0], [0.0]]), drawn)[0].high == 1.0
