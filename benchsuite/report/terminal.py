"""The same tables on the terminal, after a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from benchsuite import console
from benchsuite.records import Record
from benchsuite.report.table import Board, build


def show(found: Sequence[Record]) -> None:
    """Print the boards of these records: tasks as rows, so that a narrow terminal holds them."""
    for board in build(found):
        console.out.print(_table(board))
        for note in dict.fromkeys(board.notes):
            console.out.print(f"- {note}", markup=False)


def _table(board: Board) -> Table:
    table = Table(
        title=escape(board.title), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD
    )
    table.add_column("task", overflow="fold")
    table.add_column("metric")
    for model, regime, _ in board.rows:
        table.add_column(escape(f"{model}\n{regime}"), justify="right", overflow="fold")
    for name, _ in board.references:
        table.add_column(name, justify="right")
    for task in board.columns:
        cells = [escape(task), escape(board.metrics.get(task, ""))]
        for _, _, entries in board.rows:
            entry = entries.get(task)
            parts = [entry.text, entry.interval, *entry.marks] if entry else ["-"]
            cells.append(escape(" ".join(part for part in parts if part)))
        cells += [values.get(task, "-") for _, values in board.references]
        table.add_row(*cells)
    return table
