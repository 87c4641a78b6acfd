"""Records that differ in their seed alone, as one score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchsuite.records import Record
from benchsuite.stats.resampling import LEVEL
from benchsuite.stats.seeds import combine

CORRELATIONS = ("matthews", "pearson", "spearman")


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """Mean of the seeds' scores, fractions.

    value: None where a seed's is undefined. spread: standard deviation between seeds (n - 1),
    None for one. low, high: interval at `LEVEL` over examples and seeds, None where it cannot be
    known. collapsed: seeds that are no better than the trivial answer.
    """

    seeds: int
    value: float | None
    spread: float | None
    low: float | None
    high: float | None
    collapsed: int


def over_seeds(found: Sequence[Record]) -> OverSeeds:
    """The scores of done records of one cell under different seeds, one a seed.

    The variance of the mean is an examples' part, the mean of the squared standard errors, and a
    seeds' part, their variance over their number: seeds share the examples, so that more of them
    make the second smaller alone. The interval is Student's t with the degrees of freedom of
    Welch and Satterthwaite (Satterthwaite 1946), the examples' part having infinitely many. The
    standard error of one seed is taken from its bootstrap interval, as that of a normal
    distribution.
    """
    headlines = [record.headline for record in found if record.headline is not None]
    values = [headline.value for headline in headlines if headline.value is not None]
    collapsed = sum(is_collapsed(record) for record in found)
    if len(values) < len(found):
        return OverSeeds(len(found), None, None, None, None, collapsed)
    value = fmean(values)
    if len(values) == 1:
        low, high = headlines[0].low, headlines[0].high
        return OverSeeds(1, value, None, low, high, collapsed)
    spread = stdev(values)
    ends = [(one.low, one.high) for one in headlines]
    if any(low is None or high is None for low, high in ends):
        return OverSeeds(len(values), value, spread, None, None, collapsed)
    from scipy.stats import norm

    reach = 2 * norm.ppf((1 + LEVEL) / 2)
    of_examples = fmean([((high or 0.0) - (low or 0.0)) ** 2 for low, high in ends]) / reach**2
    error = combine(of_examples, [(spread**2 / len(values), len(values) - 1)])
    half = error.quantile((1 + LEVEL) / 2) * error.se
    # Two seeds that lie apart say little: the interval is as wide as the metric.
    low = max(value - half, -1.0 if headlines[0].metric in CORRELATIONS else 0.0)
    return OverSeeds(len(values), value, spread, low, min(value + half, 1.0), collapsed)


def is_collapsed(record: Record) -> bool:
    """Whether a trained cell is no better than the trivial answer, always the same.

    Its interval reaches down to that answer's score, or lies below it; or its metric is undefined,
    as the correlation of equal predictions is. Finetuning that fails does so (Mosbach et al. 2021).
    """
    if not record.cost.get("parameters_trainable") or record.headline is None:
        return False
    if record.headline.value is None:
        return True
    # Of numbers the trivial answer is as good as chance.
    trivial = record.baselines.get("chance") if record.trivial is None else record.trivial
    if trivial is None:
        return False
    low = record.headline.low if record.headline.low is not None else record.headline.value
    return low is not None and low <= trivial
