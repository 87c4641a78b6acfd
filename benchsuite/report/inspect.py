"""`bench show`: one record for reading, its errors joined with text from local data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchsuite import records
from benchsuite.errors import DataUnavailable, InputError
from benchsuite.records import Record
from benchsuite.report.numbers import percent, shown
from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import TaskSpec
from benchsuite.tasks.task import Task, load_task

LONGEST_TEXT = 600


def find(store: Path, name: str) -> tuple[Record, Path]:
    """The record whose folder name or key begins with or holds `name`.

    Raises InputError where none or several fit, naming some.
    """
    folders = records.store_folders(store)
    fitting = [folder for folder in folders if folder.name == name]
    fitting = fitting or [folder for folder in folders if name in folder.name]
    fitting = fitting or [folder for folder in folders if _key(folder).startswith(name)]
    if not fitting:
        known = ", ".join(folder.name for folder in folders[:5]) or "none"
        raise InputError(f"{store} has no record '{name}'; it has {known}")
    if len(fitting) > 1:
        raise InputError(
            f"'{name}' fits {len(fitting)} records, among them "
            f"{', '.join(folder.name for folder in fitting[:3])}; give more of the name"
        )
    return records.read(fitting[0]), fitting[0]


def _key(folder: Path) -> str:
    """Key of a record; "" where it cannot be read, which hides no other."""
    try:
        return records.read(folder).key
    except InputError:
        return ""


def errors(
    record: Record, folder: Path, count: int, tasks_dirs: Sequence[Path]
) -> list[dict[str, Any]]:
    """The first `count` examples without full credit, text joined by id from local data.

    Raises InputError where the data at hand is not what the record was made from.
    """
    outcomes = records.read_outcomes(folder, record)
    outcomes = outcomes[outcomes["primary"]]
    task = load_task(record.cell["task"], tasks_dirs=tuple(tasks_dirs))
    examples = examples_of(record, task)
    rows = []
    for row in _worst_first(outcomes).head(count).to_dict("records"):
        example = examples[row["split"], row["subset"], row["id"]]
        rows.append(
            {
                "id": example.id,
                "split": example.split,
                "prompt": row["prompt"],
                **texts_of(task.spec, example),
                **_said(task.spec, example, row),
            }
        )
    return rows


def examples_of(record: Record, task: Task) -> dict[tuple[str, str, str], Example]:
    """(split, subset, id) -> example of everything that a record was scored on, from local data.

    Raises InputError where the data at hand is not what the record was made from.
    """
    examples: dict[tuple[str, str, str], Example] = {}
    for split, made_from in record.cell["key_parts"]["data"].items():
        try:
            data = task.evaluation(split, record.cell["limit"])
        except DataUnavailable as error:
            raise InputError(str(error)) from None
        if data.hash != made_from:
            raise InputError(
                f"{task.id}: the local {split} data is not what this record was made from"
            )
        examples.update({(split, e.subset, e.id): e for e in data.examples})
    return examples


def texts_of(spec: TaskSpec, example: Example) -> dict[str, Any]:
    """An example's fields, long ones cut, and its answer as a person would write it."""
    fields = {name: _short(value) for name, value in example.fields.items()}
    return {**fields, "gold": _name(spec, example, example.target)}


def _worst_first(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Rows that lost credit, in stored order; regression: the largest differences first."""
    if outcomes["x"].notna().any():
        gap = (outcomes["x"].rank() - outcomes["y"].rank()).abs()
        return outcomes.loc[gap.sort_values(ascending=False, kind="stable").index]
    return outcomes[outcomes["credit"] < 1]


def _said(spec: TaskSpec, example: Example, row: dict[Any, Any]) -> dict[str, Any]:
    """The stored numbers of one outcome in words of the task."""
    if spec.kind == "regression":
        return {"predicted": round(row["x"], 3)}
    if spec.kind == "tagging":
        return {"right": row["tp"], "invented": row["fp"], "missed": row["fn"]}
    if spec.kind == "span":
        return {"answered": bool(row["prediction"]), "em": row["em"], "f1": round(row["f1"], 3)}
    said = _name(spec, example, int(row["prediction"]))
    return {"predicted": f"{said} (tied)" if row["tied"] else said}


def _name(spec: TaskSpec, example: Example, target: Any) -> Any:
    """A target or a prediction code as a person would write it."""
    if target is None:
        return None
    if spec.kind == "classification":
        return spec.labels[target]
    if spec.kind == "choice":
        return example.fields["options"][target]
    if spec.kind == "tagging":
        return " ".join(spec.labels[tag] for tag in target)
    if spec.kind == "minimal_pair":
        return ("good", "bad")[target]
    return list(target) if isinstance(target, tuple) else target


def _short(value: Any) -> Any:
    """Long texts cut for the terminal."""
    if isinstance(value, list | tuple):
        return [_short(part) for part in value]
    text = str(value)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def render(record: Record, folder: Path, rows: Sequence[dict[str, Any]], out: Console) -> None:
    """Print a record: headline, result rows, baselines, cost, then the errors asked for."""
    out.print(Text(record.name, style="bold"))
    out.print(Text(f"{record.status}{': ' + record.reason if record.reason else ''}  {folder}"))
    if record.headline is not None:
        head = record.headline
        spread = f", spread over prompts {percent(head.spread)}" if head.spread is not None else ""
        out.print(
            Text(
                f"{head.metric} ({head.split}): {shown(head.metric, head.value)} "
                f"[{shown(head.metric, head.low)}, {shown(head.metric, head.high)}], "
                f"n = {head.n}{spread}"
            )
        )
    trained = record.provenance.get("pretraining")
    if trained is not None:
        flops = "unknown" if trained["flops"] is None else f"{trained['flops']:.2e}"
        steps, tokens = f"{trained['step']} steps", f"{trained['tokens']:,} tokens of text"
        out.print(Text(f"pretrained: {steps}, {tokens}, FLOPs {flops}"))
    table = Table(header_style="bold")
    columns = ("split", "subset", "prompt", "metric", "score", "norm", "own", "value", "95%", "n")
    for column in columns:
        table.add_column(column)
    for result in record.results:
        table.add_row(
            *(
                Text(str(part))
                for part in (
                    result.split,
                    result.subset,
                    result.prompt,
                    result.metric,
                    result.score,
                    result.norm,
                    "*" if result.primary else "",
                    shown(result.metric, result.value)
                    if result.value is not None
                    else result.undefined_reason,
                    f"{shown(result.metric, result.low)} to {shown(result.metric, result.high)}",
                    result.n,
                )
            )
        )
    if record.results:
        out.print(table)
    for title, facts in (
        ("baselines", record.baselines),
        ("counts", record.counts),
        ("cost", record.cost),
        ("provenance", record.provenance),
    ):
        out.print(Text(title, style="bold"))
        for name, value in facts.items():
            out.print(Text(f"  {name}: {value}"))
    for row in rows:
        out.print()
        for name, value in row.items():
            out.print(Text(f"{name}: ", style="bold"), Text(str(value)), sep="")
