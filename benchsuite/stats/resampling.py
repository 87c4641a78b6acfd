"""Uncertainty by the cluster bootstrap.

What is resampled is the cluster (all questions about one passage), with replacement, as many as
there are, and every example of a drawn cluster comes along (Efron and Tibshirani 1993, chapters 6,
8 and 13; Field and Welsh 2007 for clusters). Splits are resampled apart, and so are the subsets of
a task that takes the mean over its configs: BLiMP's paradigms are fixed, its pairs are a sample.

The standard error is the standard deviation of the replicates, undivided; the interval is their
2.5th to 97.5th percentile. Where every replicate is the same (all right, all wrong) the interval
has no width, which is the percentile bootstrap's known weakness, not certainty.

Replicates cost little: sums over clusters are taken once, and clusters with equal sums are drawn
together, for the number of draws that fall on them is multinomial. That is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import numpy as np

from benchsuite.errors import InputError
from benchsuite.metrics.columns import Columns, take
from benchsuite.metrics.measures import General, blocks, compute, get_measure
from benchsuite.tasks.spec import TaskSpec

REPLICATES = 1_000
SEED = 20_240_229
LEVEL = 0.95
CHUNK = 2_000_000
"""Entries of the largest array of draws held at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A bootstrap's result, None where it cannot be known (one cluster, undefined replicates).

    se: standard deviation of the replicates. low, high: percentile interval at `LEVEL`.
    """

    se: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """a minus b on the same examples, with its paired interval; `n` examples in `clusters`."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int


def estimate(task: TaskSpec, metric: str, tables: Sequence[Columns]) -> float:
    """Mean of a metric over tables (prompts) of the same examples; nan where any is undefined."""
    return float(np.mean([compute(task, metric, table) for table in tables]))


