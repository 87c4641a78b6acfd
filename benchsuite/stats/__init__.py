"""Statistics of scores: how sure a number is, and whether two differ.

`resampling`: intervals by resampling clusters. `paired`: tests and intervals of two arms that
answered the same examples. `seeds`: the part that training adds. `ranks`: of several systems over
several tasks.
"""

from benchsuite.stats.paired import holm, mcnemar, newcombe, permutation
from benchsuite.stats.ranks import Rank, mean_ranks, rank_intervals
from benchsuite.stats.resampling import (
    LEVEL,
    REPLICATES,
    SEED,
    Difference,
    Interval,
    bootstrap,
    cluster_count,
    clustered_se,
    draw,
    estimate,
    order_of,
    paired_difference,
    paired_draws,
    smallest_stratum,
    stratum_count,
)
from benchsuite.stats.seeds import Combined, combine

__all__ = [
    "LEVEL",
    "REPLICATES",
    "SEED",
    "Combined",
    "Difference",
    "Interval",
    "Rank",
    "bootstrap",
    "cluster_count",
    "clustered_se",
    "combine",
    "draw",
    "estimate",
    "holm",
    "mcnemar",
    "mean_ranks",
    "newcombe",
    "order_of",
    "paired_difference",
    "paired_draws",
    "permutation",
    "rank_intervals",
    "smallest_stratum",
    "stratum_count",
]
