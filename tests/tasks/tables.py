"""Made tables in the official schemas, written as CSV, JSONL or parquet, or given as the hub
would."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.tasks.spec import TaskSpec

Columns = dict[str, list[Any]]

# One small table a kind, with the columns and label coding the hub has for such a task.
TABLES: dict[str, Columns] = {
    "classification": {
        "premise": ["A cat sat.", 'Zwölf Boxkämpfer, "jagen" Viktor', "Two\nlines", "𝒳 e\u0301"],
        "hypothesis": ["A cat.", "no", "a,b", "é"],
        "label": [0, 2, -1, 1],
        "idx": [10, 11, 12, 13],
    },
    "regression": {
        "sentence1": ["a", "b", "c"],
        "sentence2": ["d", "e", "f"],
        "label": [3.8, 0.0, 2.333],
    },
    "tagging": {
        "id": ["0", "1"],
        "tokens": [["EU", "rejects", "it"], ["Peter", "Blackburn"]],
        "ner_tags": [[3, 0, 0], [1, 2]],
    },
    "span": {
        "id": ["56be", "5705"],
        "context": ["It began in 1973.", "It ended."],
        "question": ["When did it begin?", "Who ended it?"],
        "answers": [
            {"text": ["1973", "in 1973"], "answer_start": [12, 9]},
            {"text": [], "answer_start": []},
        ],
    },
    "choice": {
        "example_id": ["high1.txt", "high1.txt", "high2.txt"],
        "article": ["One.", "One.", "Two."],
        "question": ["q1", "q2", "q3"],
        "options": [["a", "b"], ["c", "d, e"], ["f", '"g"']],
        "answer": ["A", "B", "B"],
    },
    "minimal_pair": {
        "sentence_good": ["The cats annoy Tim.", "These do."],
        "sentence_bad": ["The cats annoys Tim.", "These does."],
        "field": ["syntax", "morphology"],
        "pair_id": [0, 1],
    },
}

SPECS: dict[str, dict[str, Any]] = {
    "classification": {
        "fields": {"id": "idx", "text": "premise", "text_pair": "hypothesis", "label": "label"},
        "labels": ["entailment", "neutral", "contradiction"],
        "metrics": ["accuracy"],
    },
    "regression": {
        "fields": {"text": "sentence1", "text_pair": "sentence2", "label": "label"},
        "range": (0, 5),
        "metrics": ["pearson"],
    },
    "tagging": {
        "fields": {"id": "id", "tokens": "tokens", "tags": "ner_tags"},
        "labels": ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"],
        "metrics": ["entity_f1"],
    },
    "span": {
        "fields": {"id": "id", "context": "context", "question": "question", "answers": "answers"},
        "cluster": "context",
        "metrics": ["f1", "em"],
    },
    "choice": {
        "fields": {
            "id": "example_id",
            "context": "article",
            "question": "question",
            "options": "options",
            "label": "answer",
        },
        "cluster": "context",
        "metrics": ["accuracy"],
    },
    "minimal_pair": {
        "fields": {"good": "sentence_good", "bad": "sentence_bad", "id": "pair_id"},
        "group": "field",
        "metrics": ["accuracy"],
    },
}


def make_spec(
    kind: str, dataset: dict[str, Any], name: str = "made/task", source: str = "", **changes: Any
) -> TaskSpec:
    """A task of a kind over the made table of that kind; `changes` override its keys."""
    keys = {"version": 1, "kind": kind, "description": "made", "dataset": dataset}
    spec = TaskSpec.model_validate({**keys, **SPECS[kind], **changes})
    return spec.model_copy(update={"id": name, "source": source})


def hub_dataset(**changes: Any) -> dict[str, Any]:
    """The `dataset` part of a task on the hub; `changes` override its keys."""
    return {"path": "owner/name", "configs": ["config"], **changes}


def write_parquet(path: Path, columns: Columns) -> Path:
    """Write a parquet file, its folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def write_jsonl(path: Path, columns: Columns) -> Path:
    """Write one JSON object a line."""
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def write_csv(path: Path, columns: Columns) -> Path:
    """Write a CSV file; lists and objects are spelt as JSON."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(
                [json.dumps(cell) if isinstance(cell, list | dict) else cell for cell in row]
            )
    return path


WRITERS: dict[str, Callable[[Path, Columns], Path]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def hub_of(
    tables: dict[tuple[str, str, str], Columns], calls: list[dict[str, Any]] | None = None
) -> Callable[..., datasets.Dataset]:
    """A stand-in for `datasets.load_dataset` over (path, config, split) -> columns.

    It raises what the library raises for an unknown config or split; calls collects its arguments.
    """

    def load_dataset(
        path: str, config: str, split: str, revision: str | None = None
    ) -> datasets.Dataset:
        path = path.removeprefix("hf://datasets/")
        if calls is not None:
            calls.append({"path": path, "config": config, "split": split, "revision": revision})
        if (path, config, split) not in tables:
            raise ValueError(f'Unknown split "{split}". Should be one of [].')
        return datasets.Dataset.from_dict(tables[path, config, split])

    return load_dataset