def bootstrap(
    task: TaskSpec,
    metric: str,
    tables: Sequence[Columns],
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Interval:
    """Interval of `estimate`: the same clusters are drawn for all tables, splits apart."""
    drawn = draw(task, metric, tables, replicates, seed)
    return _interval(drawn.mean(axis=1), cluster_count(task, tables[0]), task, tables[0])


def paired_difference(
    task: TaskSpec,
    metric: str,
    a: Sequence[Columns],
    b: Sequence[Columns],
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Difference:
    """estimate(a) - estimate(b), each the mean over its tables, on the same resampled clusters.

    The paired bootstrap of Efron and Tibshirani 1993, for clusters (in language: Koehn 2004).
    Raises InputError where the tables hold different examples.
    """
    value = estimate(task, metric, a) - estimate(task, metric, b)
    clusters = cluster_count(task, a[0])
    gaps = paired_draws(task, metric, a, b, replicates, seed)
    interval = _interval(gaps, clusters, task, a[0])
    known = None if math.isnan(value) else value
    n = len(a[0]["id"])
    return Difference(known, interval.se, interval.low, interval.high, n, clusters)


def paired_draws(
    task: TaskSpec,
    metric: str,
    a: Sequence[Columns],
    b: Sequence[Columns],
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> np.ndarray:
    """Replicates (R,) of estimate(a) - estimate(b); nan where the metric is undefined."""
    drawn = draw(task, metric, [*a, *b], replicates, seed)
    gaps: np.ndarray = drawn[:, : len(a)].mean(axis=1) - drawn[:, len(a) :].mean(axis=1)
    return gaps


def draw(
    task: TaskSpec, metric: str, tables: Sequence[Columns], replicates: int, seed: int
) -> np.ndarray:
    """Replicates (R, tables) of `compute`: of the mean over splits and, where due, over subsets."""
    tables = aligned(tables)
    generator = np.random.default_rng(seed)
    if not len(tables[0]["id"]):
        return np.full((replicates, len(tables)), math.nan)
    return mean_over_strata(
        task, tables, lambda parts: _stratum(task, metric, parts, replicates, generator)
    )


def mean_over_strata(
    task: TaskSpec, tables: Sequence[Columns], values: Callable[[list[Columns]], np.ndarray]
) -> np.ndarray:
    """Mean over splits of the mean over strata of what is computed of the tables' rows in each."""
    splits = [
        np.mean([values([take(table, rows) for table in tables]) for rows in strata], axis=0)
        for strata in blocks(task, tables[0])
    ]
    result: np.ndarray = np.mean(splits, axis=0)
    return result


def replicates_of(
    task: TaskSpec,
    metric: str,
    tables: Sequence[Columns],
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> np.ndarray:
    """Replicates (R,) of `estimate` of one arm that pair with those of any other arm.

    What is drawn depends on the number of clusters alone, not on the outcomes: arms that answered
    the same examples are resampled alike though each is computed, and kept, on its own. `draw` is
    faster and pairs only the tables that it is given.
    """
    measure = get_measure(task, metric)
    numbers = count()

    def values(parts: list[Columns]) -> np.ndarray:
        number = cluster_numbers(parts[0])
        counts = _counts(int(number.max()) + 1, replicates, seed, next(numbers)).astype(float)
        if isinstance(measure, General):
            found = [measure.values(task, part, counts[:, number]) for part in parts]
        else:
            found = [
                measure.value(counts @ sums_of(measure.statistics(task, part), number))
                for part in parts
            ]
        mean: np.ndarray = np.mean(found, axis=0)
        return mean

    return mean_over_strata(task, aligned(tables), values)


@lru_cache(maxsize=100)
def _counts(clusters: int, replicates: int, seed: int, stratum: int) -> np.ndarray:
    """How often each of the clusters is drawn, (R, clusters), uint8; the same for the same call."""
    generator = np.random.default_rng([seed, stratum])
    found = np.empty((replicates, clusters), dtype=np.uint8)
    for row in found:
        picks = generator.integers(0, clusters, size=clusters)
        row[:] = np.bincount(picks, minlength=clusters)
    return found


def sums_of(facts: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Statistics of examples (n, s) summed by their cluster, (clusters, s)."""
    found = np.zeros((number.max() + 1, facts.shape[1]))
    np.add.at(found, number, facts)
    return found


def clustered_se(values: np.ndarray, clusters: np.ndarray) -> float:
    """Standard error of the mean of values that are not independent within clusters.

    SE^2 = sum over clusters of (sum of (x - mean))^2 / n^2 (Liang and Zeger 1986; for evaluations:
    Miller 2024, "Adding error bars to evals"), without a correction for few clusters. What the
    cluster bootstrap of a mean tends to; of values in clusters of one, the standard deviation
    over sqrt(n).

    values: (n,) such as credits. clusters: (n,), any labels. nan for one cluster or none.
    """
    _, number = np.unique(clusters, return_inverse=True)
    if len(values) == 0 or number.max() == 0:
        return math.nan
    sums = np.bincount(number, weights=values - values.mean())
    return float(np.sqrt((sums**2).sum()) / len(values))


def cluster_count(task: TaskSpec, columns: Columns) -> int:
    """How many clusters there are; a cluster lies within one split and subset."""
    return sum(int(cluster_numbers(take(columns, rows)).max()) + 1 for rows in _flat(task, columns))


def smallest_stratum(task: TaskSpec, columns: Columns) -> int:
    """Clusters of the stratum (split, subset of a task that takes their mean) with the fewest."""
    strata = _flat(task, columns)
    return min((int(cluster_numbers(take(columns, rows)).max()) + 1 for rows in strata), default=0)


def stratum_count(task: TaskSpec, columns: Columns) -> int:
    """How many strata there are, which are resampled apart."""
    return len(_flat(task, columns))


def _flat(task: TaskSpec, columns: Columns) -> list[np.ndarray]:
    return [rows for strata in blocks(task, columns) for rows in strata]


def cluster_numbers(columns: Columns) -> np.ndarray:
    """Cluster number of each row (n,), from 0; ids are unique within a subset only."""
    _, cluster = np.unique(columns["cluster"], return_inverse=True)
    _, subset = np.unique(columns["subset"], return_inverse=True)
    _, number = np.unique(subset * (cluster.max(initial=0) + 1) + cluster, return_inverse=True)
    return number


def _stratum(
    task: TaskSpec,
    metric: str,
    tables: Sequence[Columns],
    replicates: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Replicates (R, tables) of the metric in one stratum."""
    measure = get_measure(task, metric)
    number = cluster_numbers(tables[0])
    if isinstance(measure, General):
        once = np.ones(number.max() + 1, dtype=np.int64)
        chunks = [
            np.column_stack([measure.values(task, table, counts[:, number]) for table in tables])
            for counts in _draws(once, replicates, generator, width=len(number))
        ]
        return np.concatenate(chunks)
    rows = np.hstack([measure.statistics(task, table) for table in tables])
    distinct, multiplicity = np.unique(sums_of(rows, number), axis=0, return_counts=True)
    chunks = [
        measure.value((counts @ distinct).reshape(len(counts), len(tables), -1))
        for counts in _draws(multiplicity, replicates, generator, width=len(distinct))
    ]
    return np.concatenate(chunks)


def _draws(
    multiplicity: np.ndarray, replicates: int, generator: np.random.Generator, width: int
) -> Iterator[np.ndarray]:
    """How often each kind of cluster is drawn, in chunks (r, kinds) of at most CHUNK entries.

    multiplicity: clusters of each kind. As many clusters are drawn as there are. `width`: entries
    a row that the caller makes of a draw.
    """
    clusters, kinds = int(multiplicity.sum()), len(multiplicity)
    size = max(1, CHUNK // max(width, kinds))
    for start in range(0, replicates, size):
        rows = min(size, replicates - start)
        if kinds * 4 < clusters:
            yield generator.multinomial(clusters, multiplicity / clusters, size=rows)
            continue
        # With nearly as many kinds as clusters, counting single draws is the faster way.
        kind = np.repeat(np.arange(kinds), multiplicity)
        picks = kind[generator.integers(0, clusters, size=(rows, clusters))]
        picks += kinds * np.arange(rows)[:, None]
        yield np.bincount(picks.ravel(), minlength=rows * kinds).reshape(rows, kinds)


def _interval(drawn: np.ndarray, clusters: int, task: TaskSpec, columns: Columns) -> Interval:
    """SE and percentiles over the defined replicates, which must be at least half of all."""
    defined = drawn[~np.isnan(drawn)]
    if clusters <= len(_flat(task, columns)) or 2 * len(defined) < len(drawn):
        return Interval(None, None, None)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(defined.std(ddof=1)), float(low), float(high))


def order_of(table: Columns) -> np.ndarray:
    """The order of a table's rows by split, subset and id."""
    return np.lexsort((table["id"], table["subset"], table["split"]))


def aligned(tables: Sequence[Columns]) -> list[Columns]:
    """The tables with their rows in one order: by split, subset and id."""
    ordered = [take(table, order_of(table)) for table in tables]
    for table in ordered[1:]:
        for name in ("split", "subset", "id", "cluster"):
            if not np.array_equal(table[name], ordered[0][name]):
                raise InputError("the outcomes to compare are not of the same examples")
    return ordered
