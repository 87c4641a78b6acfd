"""Metrics: predictions -> outcome columns (one row an example) -> a number, without torch.

`columns` turns predictions into additive facts an example, `measures` turns those into metrics,
`baselines` says what no model at all would get. `benchsuite.stats` resamples the same columns.
"""

from benchsuite.metrics.baselines import baselines
from benchsuite.metrics.columns import Columns, all_columns, outcome_columns, take
from benchsuite.metrics.measures import (
    Additive,
    General,
    compute,
    compute_on_slice,
    get_measure,
    undefined_reason,
)

METRICS_VERSION = 1
"""Raised whenever a metric or an outcome column gives another number for the same input."""

__all__ = [
    "METRICS_VERSION",
    "Additive",
    "Columns",
    "General",
    "all_columns",
    "baselines",
    "compute",
    "compute_on_slice",
    "get_measure",
    "outcome_columns",
    "take",
    "undefined_reason",
]
