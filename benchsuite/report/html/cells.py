"""Every cell of the boards as plain facts: what the page's table, plots and dialogs are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.costs import Measured, Place, inference_costs, place_of
from benchsuite.report.seeds import OverSeeds, over_seeds
from benchsuite.report.table import Board, Entry, Row

MOST_RESULTS = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """One score of one board, with what it cost.

    model, regime: as its row is named. label: what names it to a pointer and to a screen reader.
    trainable, size: parameters. flops: of inference, an example, None without a profile. latency:
    seconds by hardware, the median.
    """

    board: str
    row: int
    task: str
    model: str
    regime: str
    family: str
    label: str
    entry: Entry
    score: OverSeeds
    trainable: int | None
    size: int | None
    flops: float | None
    latency: dict[str, float]


def cells_of(boards: Sequence[Board], profiles: Sequence[Profile]) -> list[Cell]:
    """All cells that have a record, by board, row and task."""
    measured = inference_costs(profiles)
    return [
        _cell(board, number, row, task, row.entries[task], measured)
        for board in boards
        for number, row in enumerate(board.rows)
        for task in board.columns
        if task in row.entries and row.entries[task].records
    ]


def _cell(
    board: Board,
    number: int,
    row: Row,
    task: str,
    entry: Entry,
    measured: dict[Place, Measured],
) -> Cell:
    first = entry.records[0]
    cost = measured.get(place_of(first.cell), Measured())
    return Cell(
        board=board.title,
        row=number,
        task=task,
        model=row.model,
        regime=row.regime,
        family=str(first.cell.get("family") or "unknown"),
        label=f"{row.model}, {row.regime}, {task}: {entry.text} {entry.interval}".strip(),
        entry=entry,
        score=over_seeds(entry.records) if first.status == "done" else NO_SCORE,
        trainable=first.cost.get("parameters_trainable"),
        size=first.cost.get("parameters_total"),
        flops=cost.flops,
        latency=cost.latency,
    )


NO_SCORE = OverSeeds(0, None, None, None, None, 0)


def detail(cell: Cell) -> dict[str, Any]:
    """What a dialog shows of a cell: score, settings, results, cost, provenance, the command."""
    records = cell.entry.records
    first = records[0]
    provenance = dict(first.provenance)
    provenance.pop("outcomes_sha256", None)
    return {
        "name": f"{cell.model}, {cell.regime}, {cell.task}",
        "score": cell.entry.text,
        "interval": cell.entry.interval,
        "marks": cell.entry.marks,
        "status": first.status,
        "reason": first.reason,
        "seeds": [[r.cell.get("seed"), _value(r)] for r in records],
        "settings": {
            name: value
            for name, value in first.cell.items()
            if name not in ("key", "key_parts", "seed") and value is not None
        },
        "keys": [record.key for record in records],
        "results": [
            [row.split, row.subset, row.prompt, row.metric, row.score, row.norm]
            + [short(x) for x in (row.value, row.low, row.high)]
            + [row.n]
            for row in first.results[:MOST_RESULTS]
        ],
        "more_results": max(0, len(first.results) - MOST_RESULTS),
        "baselines": {name: short(value) for name, value in first.baselines.items()},
        "counts": first.counts,
        "labels_used": first.labels_used,
        "seen_in_pretraining": first.seen_in_pretraining,
        "cost": first.cost,
        "seconds": None if first.seconds is None else round(first.seconds, 3),
        "provenance": provenance,
    }


def _value(record: Record) -> float | None:
    return short(record.headline.value if record.headline else None)


def short(value: float | None) -> float | None:
    """Six digits behind the point are more than any of these means."""
    return None if value is None else round(value, 6)
