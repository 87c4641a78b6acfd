"""Ranks of systems that answered the same tasks, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchsuite.stats.resampling import LEVEL


@dataclass(frozen=True, slots=True)
class Rank:
    """A mean rank over tasks, 1 being best, with its interval at `LEVEL`, None where unknown."""

    value: float
    low: float | None
    high: float | None


def mean_ranks(scores: np.ndarray) -> np.ndarray:
    """Mean rank over tasks of each system: (..., systems, tasks) to (..., systems).

    More is better, 1 is best, equal scores share the mean of their ranks (Kendall 1945).
    """
    from scipy.stats import rankdata

    found: np.ndarray = rankdata(-scores, axis=-2).mean(axis=-1)
    return found


def rank_intervals(scores: np.ndarray, drawn: np.ndarray) -> list[Rank]:
    """Mean ranks with the percentiles of those that resampling gives.

    The ranks are computed anew on every replicate, in which all systems answer the same resampled
    examples (Goldstein and Spiegelhalter 1996, "League tables and their limitations"). Ranks of
    replicates regress towards the middle, so an interval can leave out its own value where systems
    lie close: it is widened to hold it.

    Args:
        scores: (systems, tasks). drawn: (R, systems, tasks), replicates of the same.
    """
    ends = np.quantile(mean_ranks(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [
        Rank(float(value), float(min(low, value)), float(max(high, value)))
        for value, low, high in zip(mean_ranks(scores), *ends, strict=True)
    ]
