"""The same tables on the terminal, after a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from benchsuite import console
from benchsuite.records import Record
from benchsuite.report.table import Board, Entry, build


def show(found: Sequence[Record]) -> None:
    """Print the boards of these records, the longer side downwards: a terminal is narrow."""
    for board in build(found):
        downwards = _by_model if len(board.rows) > len(board.columns) else _by_task
        console.out.print(downwards(board))
        for note in dict.fromkeys(board.notes):
            console.out.print(f"- {note}", markup=False)


def _by_task(board: Board) -> Table:
    """Tasks as rows, models under regimes as columns."""
    table = _empty(board)
    table.add_column("task", overflow="fold")
    table.add_column("metric")
    for row in board.rows:
        table.add_column(escape(f"{row.model}\n{row.regime}"), justify="right", overflow="fold")
    for name, _ in board.references:
        table.add_column(name, justify="right")
    for task in board.columns:
        cells = [escape(task), escape(board.metrics.get(task, ""))]
        cells += [_shown(row.entries.get(task)) for row in board.rows]
        cells += [values.get(task, "-") for _, values in board.references]
        table.add_row(*cells)
    return table


def _by_model(board: Board) -> Table:
    """Models under regimes as rows, tasks as columns."""
    table = _empty(board)
    table.add_column("model", overflow="fold")
    table.add_column("regime", overflow="fold")
    for task in board.columns:
        title = f"{task}\n{board.metrics.get(task, '')}"
        table.add_column(escape(title), justify="right", overflow="fold")
    for row in board.rows:
        scores = [_shown(row.entries.get(task)) for task in board.columns]
        table.add_row(escape(row.model), escape(row.regime), *scores)
    for name, values in board.references:
        table.add_row(escape(name), "", *(values.get(task, "-") for task in board.columns))
    return table


def _empty(board: Board) -> Table:
    return Table(
        title=escape(board.title), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD
    )


def _shown(entry: Entry | None) -> str:
    """A score, its interval and its marks on one line."""
    parts = [entry.text, entry.interval, *entry.marks] if entry else ["-"]
    return escape(" ".join(part for part in parts if part))
