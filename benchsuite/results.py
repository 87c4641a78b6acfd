"""From predictions to the rows of a record: results, headline, baselines, counts, outcomes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchsuite.metrics import all_columns, baselines, compute, take, undefined_reason
from benchsuite.metrics.columns import Columns
from benchsuite.regimes.base import Variant
from benchsuite.stats import bootstrap, cluster_count, estimate
from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import TaskSpec

if TYPE_CHECKING:
    import pandas as pd

GROUP_PREFIX = "group:"
"""Subset of a row that speaks of a group (BLiMP's field): `group:syntax`."""

MIXED = "mixed"

_TEXT = ("split", "subset", "group", "id", "cluster")


@dataclass(frozen=True, slots=True)
class Summary:
    """What `summarize` gives: the parts of a record that come from predictions."""

    results: list[dict[str, Any]]
    headline: dict[str, Any]
    baselines: dict[str, float | None]
    counts: dict[str, float]
    outcomes: pd.DataFrame


def summarize(
    task: TaskSpec,
    splits: Mapping[str, tuple[Sequence[Example], Sequence[Variant]]],
    train_targets: Sequence[Any] | None = None,
) -> Summary:
    """Score the variants that a predictor gave for each evaluation split.

    splits: split -> (examples, variants); every split has the same variants in the same order.
    train_targets: for the majority baseline; without them it is the evaluation split's own.
    """
    import pandas as pd

    variants = next(iter(splits.values()))[1]
    results: list[dict[str, Any]] = []
    scored: list[dict[str, Columns]] = []
    frames: list[pd.DataFrame] = []
    for index, variant in enumerate(variants):
        whole = {
            split: all_columns(task, examples, given[index].predictions)
            for split, (examples, given) in splits.items()
        }
        by_split = {
            split: take(columns, np.flatnonzero(columns["scorable"]))
            for split, columns in whole.items()
        }
        results += results_for(task, variant, by_split)
        if variant.primary:
            scored.append(by_split)
        how: dict[str, Any] = {
            "prompt": variant.prompt,
            "score": variant.score,
            "norm": variant.norm,
            "primary": variant.primary,
        }
        frames += [pd.DataFrame(columns).assign(**how) for columns in whole.values()]
    examples = [example for given, _ in splits.values() for example in given]
    return Summary(
        results=results,
        headline=headline(task, [variant for variant in variants if variant.primary], scored),
        baselines=dict(baselines(task, examples, train_targets)),
        counts=_counts(splits, scored),
        outcomes=pd.concat(frames, ignore_index=True),
    )


def tables_of(outcomes: Mapping[str, np.ndarray]) -> list[Columns]:
    """The stored outcomes of a record as tables of scorable rows, one a primary variant.

    outcomes: columns, as `records.read_columns` gives them. In the form that `stats.estimate` and
    `stats.paired_difference` take.
    """
    kept = np.flatnonzero(outcomes["scorable"].astype(bool) & outcomes["primary"].astype(bool))
    how = [outcomes[name][kept] for name in ("prompt", "score", "norm")]
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, variant in zip(kept.tolist(), zip(*how, strict=True), strict=True):
        groups.setdefault(variant, []).append(row)
    names = [name for name in outcomes if name not in ("prompt", "score", "norm", "primary")]
    return [
        {
            name: outcomes[name][rows].astype(str) if name in _TEXT else outcomes[name][rows]
            for name in names
        }
        for rows in groups.values()
    ]


def results_for(
    task: TaskSpec, variant: Variant, columns_by_split: Mapping[str, Columns]
) -> list[dict[str, Any]]:
    """Rows of one variant: each metric of each split, then of its subsets and groups.

    subset is "" for the whole split, the config's name where there are several, and
    `group:<name>` for a group of subsets. Values are fractions with a 95% interval, or null with
    `undefined_reason`.
    """
    rows = []
    for split, columns in columns_by_split.items():
        for subset, part in _parts(columns):
            for metric in task.metrics:
                value = compute(task, metric, part)
                undefined = math.isnan(value)
                interval = None if undefined else bootstrap(task, metric, [part])
                rows.append(
                    {
                        "split": split,
                        "subset": subset,
                        "prompt": variant.prompt,
                        "metric": metric,
                        "score": variant.score,
                        "norm": variant.norm,
                        "value": None if undefined else value,
                        "low": interval.low if interval else None,
                        "high": interval.high if interval else None,
                        "n": len(part["id"]),
                        "clusters": cluster_count(task, part),
                        "undefined_reason": undefined_reason(task, metric, part),
                        "primary": variant.primary,
                    }
                )
    return rows


def _parts(columns: Columns) -> list[tuple[str, Columns]]:
    """(name of the row's subset, its rows): the whole, each of several subsets, each group."""
    parts = [("", columns)]
    for column, prefix in (("subset", ""), ("group", GROUP_PREFIX)):
        names = dict.fromkeys(columns[column].tolist())
        if len(names) > 1:
            parts += [
                (prefix + name, take(columns, np.flatnonzero(columns[column] == name)))
                for name in names
                if name
            ]
    return parts


def headline(
    task: TaskSpec, variants: Sequence[Variant], columns: Sequence[Mapping[str, Columns]]
) -> dict[str, Any]:
    """The row a leaderboard shows: the headline metric, never of the best prompt.

    value: mean over the variants (prompts) of the mean over the splits. spread: standard deviation
    over the variants (n - 1), null for a single one. low, high: 95% interval of the value over
    resampled examples, the prompts being fixed. split: the splits' names, joined by `+`. Null with
    `undefined_reason` where the metric is undefined for any variant.

    variants: the primary ones. columns: for each, split -> scorable rows.
    """
    metric = task.headline_metric
    tables = [_stack(by_split) for by_split in columns]
    values = [compute(task, metric, table) for table in tables]
    value = estimate(task, metric, tables)
    reasons = [
        f"{variant.prompt or variant.score}: {reason}"
        for variant, by_split in zip(variants, columns, strict=True)
        for part in by_split.values()
        if (reason := undefined_reason(task, metric, part)) is not None
    ]
    undefined = math.isnan(value) or bool(reasons)
    interval = None if undefined else bootstrap(task, metric, tables)
    return {
        "split": "+".join(columns[0]),
        "metric": metric,
        "score": _shared([variant.score for variant in variants]),
        "norm": _shared([variant.norm for variant in variants]),
        "value": None if undefined else value,
        "spread": None if undefined or len(values) < 2 else float(np.std(values, ddof=1)),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "n": len(tables[0]["id"]),
        "undefined_reason": reasons[0] if reasons else None,
    }


def _stack(by_split: Mapping[str, Columns]) -> Columns:
    """The splits' columns one under the other; the column `split` keeps them apart."""
    parts = list(by_split.values())
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _shared(names: Sequence[str]) -> str:
    """The one name that all have, or `mixed`."""
    return names[0] if len(set(names)) == 1 else MIXED


def _counts(
    splits: Mapping[str, tuple[Sequence[Example], Sequence[Variant]]],
    scored: Sequence[Mapping[str, Columns]],
) -> dict[str, float]:
    """Examples, unscorable ones, ties and what was counted; of primary variants, whose `scored`."""
    examples = [example for given, _ in splits.values() for example in given]
    counts: Counter[str] = Counter()
    for _, variants in splits.values():
        for variant in variants:
            if variant.primary:
                counts.update(variant.counts)
    ties = sum(int((part["tied"] > 0).sum()) for table in scored for part in table.values())
    return {
        "examples": len(examples),
        "unscorable": sum(example.target is None for example in examples),
        "ties": ties,
        **counts,
    }
