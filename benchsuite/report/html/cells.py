"""Every cell of the boards as plain facts: what the page's table, plots and dialogs are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from benchsuite.models.registry import UNTRAINED
from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.seeds import OverSeeds, over_seeds
from benchsuite.report.table import Board, Entry, Row

PHASES = ("fit_s", "predict_s", "summarize_s")
MOST_RESULTS = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """One score of one board, with what it cost.

    trainable, size: parameters. flops: of inference, an example; latency: seconds, the median; both
    of a profile on `hardware`, None without.
    """

    board: str
    row: int
    task: str
    model: str
    regime: str
    family: str
    entry: Entry
    score: OverSeeds
    trainable: int | None
    size: int | None
    flops: float | None
    latency: float | None
    hardware: str

    @property
    def untrained(self) -> bool:
        """Whether the model is a freshly initialized one."""
        return self.model.split(" ", 1)[0].endswith(UNTRAINED)


def cells_of(boards: Sequence[Board], profiles: Sequence[Profile]) -> list[Cell]:
    """All cells that have a record, by board, row and task."""
    measured = {
        (one.cell["model"], one.cell["regime"], one.cell["task"]): one
        for one in profiles
        if one.status == "done" and one.inference is not None
    }
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
    measured: dict[tuple[str, str, str], Profile],
) -> Cell:
    first = entry.records[0]
    profile = measured.get((first.cell["model"], first.cell["regime"], task))
    inference = profile.inference if profile else None
    return Cell(
        board=board.title,
        row=number,
        task=task,
        model=row.model,
        regime=row.regime,
        family=str(first.cell.get("family") or "unknown"),
        entry=entry,
        score=over_seeds(entry.records) if first.status == "done" else NO_SCORE,
        trainable=first.cost.get("parameters_trainable"),
        size=first.cost.get("parameters_total"),
        flops=inference.flops_per_example if inference else None,
        latency=median(inference.latency_s) if inference and inference.latency_s else None,
        hardware=str(profile.cell["hardware"]) if profile else "",
    )


NO_SCORE = OverSeeds(0, None, None, None, None, 0)


def detail(cell: Cell) -> dict[str, Any]:
    """What a dialog shows of a cell: settings, seeds, results, cost, provenance, the command."""
    records = cell.entry.records
    first = records[0]
    provenance = dict(first.provenance)
    provenance.pop("outcomes_sha256", None)
    return {
        "name": f"{cell.model}, {cell.regime}, {cell.task}",
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
            + [_short(x) for x in (row.value, row.low, row.high)]
            + [row.n]
            for row in first.results[:MOST_RESULTS]
        ],
        "more_results": max(0, len(first.results) - MOST_RESULTS),
        "baselines": {name: _short(value) for name, value in first.baselines.items()},
        "counts": first.counts,
        "labels_used": first.labels_used,
        "seen_in_pretraining": first.seen_in_pretraining,
        "cost": first.cost,
        "seconds": round(_seconds(records), 3) if "fit_s" in first.cost else None,
        "provenance": provenance,
    }


def _seconds(records: Sequence[Record]) -> float:
    """Mean over seeds of the time that fitting, predicting and scoring took."""
    return fmean(sum(record.cost[phase] for phase in PHASES) for record in records)


def _value(record: Record) -> float | None:
    return _short(record.headline.value if record.headline else None)


def _short(value: float | None) -> float | None:
    """Six digits behind the point are more than any of these means."""
    return None if value is None else round(value, 6)
