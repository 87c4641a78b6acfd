"""Metrics of outcome columns, built so that a bootstrap need not look at examples again.

Most metrics are a function of sums over examples (`Additive`): the sums under any resampling are
a matrix product. The others (`General`: rank correlation, plug-ins) take integer row weights.

Values are fractions, correlations in [-1, 1]; nan means undefined, and says why on demand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from benchsuite.errors import InputError
from benchsuite.metrics.columns import MOST_OPTIONS, Columns, take
from benchsuite.tasks.spec import TaskSpec

ENTRY_POINTS = "benchsuite.metrics"
SMALLEST_VARIANCE = 1e-13
"""Share of the mean square below which a variance is rounding error: the values are constant."""

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Additive:
    """A metric that is a function of sums over examples.

    statistics: (task, columns of n rows) -> (n, C). value: sums (..., C) -> (...), nan where
    undefined. undefined: why it then is.
    """

    statistics: Callable[[TaskSpec, Columns], Array]
    value: Callable[[Array], Array]
    undefined: str


@dataclass(frozen=True, slots=True)
class General:
    """A metric that needs the examples: (task, columns of n rows, counts (R, n)) -> (R,)."""

    values: Callable[[TaskSpec, Columns, Array], Array]
    undefined: str


class PluginMetric(Protocol):
    """What an entry point of the group `benchsuite.metrics` gives."""

    kinds: tuple[str, ...]

    def value(self, columns: Columns, counts: Array) -> float:
        """The metric of n rows, row i taken counts[i] times; nan where undefined."""
        ...


# --- means -------------------------------------------------------------------------------------


def _mean_of(name: str) -> Additive:
    """Mean of a column over examples (accuracy of `credit`, SQuAD's `em` and `f1`)."""

    def statistics(task: TaskSpec, columns: Columns) -> Array:
        return np.column_stack([columns[name], np.ones(len(columns[name]))])

    return Additive(statistics, lambda sums: _ratio(sums[..., 0], sums[..., 1]), "no examples")


def _ratio(above: Array, below: Array) -> Array:
    """above / below, nan where below is 0."""
    out = np.full(np.shape(below), np.nan)
    return np.divide(above, below, out=out, where=below != 0)


# --- classes -----------------------------------------------------------------------------------


def _class_weights(task: TaskSpec, columns: Columns) -> Array:
    """Predicted classes, (n, K + 1): a tie gives each of its k classes 1/k; the last is `none`."""
    weights = np.zeros((len(columns["gold"]), len(task.labels) + 1))
    rows, tied = np.arange(len(weights)), columns["tied"]
    weights[rows, columns["prediction"]] = 1.0
    bits = (tied[:, None] >> np.arange(min(len(task.labels), MOST_OPTIONS))) & 1
    ties = tied > 0
    weights[ties] = 0.0
    weights[ties, : bits.shape[1]] = bits[ties] / bits[ties].sum(axis=1, keepdims=True)
    return weights


def _gold_classes(task: TaskSpec, columns: Columns) -> Array:
    """Gold classes one-hot, (n, K + 1)."""
    return np.eye(len(task.labels) + 1)[columns["gold"]]


def _matthews_statistics(task: TaskSpec, columns: Columns) -> Array:
    """(n, 2 + 2 (K + 1)): right, 1, gold classes, predicted classes."""
    gold, predicted = _gold_classes(task, columns), _class_weights(task, columns)
    right = (gold * predicted).sum(axis=1)
    return np.column_stack([right, np.ones(len(right)), gold, predicted])


def _matthews(sums: Array) -> Array:
    """Matthews correlation of K classes (R_K, Gorodkin 2004), from sums of statistics.

    R_K = (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2)), with c right of s
    examples, t_k of gold class k and p_k predicted as k; 0 where a side is constant, which is the
    convention of scikit-learn and of GLUE's CoLA.
    """
    right, total = sums[..., 0], sums[..., 1]
    classes = (sums.shape[-1] - 2) // 2
    gold, predicted = sums[..., 2 : 2 + classes], sums[..., 2 + classes :]
    covariance = right * total - (gold * predicted).sum(axis=-1)
    spread = (total**2 - (predicted**2).sum(axis=-1)) * (total**2 - (gold**2).sum(axis=-1))
    varies = spread > SMALLEST_VARIANCE * total**4
    value = np.divide(
        covariance, np.sqrt(np.where(varies, spread, 1.0)), out=np.zeros_like(total), where=varies
    )
    return np.where(total > 0, value, np.nan)


def _f1_statistics(task: TaskSpec, columns: Columns) -> Array:
    """(n, 3): true positives, false positives, false negatives of the positive class."""
    said = _class_weights(task, columns)[:, task.positive_index]
    is_positive = columns["gold"] == task.positive_index
    return np.column_stack([said * is_positive, said * ~is_positive, (1 - said) * is_positive])


def _f1(sums: Array) -> Array:
    """2 tp / (2 tp + fp + fn) from sums (tp, fp, fn)."""
    tp, fp, fn = sums[..., 0], sums[..., 1], sums[..., 2]
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _entity_statistics(task: TaskSpec, columns: Columns) -> Array:
    """(n, 3): entities found, invented, missed."""
    return np.column_stack([columns["tp"], columns["fp"], columns["fn"]]).astype(float)


# --- correlations ------------------------------------------------------------------------------


def _pearson_statistics(task: TaskSpec, columns: Columns) -> Array:
    """(n, 6): 1, x, y, xx, yy, xy about the medians, so that equal values are exactly 0."""
    if not len(columns["x"]):
        return np.zeros((0, 6))
    x, y = columns["x"] - np.median(columns["x"]), columns["y"] - np.median(columns["y"])
    return np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])


