"""Published figures as reference rows: shown beside measured ones, never ranked with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from benchsuite.errors import InputError
from benchsuite.paths import baselines_root
from benchsuite.report.table import TITLES, Board

TASKS = {
    "cola": "glue/cola",
    "sst2": "glue/sst2",
    "mrpc": "glue/mrpc",
    "stsb": "glue/stsb",
    "qqp": "glue/qqp",
    "mnli_m": "glue/mnli",
    "mnli_mm": "glue/mnli",
    "qnli": "glue/qnli",
    "rte": "glue/rte",
    "wnli": "glue/wnli",
    "squad1_f1": "squad/v1",
    "squad1_em": "squad/v1",
    "squad2_f1": "squad/v2",
    "squad2_em": "squad/v2",
    "race": "race/all",
    "blimp": "blimp",
}
"""Key of `published.yaml` -> the task it is a score of."""
PARTS = {
    "mnli_m": "m",
    "mnli_mm": "mm",
    "squad1_f1": "F1",
    "squad1_em": "EM",
    "squad2_f1": "F1",
    "squad2_em": "EM",
}
"""What is said beside a score of a task that has several keys."""
METRICS = {
    "cola": "Matthews r",
    "stsb": "Spearman r",
    "mrpc": "F1",
    "qqp": "F1",
    **dict.fromkeys(("sst2", "mnli_m", "mnli_mm", "qnli", "rte", "wnli"), "accuracy"),
    **{f"squad{version}_f1": "F1" for version in (1, 2)},
    **{f"squad{version}_em": "EM" for version in (1, 2)},
    **dict.fromkeys(("race", "blimp"), "accuracy"),
}
"""The metric of a score, unless its source is of OTHER_METRICS: as GLUE's leaderboard has them."""
ACCURACIES = {"mrpc": "accuracy", "qqp": "accuracy"}
OTHER_METRICS = {
    "Radford et al. 2018": {"stsb": "Pearson r"},
    "Lewis et al. 2019": {**ACCURACIES, "stsb": "Pearson r"},
    "Turc et al. 2019": {"stsb": "Pearson r"},
    "Clark et al. 2020": ACCURACIES,
    "Hu et al. 2021": {**ACCURACIES, "stsb": "Pearson r"},
}
"""Beginning of a source -> the metrics that its tables name, where they are not METRICS."""
AS_ABOVE = " (as above)"
WITHOUT_TASK = (
    *("average", "glue", "squad"),  # means over tasks, or metrics, that the source chose
    "cola_accuracy",  # the task's metric is Matthews' correlation
    *("snli", "scitail", "rocstories", "copa"),  # no task here
    *("absolute_mae", "relative_error"),  # of a probe
)
ABOUT = (
    *("model", "family", "regime", "parameters", "parameters_relative", "cost", "speedup"),
    *("trainable", "trainable_share"),
)
"""Keys that are no scores."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of a source. scores: by task, as text in percent, as printed; metrics: likewise."""

    model: str
    regime: str
    source: str
    split: str
    scores: dict[str, str]
    metrics: dict[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """Rows that have a score of at least one of the tasks; metrics: of tasks that have one only."""

    tasks: list[str]
    rows: list[PublishedRow]
    metrics: dict[str, str]


def read_published() -> list[dict[str, Any]]:
    """The sources of `baselines/published.yaml`; none where it is not there.

    Raises InputError where it is broken.
    """
    path = baselines_root() / "published.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    return list(found)


def published_rows(boards: Sequence[Board]) -> Published | None:
    """Published rows with scores of the official tasks on the boards; None without any."""
    tasks = [task for board in boards if board.title in TITLES[:2] for task in board.columns]
    rows = []
    above = ""
    for source in read_published():
        # "(as above)" stands for the remark of the source before it.
        name = above if source["source"].endswith(AS_ABOVE) else source["source"]
        above = name
        for row in source.get("rows", ()):
            scores: dict[str, list[str]] = {}
            metrics: dict[str, list[str]] = {}
            for key, value in row.items():
                task = TASKS.get(key)
                if task in tasks:
                    scores.setdefault(str(task), []).append(f"{value} {PARTS.get(key, '')}".strip())
                    metrics.setdefault(str(task), []).append(metric_of(key, name))
            if scores:
                rows.append(
                    PublishedRow(
                        model=str(row["model"]),
                        regime=str(row.get("regime", source.get("regime", "-"))),
                        source=name + _size(source),
                        split=str(source.get("split", "-")),
                        scores={task: " / ".join(texts) for task, texts in scores.items()},
                        metrics={
                            task: " / ".join(dict.fromkeys(texts))
                            for task, texts in metrics.items()
                        },
                    )
                )
    known = [task for task in tasks if any(task in row.scores for row in rows)]
    return Published(known, rows, _shared_metrics(known, rows)) if rows else None


def metric_of(key: str, source: str) -> str:
    """The metric of the scores under a key of `published.yaml`."""
    for start, others in OTHER_METRICS.items():
        if source.startswith(start) and key in others:
            return others[key]
    return METRICS[key]


def _shared_metrics(tasks: Sequence[str], rows: Sequence[PublishedRow]) -> dict[str, str]:
    """The metric of each task whose rows all have the same."""
    found = {task: {row.metrics[task] for row in rows if task in row.metrics} for task in tasks}
    return {task: one for task, metrics in found.items() for one in metrics if len(metrics) == 1}


def _size(source: dict[str, Any]) -> str:
    """What is said of the words that were trained on."""
    words = source.get("words")
    # YAML 1.1 reads 10e6, without a point, as text.
    return f", {float(words) / 1e6:g} M words" if words else ""
