"""The same tables on the terminal, after a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from benchsuite import console
from benchsuite.records import Record
from benchsuite.report.numbers import percent, rank_text
from benchsuite.report.table import Board, Entry, Row, build


def show(found: Sequence[Record], replicates: Mapping[str, np.ndarray] | None = None) -> None:
    """Print the boards of these records, the longer side downwards: a terminal is narrow.

    replicates: of the headlines, by key, which tell who is best; see `report.table.build`.
    """
    for board in build(found, replicates):
        downwards = _by_model if len(board.rows) > len(board.columns) else _by_task
        console.out.print(downwards(board))
        for note in dict.fromkeys(board.notes):
            console.out.print(f"- {console.clean(note)}", markup=False)


def _by_task(board: Board) -> Table:
    """Tasks as rows, models under regimes as columns."""
    table = _empty(board)
    table.add_column("task", overflow="fold")
    table.add_column("metric")
    for row in board.rows:
        title = f"{_text(row.model)}\n{_text(row.regime)}"
        table.add_column(title, justify="right", overflow="fold")
    for name, _ in board.references:
        table.add_column(_text(name), justify="right")
    for task in board.columns:
        cells = [_text(task), _text(board.metrics.get(task, ""))]
        cells += [_shown(row.entries.get(task)) for row in board.rows]
        cells += [values.get(task, "-") for _, values in board.references]
        table.add_row(*cells)
    for name, text in _standing(board):
        standing = [text(row) for row in board.rows]
        table.add_row(name, "", *standing, *("-" for _ in board.references))
    return table


def _by_model(board: Board) -> Table:
    """Models under regimes as rows, tasks as columns."""
    table = _empty(board)
    table.add_column("model", overflow="fold")
    table.add_column("regime", overflow="fold")
    for task in board.columns:
        title = f"{_text(task)}\n{_text(board.metrics.get(task, ''))}"
        table.add_column(title, justify="right", overflow="fold")
    for name, _ in _standing(board):
        table.add_column(name, justify="right", overflow="fold")
    for row in board.rows:
        scores = [_shown(row.entries.get(task)) for task in board.columns]
        scores += [text(row) for _, text in _standing(board)]
        table.add_row(_text(row.model), _text(row.regime), *scores)
    for name, values in board.references:
        scores = [values.get(task, "-") for task in board.columns]
        table.add_row(_text(name), "", *scores, *("-" for _ in _standing(board)))
    return table


def _standing(board: Board) -> list[tuple[str, Callable[[Row], str]]]:
    """What a row is over all columns, where any row has them all: name and text."""
    standing: list[tuple[str, Callable[[Row], str]]] = []
    if any(row.mean is not None for row in board.rows):
        standing.append(("mean", lambda row: percent(row.mean)))
    if any(row.rank for row in board.rows):  # one row alone has none
        standing.append(("rank", lambda row: _text(rank_text(row.rank))))
    return standing


def _empty(board: Board) -> Table:
    return Table(
        title=escape(board.title), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD
    )


def _shown(entry: Entry | None) -> str:
    """A score, its interval and its marks on one line; bold where none is significantly better."""
    if entry is None:
        return "-"
    score = _text(entry.text)
    parts = [f"[bold]{score}[/bold]" if entry.best else score, _text(entry.interval)]
    return " ".join(part for part in (*parts, _text(", ".join(entry.marks))) if part)


def _text(text: str) -> str:
    """Text that a terminal shows as it is: neither markup nor control sequences."""
    return escape(console.clean(text))
