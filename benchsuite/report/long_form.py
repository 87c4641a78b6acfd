"""Records as one flat table, a row a record: for a spreadsheet, or for pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from benchsuite.records import Record


def _head(name: str) -> Callable[[Record], Any]:
    return lambda record: getattr(record.headline, name) if record.headline else None


def _cell(name: str) -> Callable[[Record], Any]:
    return lambda record: record.cell.get(name)


def _cost(name: str) -> Callable[[Record], Any]:
    return lambda record: record.cost.get(name)


COLUMNS: dict[str, tuple[Callable[[Record], Any], str]] = {
    "task": (_cell("task"), "task id"),
    "model": (_cell("model"), "model as it was named"),
    "family": (_cell("family"), "encoder, decoder or encoder-decoder"),
    "regime": (_cell("regime"), "regime with the options that were given"),
    "seed": (_cell("seed"), "empty where nothing is drawn"),
    "status": (lambda r: r.status, "done, failed, not_applicable or unavailable"),
    "reason": (lambda r: r.reason, "why it is not done"),
    "metric": (_head("metric"), "headline metric"),
    "split": (_head("split"), "evaluation splits, joined by `+`"),
    "score": (_head("score"), "way of scoring, `mixed` where prompts differ"),
    "value": (_head("value"), "fraction or correlation, the mean over prompts"),
    "low": (_head("low"), "lower end of the 95% interval"),
    "high": (_head("high"), "upper end"),
    "spread": (_head("spread"), "standard deviation between prompts"),
    "n": (_head("n"), "examples scored"),
    "limit": (_cell("limit"), "cap of evaluation examples a subset"),
    "train_limit": (_cell("train_limit"), "cap of training examples"),
    "tune": (_cell("tune"), "whether the learning rate was searched"),
    "dtype": (_cell("dtype"), "precision"),
    "device": (_cell("device"), "cpu or cuda"),
    "labels_used": (lambda r: r.labels_used, "labelled examples looked at"),
    "seen_in_pretraining": (
        lambda r: "+".join(r.seen_in_pretraining) or None,
        "tasks whose training passages the pretraining text holds",
    ),
    "trivial": (lambda r: r.trivial, "score of the trivial answer"),
    "bag_of_words": (lambda r: r.baselines.get("bag_of_words"), "score of a bag of words"),
    "chance": (lambda r: r.baselines.get("chance"), "score of guessing"),
    "parameters_total": (_cost("parameters_total"), "parameters of the model"),
    "parameters_trainable": (_cost("parameters_trainable"), "of them trained"),
    "seconds": (
        lambda r: r.seconds,
        "of fitting, predicting and scoring",
    ),
    "hardware": (lambda r: r.provenance.get("hardware"), "where; seconds compare within one only"),
    "time": (lambda r: r.provenance.get("time"), "when it began"),
    "key": (lambda r: r.key, "hash of everything the numbers depend on"),
}
"""Name -> (what it is of a record, what it means); `docs/reference.md` has the same list."""


def rows(found: Sequence[Record]) -> list[dict[str, Any]]:
    """A dictionary a record, by task, model, regime and seed."""
    made = [{name: get(record) for name, (get, _) in COLUMNS.items()} for record in found]
    order = ("task", "model", "regime", "seed", "key")
    return sorted(made, key=lambda row: tuple(str(row[name]) for name in order))


def to_csv(found: Sequence[Record]) -> str:
    """The table as CSV, the same for the same records; an empty field is what is not known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(found))
    return text.getvalue()


def to_parquet(found: Sequence[Record]) -> bytes:
    """The same table as parquet, with typed columns, the same bytes for the same records."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = rows(found)
    kinds = {"seed": "int64", "n": "int64", "limit": "int64", "train_limit": "int64"}
    kinds |= {name: "int64" for name in ("labels_used", "parameters_total")}
    kinds |= {"parameters_trainable": "int64", "tune": "bool_"}
    numbers = ("value", "low", "high", "spread", "trivial", "bag_of_words", "chance", "seconds")
    kinds |= {name: "float64" for name in numbers}
    schema = pa.schema([(name, getattr(pa, kinds.get(name, "string"))()) for name in COLUMNS])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(made, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()
