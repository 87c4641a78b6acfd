"""From lm-eval's samples to the rows of a record."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchsuite.records import finite
from benchsuite.results import Summary
from benchsuite.stats import LEVEL, REPLICATES, SEED, bootstrap
from benchsuite.tasks.example import Example

if TYPE_CHECKING:
    import pandas as pd

    from benchsuite.integrations.lm_eval_task import LmEvalTask
    from benchsuite.regimes.base import Variant

# By what lm-eval divides before it compares: characters of an option, or its bytes.
NORMS = {"acc_norm": "character", "acc_bytes": "byte"}
# They make a perplexity of likelihoods, which the other ways of scoring do not give.
PERPLEXITIES = ("perplexity", "weighted_perplexity", "bits_per_byte")
LIKELIHOOD = "sum"
Aggregation = Callable[[list[Any]], Any]


def summarize(
    task: LmEvalTask, splits: Mapping[str, tuple[Sequence[Example], Sequence[Variant]]]
) -> Summary:
    """Result rows of every metric the task gives, by lm-eval's own aggregation.

    The interval is this project's bootstrap over documents: for means, and for the other
    aggregations lm-eval registers; null for a function of the task's own. The headline is the
    first metric of which more is better.
    """
    import pandas as pd

    ((split, (examples, variants)),) = splits.items()
    rows: list[dict[str, Any]] = []
    frames: list[pd.DataFrame] = []
    for variant in variants:
        samples = [prediction.value for prediction in variant.predictions]
        frame = _outcomes(task, examples, samples)
        rows += [
            _row(task, split, variant, metric, samples, frame) for metric in _metrics(task, samples)
        ]
        frames.append(frame.assign(prompt=variant.prompt, score=variant.score, norm="none"))
    outcomes = pd.concat(frames, ignore_index=True)
    head = {key: value for key, value in rows[0].items() if key not in _NOT_IN_HEADLINE}
    return Summary(
        results=rows,
        headline={**head, "spread": None},
        baselines=_chance(task, variants[0], rows[0]["metric"]),
        counts={
            "examples": len(examples),
            "unscorable": 0,
            "ties": int((outcomes["tied"] > 0).sum()),
            **variants[0].counts,
        },
        outcomes=outcomes,
    )


_NOT_IN_HEADLINE = ("subset", "prompt", "clusters")


def _metrics(task: LmEvalTask, samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Metrics that were given, the headline first."""
    given = dict.fromkeys(metric for sample in samples for metric in sample["metrics"])
    listed = [metric for metric in task.spec.metrics if metric in given]
    return [*listed, *(metric for metric in given if metric not in listed)]


def _row(
    task: LmEvalTask,
    split: str,
    variant: Variant,
    metric: str,
    samples: Sequence[Mapping[str, Any]],
    frame: pd.DataFrame,
) -> dict[str, Any]:
    from lm_eval.api.metrics import mean

    items = [sample[metric] for sample in samples if metric in sample]
    aggregation = task.harness.aggregation().get(metric, mean)
    value, undefined = None, None
    if variant.score != LIKELIHOOD and _is_perplexity(aggregation):
        undefined = f"{variant.score} gives no likelihood, of which a perplexity is made"
    else:
        value = _value(aggregation, items)
        if not math.isfinite(value):
            value, undefined = None, f"lm-eval's value is {value}"
    low, high = None, None
    if value is not None:
        low, high = _interval(task, metric, items, aggregation, frame)
    return {
        "split": split,
        "subset": "",
        "prompt": variant.prompt,
        "metric": metric,
        "score": variant.score,
        "norm": NORMS.get(metric, "none"),
        "value": value,
        "low": low,
        "high": high,
        "n": len(items),
        "clusters": len(items),
        "undefined_reason": undefined,
    }


def _value(aggregation: Aggregation, items: list[Any]) -> float:
    try:
        return float(aggregation(items))
    except OverflowError:  # a perplexity of texts that are very unlikely
        return math.inf
    except ZeroDivisionError:  # a perplexity of empty texts alone
        return math.nan


