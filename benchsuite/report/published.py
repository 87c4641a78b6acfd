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
    """One row of a source. scores: by task, as text in percent, as printed."""

    model: str
    regime: str
    source: str
    split: str
    scores: dict[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """Rows that have a score of at least one of the tasks."""

    tasks: list[str]
    rows: list[PublishedRow]


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
    for source in read_published():
        for row in source.get("rows", ()):
            scores: dict[str, list[str]] = {}
            for key, value in row.items():
                task = TASKS.get(key)
                if task in tasks:
                    scores.setdefault(str(task), []).append(f"{value} {PARTS.get(key, '')}".strip())
            if scores:
                rows.append(
                    PublishedRow(
                        model=str(row["model"]),
                        regime=str(row.get("regime", source.get("regime", "-"))),
                        source=_source(source),
                        split=str(source.get("split", "-")),
                        scores={task: " / ".join(texts) for task, texts in scores.items()},
                    )
                )
    known = [task for task in tasks if any(task in row.scores for row in rows)]
    return Published(known, rows) if rows else None


def _source(source: dict[str, Any]) -> str:
    words = source.get("words")
    # YAML 1.1 reads 10e6, without a point, as text.
    size = f", {float(words) / 1e6:g} M words" if words else ""
    return f"{source['source']}{size}"
