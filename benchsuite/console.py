"""What a person sees on the terminal: tables and progress. Everything from outside is escaped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from benchsuite.cells import Cell
from benchsuite.records import Record

PIPED_WIDTH = 140  # a pipe has no width; tables for people and logs need more than 80 columns
LINE_SECONDS = 60.0  # between two lines of progress where no terminal shows bars
out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, highlight=False, emoji=False)


def clean(text: str, keep: str = "") -> str:
    """Text that a terminal, UTF-8 and XML can hold: what is not printable becomes a space."""
    return "".join(x if x.isprintable() or x in keep else " " for x in text)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A plain table; numbers to the right, None as a dash."""
    rows = [list(row) for row in rows]
    table = Table(
        title=escape(title) or None, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD
    )
    for index, column in enumerate(columns):
        values = [row[index] for row in rows if row[index] is not None]
        numeric = bool(values) and all(isinstance(value, int | float) for value in values)
        table.add_column(escape(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("-" if value is None else escape(str(value)) for value in row))
    out.print(table)


def print_json(data: Any) -> None:
    """Machine-readable output, alone on standard output."""
    sys.stdout.write(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def print_error(message: str) -> None:
    """One clear line on standard error, whatever the message holds."""
    err.print("bench: " + " ".join(message.split()), style="red", markup=False, soft_wrap=True)


class ProgressListener:
    """Shows a run on standard error: a bar over cells, a bar over the examples of one cell.

    In a file, where bars cannot move, a line a minute.
    """

    def __init__(self, cells: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            get_time=monotonic,
        )
        self._step: int | None = None
        self._told = monotonic()
        self._cells = self._progress.add_task("cells", total=cells)
        self._examples = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> ProgressListener:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step_done(self, cell: Cell, step: int, steps: int, loss: float) -> None:
        """Show how far the training of one cell is."""
        if self._step is None or step <= self._step:
            # A training begins: the cell's, another trial of `--tune`, or one that is resumed. Its
            # pace is its own, and what was done before is no part of it.
            self._progress.reset(self._examples, total=steps, completed=step)
        self._step = step
        self._progress.update(
            self._examples,
            description=f"{cell.model} {cell.regime} {cell.task} training, loss {loss:.3f}",
            total=steps,
            completed=step,
            visible=True,
        )
        self._tell()

    def cell_started(self, cell: Cell, examples: int) -> None:
        """Begin the bar of one cell."""
        self._step = None
        self._progress.reset(
            self._examples,
            description=f"{cell.model} {cell.regime} {cell.task}",
            total=examples,
            visible=True,
        )

    def examples_done(self, count: int) -> None:
        """Advance the bar of the cell."""
        self._progress.advance(self._examples, count)
        self._tell()

    def cell_ended(self, cell: Cell, record: Record, reused: bool) -> None:
        """Advance the bar over cells; say where a cell was reused or did not end well."""
        self._progress.update(self._examples, visible=False)
        self._progress.advance(self._cells)
        if reused:
            err.print(f"reused {record.name} (record stands; --force redoes it)", markup=False)
        elif record.status == "failed":
            err.print(f"failed {record.name}: {record.reason}", style="red", markup=False)

    def _tell(self) -> None:
        """A line on the cell at hand, where the last one is a minute old and no bar moves."""
        if err.is_terminal or monotonic() - self._told < LINE_SECONDS:
            return
        self._told = monotonic()
        cells, cell = self._progress.tasks
        left = cell.time_remaining
        err.print(
            f"cell {cells.completed + 1:.0f} of {cells.total:.0f}: {cell.description}: "
            f"{cell.completed:,.0f} of {cell.total:,.0f}"
            + (f", {timedelta(seconds=round(left))} left" if left is not None else ""),
            markup=False,
            soft_wrap=True,
        )