def _is_perplexity(aggregation: Aggregation) -> bool:
    from lm_eval.api.registry import AGGREGATION_REGISTRY

    return any(aggregation is AGGREGATION_REGISTRY[name] for name in PERPLEXITIES)


def _interval(
    task: LmEvalTask,
    metric: str,
    items: list[Any],
    aggregation: Aggregation,
    frame: pd.DataFrame,
) -> tuple[float | None, float | None]:
    """The 95% percentile interval over resampled documents; (None, None) where there is none."""
    from lm_eval.api.metrics import mean
    from lm_eval.api.registry import AGGREGATION_REGISTRY

    if aggregation is mean and metric in frame:
        rows = frame[frame[metric].notna()]
        names = ("split", "subset", "id", "cluster")
        columns = {name: rows[name].to_numpy(dtype=str) for name in names}
        found = bootstrap(task.spec, metric, [{**columns, metric: rows[metric].to_numpy()}])
        return found.low, found.high
    # A task's own function may be slow, or count on seeing every document.
    if len(items) < 2 or aggregation not in AGGREGATION_REGISTRY.values():
        return None, None
    generator = np.random.default_rng(SEED)
    drawn = []
    with warnings.catch_warnings():  # of draws that hold one class only
        warnings.simplefilter("ignore")
        for _ in range(REPLICATES):
            picks = generator.integers(0, len(items), size=len(items))
            drawn.append(_value(aggregation, [items[pick] for pick in picks]))
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return finite(float(low)), finite(float(high))


def _outcomes(
    task: LmEvalTask, examples: Sequence[Example], samples: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """One row a document: who it is, what was said, and every metric's number or numbers.

    A metric of several numbers (`mcc`: gold and prediction) has a column for each, `mcc.0` and
    `mcc.1`. Ids and numbers only.
    """
    import pandas as pd

    rows = []
    for example, sample in zip(examples, samples, strict=True):
        row: dict[str, Any] = {
            "split": example.split,
            "subset": example.subset,
            "group": example.group,
            "id": str(sample["doc_id"]),
            "cluster": example.cluster,
            "scorable": True,
            "x": math.nan,
            **_said(task, sample),
        }
        for metric in sample["metrics"]:
            value = sample[metric]
            if _is_number(value):
                row[metric] = float(value)
            elif isinstance(value, list | tuple):
                parts = {f"{metric}.{at}": part for at, part in enumerate(value)}
                row |= {name: float(part) for name, part in parts.items() if _is_number(part)}
        credit = row.get(_metrics(task, samples)[0], math.nan)
        row["credit"] = credit if 0 <= credit <= 1 else math.nan
        rows.append(row)
    return pd.DataFrame(rows)


def _said(task: LmEvalTask, sample: Mapping[str, Any]) -> dict[str, int]:
    """The likeliest option (the first of equal ones, as in lm-eval), the gold one and ties."""
    if task.output_type != "multiple_choice":
        return {"prediction": -1, "gold": -1, "tied": 0}
    values = [total for total, _ in sample["filtered_resps"]]
    if "acc_mutual_info" in sample["metrics"]:
        values = values[: len(values) // 2]
    best = [option for option, value in enumerate(values) if value == max(values)]
    gold = sample["target"]
    return {
        "prediction": best[0],
        "gold": gold if isinstance(gold, int) else -1,
        "tied": sum(1 << option for option in best) if len(best) > 1 else 0,
    }


def _chance(task: LmEvalTask, variant: Variant, metric: str) -> dict[str, float | None]:
    """Accuracy of a uniform guess between a document's options, where that is what is measured."""
    if task.output_type != "multiple_choice" or not metric.startswith("acc"):
        return {}
    shares = []
    for prediction in variant.predictions:
        sample = prediction.value
        options = len(sample["filtered_resps"])
        if "acc_mutual_info" in sample["metrics"]:
            options //= 2
        right = len(sample["target"]) if isinstance(sample["target"], list) else 1
        shares.append(right / options)
    return {"chance": float(np.mean(shares))}


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real | np.number | bool)