def _pearson(sums: Array) -> Array:
    """Pearson correlation from sums (1, x, y, xx, yy, xy); nan where a side is constant."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread_x, spread_y = n * xx - x * x, n * yy - y * y
    varies = (spread_x > SMALLEST_VARIANCE * n * xx) & (spread_y > SMALLEST_VARIANCE * n * yy)
    below = np.where(varies, np.sqrt(np.abs(spread_x)) * np.sqrt(np.abs(spread_y)), 0.0)
    return np.clip(_ratio(n * xy - x * y, below), -1.0, 1.0)


def _spearman(task: TaskSpec, columns: Columns, counts: Array) -> Array:
    """Spearman correlation under each of R weightings: Pearson of the ranks, ties at midranks.

    Ranks are those of the resampled data, not of the original: the values are sorted once, and a
    replicate's ranks follow from its cumulated counts, O(n) each.
    """
    if not counts.shape[1]:
        return np.full(len(counts), np.nan)
    ranks_x, ranks_y = _midranks(columns["x"], counts), _midranks(columns["y"], counts)
    total = counts.sum(axis=1)
    middle = ((total + 1) / 2)[:, None]  # the mean rank, whatever the ties
    x, y = ranks_x - middle, ranks_y - middle
    covariance = np.einsum("rn,rn,rn->r", counts, x, y)
    spread_x = np.einsum("rn,rn,rn->r", counts, x, x)
    spread_y = np.einsum("rn,rn,rn->r", counts, y, y)
    return np.clip(_ratio(covariance, np.sqrt(spread_x * spread_y)), -1.0, 1.0)


def _midranks(values: Array, counts: Array) -> Array:
    """Ranks (R, n) of values (n,) where value i occurs counts[r, i] times; exact halves."""
    distinct, where = np.unique(values, return_inverse=True)
    order = np.argsort(where, kind="stable")
    starts = np.searchsorted(where[order], np.arange(len(distinct)))
    occurrences = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks = np.cumsum(occurrences, axis=1) - (occurrences - 1) / 2
    return ranks[:, where]


def exchangeable(task: TaskSpec, metric: str, columns: Columns) -> Columns:
    """Columns on a scale on which the outcomes of two arms can be swapped.

    Correlations do not see the scale of the predictions, so two arms may well have two (cosines
    about .9, and about .3): standard scores for Pearson's, midranks for Spearman's. The metric
    stays as it is; other columns are returned as they are.
    """
    if task.kind != "regression" or metric not in ("pearson", "spearman") or not len(columns["x"]):
        return columns
    x = columns["x"]
    if metric == "spearman":
        return columns | {"x": _midranks(x, np.ones((1, len(x)), dtype=np.int64))[0]}
    deviation = x.std()
    return columns | {"x": (x - x.mean()) / (deviation if deviation > 0 else 1.0)}


# --- by name -----------------------------------------------------------------------------------

_NO_POSITIVE = "no positive example, gold or predicted"
_CONSTANT = "constant predictions or gold values"
_ACCURACY = _mean_of("credit")

MEASURES: dict[str, dict[str, Additive | General]] = {
    "classification": {
        "accuracy": _ACCURACY,
        "matthews": Additive(_matthews_statistics, _matthews, "no examples"),
        "f1": Additive(_f1_statistics, _f1, _NO_POSITIVE),
    },
    "regression": {
        "pearson": Additive(_pearson_statistics, _pearson, _CONSTANT),
        "spearman": General(_spearman, _CONSTANT),
    },
    "tagging": {"entity_f1": Additive(_entity_statistics, _f1, "no entity, gold or predicted")},
    "span": {"f1": _mean_of("f1"), "em": _mean_of("em")},
    "choice": {"accuracy": _ACCURACY},
    "minimal_pair": {"accuracy": _ACCURACY},
}


def get_measure(task: TaskSpec, metric: str) -> Additive | General:
    """The measure a task calls `metric`; `plugin:name` or `package:name` is an entry point.

    Raises InputError for a metric that is not there or not for this kind of task.
    """
    if task.kind == "lm_eval":  # a column each, which lm-eval has judged
        return _mean_of(metric)
    if ":" in metric:
        return _plugin(task, metric)
    if metric not in MEASURES[task.kind]:
        known = ", ".join(MEASURES[task.kind])
        raise InputError(f"{task.id}: no metric '{metric}' for {task.kind}; there is {known}")
    return MEASURES[task.kind][metric]


def _plugin(task: TaskSpec, metric: str) -> General:
    """The entry point `name` of any package (`plugin:name`) or of one (`package:name`)."""
    package, _, name = metric.partition(":")
    found = [
        point
        for point in entry_points(group=ENTRY_POINTS, name=name)
        if package == "plugin" or (point.dist is not None and point.dist.name == package)
    ]
    if len(found) != 1:
        what = f"{len(found)} packages offer" if found else "no installed package offers"
        raise InputError(f"{task.id}: {what} the metric '{metric}' (group {ENTRY_POINTS})")
    plugin: PluginMetric = found[0].load()
    if task.kind not in plugin.kinds:
        raise InputError(f"{task.id}: metric '{metric}' is for {', '.join(plugin.kinds)}")

    def values(task: TaskSpec, columns: Columns, counts: Array) -> Array:
        return np.array([float(plugin.value(columns, row)) for row in counts])

    return General(values, "the plug-in's metric is not defined here")


# --- of a table --------------------------------------------------------------------------------


def blocks(task: TaskSpec, columns: Columns) -> list[list[Array]]:
    """Row indices by split, then by stratum: the mean over strata, then over splits, is the value.

    A split is one stratum, or a stratum a subset where the task takes the mean over its configs.
    """
    splits = []
    for split in np.unique(columns["split"]):
        rows = np.flatnonzero(columns["split"] == split)
        if task.dataset.concat != "mean":
            splits.append([rows])
            continue
        _, which = np.unique(columns["subset"][rows], return_inverse=True)
        order = np.argsort(which, kind="stable")
        splits.append(np.split(rows[order], np.cumsum(np.bincount(which))[:-1]))
    return splits


def compute(task: TaskSpec, metric: str, columns: Columns, counts: Array | None = None) -> float:
    """A metric of outcome columns, row i taken counts[i] times (once by default).

    Mean over the splits in the table and, for `concat: mean`, over subsets. nan where undefined
    in any of them, and for an empty table.
    """
    measure = get_measure(task, metric)
    weights = np.ones(len(columns["split"]), dtype=np.int64) if counts is None else counts
    splits = [
        np.mean([_value(task, measure, take(columns, rows), weights[rows]) for rows in strata])
        for strata in blocks(task, columns)
    ]
    return float(np.mean(splits)) if splits else math.nan


def compute_on_slice(task: TaskSpec, columns: Columns) -> float:
    """What epochs and penalties are compared by on a selection slice: the headline metric.

    F1 of the positive label is averaged with accuracy where the task has both, as in GLUE's mean:
    always the positive label has an F1 of 0.81 on MRPC, above most of what learns to tell apart.
    """
    value = compute(task, task.headline_metric, columns)
    is_f1 = task.kind == "classification" and task.headline_metric == "f1"
    if is_f1 and "accuracy" in task.metrics:
        value = (value + compute(task, "accuracy", columns)) / 2
    return value


def _value(task: TaskSpec, measure: Additive | General, columns: Columns, counts: Array) -> float:
    """The metric of one stratum."""
    if isinstance(measure, General):
        return float(measure.values(task, columns, counts[None, :])[0])
    return float(measure.value(counts @ measure.statistics(task, columns)))


def undefined_reason(task: TaskSpec, metric: str, columns: Columns) -> str | None:
    """Why `compute` gives nan, or None where it does not."""
    if not len(columns["split"]):
        return "no scorable examples"
    measure = get_measure(task, metric)
    for strata in blocks(task, columns):
        for rows in strata:
            if math.isnan(compute(task, metric, take(columns, rows))):
                return _reason(task, measure, take(columns, rows))
    return None


def _reason(task: TaskSpec, measure: Additive | General, columns: Columns) -> str:
    """Why the metric of one stratum is undefined."""
    if task.kind == "regression" and len(columns["x"]) < 2:
        return "fewer than two examples"
    if task.kind == "regression" and measure.undefined == _CONSTANT:
        constant = "predictions" if np.ptp(columns["x"]) == 0 else "gold values"
        return f"constant {constant}"
    return measure.undefined
