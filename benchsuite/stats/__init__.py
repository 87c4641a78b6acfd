"""Statistics of scores: how sure a number is, and whether two differ.

`resampling`: intervals by resampling clusters. `paired`: tests and intervals of two arms that
answered the same examples. `seeds`: the part that training adds.
"""

from benchsuite.stats.paired import holm, mcnemar, newcombe, permutation
from benchsuite.stats.resampling import (
    LEVEL,
    REPLICATES,
    SEED,
    Difference,
    Interval,
    bootstrap,
    cluster_count,
    draw,
    estimate,
    paired_difference,
    paired_draws,
    smallest_stratum,
)
from benchsuite.stats.seeds import Combined, combine

__all__ = [
    "LEVEL",
    "REPLICATES",
    "SEED",
    "Combined",
    "Difference",
    "Interval",
    "bootstrap",
    "cluster_count",
    "combine",
    "draw",
    "estimate",
    "holm",
    "mcnemar",
    "newcombe",
    "paired_difference",
    "paired_draws",
    "permutation",
    "smallest_stratum",
]
