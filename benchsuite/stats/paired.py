"""Two arms that answered the same examples: is one worse, and by how much?

Tests are one-sided, of "a is no worse than b" (d = a - b >= 0, of a metric of which more is
better): a small p says that a is worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchsuite.metrics.columns import Columns
from benchsuite.metrics.measures import General, exchangeable, get_measure
from benchsuite.stats.resampling import (
    CHUNK,
    SEED,
    aligned,
    cluster_numbers,
    estimate,
    mean_over_strata,
    sums_of,
)
from benchsuite.tasks.spec import TaskSpec

PERMUTATIONS = 10_000
ROUNDING = 1e-12
"""Differences of two sums in another order that count as equal."""


def mcnemar(losses: int, gains: int) -> float:
    """P of so few gains or fewer among the discordant examples, were both ways as likely.

    The exact test of McNemar (1947), one-sided: the binomial distribution over the examples that
    one arm alone has right. 1 where there is none.
    """
    from scipy.stats import binomtest

    if losses + gains == 0:
        return 1.0
    return float(binomtest(gains, losses + gains, 0.5, alternative="less").pvalue)


def permutation(
    task: TaskSpec,
    metric: str,
    a: Sequence[Columns],
    b: Sequence[Columns],
    replicates: int = PERMUTATIONS,
    seed: int = SEED,
) -> float:
    """P of a difference this low or lower, were it chance which arm gave which of two outcomes.

    The paired permutation test (Fisher 1935; in language: Yeh 2000), for clusters: the outcomes of
    a whole cluster are swapped, under all prompts, and the metric is computed anew; correlations,
    which do not see the scale of an arm's predictions, on a common one. It is
    (1 + as low) / (1 + replicates), never 0 (Phipson and Smyth 2010); nan where the metric is
    undefined.

    a, b: a table a prompt, the same ones. Raises InputError where they hold different examples.
    """
    tables = aligned([*a, *b])
    observed = estimate(task, metric, a) - estimate(task, metric, b)
    if math.isnan(observed):
        return math.nan
    generator = np.random.default_rng(seed)

    def swapped(parts: list[Columns]) -> np.ndarray:
        pairs = list(zip(parts[: len(a)], parts[len(a) :], strict=True))
        return _swapped(task, metric, pairs, replicates, generator)

    gaps = mean_over_strata(task, tables, swapped)
    # Where swapping leaves one arm constant, a correlation is undefined and tells nothing.
    gaps = gaps[~np.isnan(gaps)]
    return float((1 + (gaps <= observed + ROUNDING).sum()) / (1 + len(gaps)))


def _swapped(
    task: TaskSpec,
    metric: str,
    pairs: Sequence[tuple[Columns, Columns]],
    replicates: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Differences (R,) in one stratum, each cluster swapped or not with equal chance."""
    measure = get_measure(task, metric)
    number = cluster_numbers(pairs[0][0])
    n, clusters = len(number), int(number.max()) + 1
    pairs = [(exchangeable(task, metric, x), exchangeable(task, metric, y)) for x, y in pairs]
    # One under the other, so that facts about a table's own middle are about that of both.
    both = [{name: np.concatenate([x[name], y[name]]) for name in x if name in y} for x, y in pairs]
    sums = []
    if not isinstance(measure, General):
        for table in both:
            facts = measure.statistics(task, table)
            sums.append((sums_of(facts[:n], number), sums_of(facts[n:], number)))
    size = max(1, CHUNK // (2 * n))
    found = []
    for start in range(0, replicates, size):
        swap = _coins(generator, min(size, replicates - start), clusters)
        gaps = []
        if isinstance(measure, General):
            goes = swap.astype(np.int64)[:, number]
            stays = 1 - goes
            for table in both:
                first = measure.values(task, table, np.hstack([stays, goes]))
                gaps.append(first - measure.values(task, table, np.hstack([goes, stays])))
        else:
            for mine, theirs in sums:
                moved = swap.astype(float) @ (theirs - mine)
                first = measure.value(mine.sum(axis=0) + moved)
                gaps.append(first - measure.value(theirs.sum(axis=0) - moved))
        found.append(np.mean(gaps, axis=0))
    return np.concatenate(found)


def _coins(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Fair zeros and ones (rows, columns), uint8: a drawn byte has eight."""
    octets = generator.integers(0, 256, size=(rows, -(-columns // 8)), dtype=np.uint8)
    return np.unpackbits(octets, axis=1, count=columns)


def newcombe(
    both: int, only_a: int, only_b: int, neither: int, level: float
) -> tuple[float, float]:
    """Interval of the difference a - b of two proportions of the same examples.

    Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", method 10: Wilson's intervals of the two, put together by their
    correlation phi (with its continuity correction where positive). It has width where no example
    is discordant, which no resampling has.

    Args:
        both, only_a, only_b, neither: how many examples each arm has right.
        level: of the two-sided interval.
    """
    from scipy.stats import binomtest

    n = both + only_a + only_b + neither
    a, b = both + only_a, both + only_b
    of_a = binomtest(a, n).proportion_ci(level, "wilson")
    of_b = binomtest(b, n).proportion_ci(level, "wilson")
    phi = 0.0
    if 0 < a < n and 0 < b < n:
        product = float(both * neither - only_a * only_b)
        if product > 0:
            product = max(product - n / 2, 0.0)
        phi = product / math.sqrt(a * (n - a) * b * (n - b))
    gap = (a - b) / n

    def reach(toward: float, away: float) -> float:
        return math.sqrt(max(0.0, toward**2 - 2 * phi * toward * away + away**2))

    low = gap - reach(a / n - of_a.low, of_b.high - b / n)
    high = gap + reach(of_a.high - a / n, b / n - of_b.low)
    return low, high


def holm(p: Sequence[float]) -> list[float]:
    """P values adjusted for their number by Holm's step-down procedure (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda number: p[number])
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, number in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[number]))
        adjusted[number] = highest
    return adjusted
