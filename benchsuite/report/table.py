"""From records to the tables that every rendering shows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np

from benchsuite.records import Record
from benchsuite.regimes.support import TRAINED
from benchsuite.regimes.thresholds import NO_ANSWER
from benchsuite.report.costs import cell_costs
from benchsuite.report.numbers import METRIC_NAMES, percent, shown
from benchsuite.report.seeds import OverSeeds, over_seeds
from benchsuite.report.standing import Arm, arm_of, comparable, not_worse, standings
from benchsuite.stats import Rank

STATUS_TEXT = {
    "failed": "failed",
    "not_applicable": "n/a",
    "unavailable": "no data",
}
TITLES = (
    "GLUE",
    "SQuAD, named entities, RACE, minimal pairs",
    "mini: small tasks written for this project, not comparable with official ones",
    "Tasks of local files",
    "Tasks of lm-eval, by its metrics and rules",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One score as shown: percent with its 95% interval, and its marks.

    best: not significantly worse than the best of its column. records: of its seeds.
    """

    text: str
    interval: str
    marks: tuple[str, ...]
    records: tuple[Record, ...] = ()
    best: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A model under a regime: an entry a task.

    mean, rank: over all columns, None where the row does not have them all on the same data. arms:
    of the tasks that have a score, what compares it with others.
    """

    model: str
    regime: str
    entries: dict[str, Entry]
    mean: float | None = None
    rank: Rank | None = None
    arms: dict[str, Arm] = field(default_factory=dict)


@dataclass(slots=True)
class Board:
    """One table: rows are models under regimes, columns are tasks."""

    title: str
    columns: list[str]
    metrics: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    references: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    costs: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)


def build(
    found: Sequence[Record], replicates: Mapping[str, np.ndarray] | None = None
) -> list[Board]:
    """Boards of the records: official, bundled and a user's tasks never share one.

    replicates: of the headlines, by key; who is best, and ranks' intervals, are told from them.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in found:
        groups[_origin(record)].append(record)
    return [_board(title, groups[title], replicates or {}) for title in TITLES if title in groups]


def _origin(record: Record) -> str:
    """Which board a record belongs to. Bundled tasks with local files are the mini tasks."""
    glue, other, mini, own, lm_eval = TITLES
    official = glue if record.cell["task"].startswith("glue/") else other
    if record.cell["task"].startswith("lm-eval:"):
        return lm_eval
    if record.provenance.get("task_file") == "local":
        return own
    if record.cell["task"].startswith("mini/"):
        return mini
    # Of records that do not say where their task stands.
    local = any(fact["source"] == "files" for _, fact in _facts(record, "evaluation"))
    return own if local else official


def _preference(record: Record) -> tuple[bool, int, str]:
    """Of several records of one place, a done one, the most examples, then the newest is shown."""
    n = record.headline.n if record.headline else 0
    return record.status == "done", n, str(record.provenance.get("time", ""))


def _row_name(record: Record) -> tuple[str, str]:
    """Model and regime, with every setting but the seed named that is not the default."""
    return record.cell["model"] + row_settings(record), record.cell["regime"]


def row_settings(record: Record) -> str:
    """What a row's name says behind its model's: ` (1,000 training examples)`, or nothing."""
    extras = [*settings(record), *filter(None, [_cap(record)])]
    return f" ({', '.join(extras)})" if extras else ""


def _cap(record: Record) -> str:
    """The cap of training examples as rows name it; empty where there is none."""
    limit, trains = record.cell.get("train_limit"), record.cell.get("regime_name") in TRAINED
    return f"{limit:,} training examples" if limit and trains else ""


def settings(record: Record) -> list[str]:
    """A cell's settings that are not the default, but for its seed and caps."""
    cell = record.cell
    extras = [
        str(cell[key])
        for key in ("dtype", "device")
        if cell.get(key) not in (None, "float32", "cpu")
    ]
    if cell.get("tune"):
        extras.append("tuned")
    if cell.get("max_length"):
        extras.append(f"window {cell['max_length']}")
    for key in ("prompts", "splits"):
        if cell.get(key):
            extras.append(f"{key} {'+'.join(cell[key])}")
    return extras


def _board(title: str, found: Sequence[Record], replicates: Mapping[str, np.ndarray]) -> Board:
    places: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in found:
        places[_row_name(record)][record.cell["task"]].append(record)
    tasks = sorted({record.cell["task"] for record in found})
    board = Board(title=title, columns=tasks, metrics={})
    groups: list[list[Record]] = []
    for (model, regime), by_task in sorted(places.items()):
        entries = {}
        for task, candidates in by_task.items():
            used = one_a_seed(candidates)
            entries[task] = _entry(used)
            groups.append(used)
            seeds = {record.cell.get("seed") for record in used}
            lost = [
                record
                for record in candidates
                if record.status != used[0].status and record.cell.get("seed") not in seeds
            ]
            for record in lost:
                board.notes.extend(_notes(record))
            others = len(candidates) - len(used) - len(lost)
            if others:
                board.notes.append(
                    f"{model} {regime} {task}: {others} other record(s) of other data, caps, "
                    "scores or versions in the store are not shown"
                )
        board.rows.append(Row(model, regime, entries))
    for record in (record for group in groups for record in group):
        if record.headline is not None:
            board.metrics.setdefault(
                record.cell["task"],
                METRIC_NAMES.get(record.headline.metric, record.headline.metric),
            )
        board.notes.extend(_notes(record))
    board.costs = cell_costs(board.rows)
    ways: dict[str, str] = {}
    if title != TITLES[-1]:  # lm-eval has metrics of which less is better
        ways = _compare(board, replicates)
    _fill_references(board, ways)
    return board


def _compare(board: Board, replicates: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Mark what is best in each column, and give the rows their means and ranks.

    Returns the `way` of the arms that compare, by task.
    """
    ways: dict[str, str] = {}
    arms: dict[int, dict[str, Arm]] = {
        number: {
            task: arm
            for task, entry in row.entries.items()
            if (arm := arm_of(entry.records, replicates)) is not None
        }
        for number, row in enumerate(board.rows)
    }
    for task in board.columns:
        column = {number: row[task] for number, row in arms.items() if task in row}
        alike = comparable(column)
        best = not_worse({number: column[number] for number in alike})
        if alike:
            ways[task] = column[min(alike)].way
        tested = any(column[number].drawn is not None for number in alike)
        if len(alike) > 1 and not tested:
            board.notes.append(
                f"{task}: nothing is bold: no score has its outcomes and its task at hand (a task "
                "of your own: give --tasks-dir)"
            )
        for number, arm in column.items():
            entries = board.rows[number].entries
            marks = entries[task].marks
            if number not in alike:
                marks = ("apart", *marks)
            elif tested and arm.drawn is None:
                marks = ("untested", *marks)
            entries[task] = replace(entries[task], marks=marks, best=number in best)
    found = standings(arms, board.columns)
    for number, row in enumerate(board.rows):
        mean, rank = found.get(number, (None, None))
        board.rows[number] = replace(row, mean=mean, rank=rank, arms=arms[number])
    if len(board.columns) > 1 and not found:
        board.notes.append("no mean and no rank: no model has all columns on the same data")
    board.rows.sort(key=lambda row: row.rank.value if row.rank else math.inf)
    return ways


def one_a_seed(candidates: Sequence[Record]) -> list[Record]:
    """The preferred record of each seed, of one way of making them: of the same data and caps.

    A seed that failed or is made in another way is left out where another is done.
    """
    ordered = sorted(candidates, key=_preference, reverse=True)
    like = way_of(ordered[0])
    found: dict[Any, Record] = {}
    for record in ordered:
        if record.status == ordered[0].status and way_of(record) == like:
            found.setdefault(record.cell.get("seed"), record)
    return sorted(found.values(), key=lambda record: record.cell.get("seed") or 0)


def way_of(record: Record, *but: str) -> dict[str, Any]:
    """What records must share to be seeds of one cell: all that goes into a key but the seed.

    but: further parts that may differ.
    """
    # Demonstrations are drawn by the seed; what is trained on is not.
    free = ("seed", "train") if record.cell.get("regime_name") == "fewshot" else ("seed",)
    return record.parts_but((*free, *but)) | {"train_limit": record.cell.get("train_limit")}


def _entry(found: Sequence[Record]) -> Entry:
    """The headline of the records of one cell, one a seed, as a table shows it."""
    record = found[0]
    if record.status != "done" or record.headline is None:
        return Entry(STATUS_TEXT.get(record.status, "-"), "", (), tuple(found))
    metric = record.headline.metric
    score = over_seeds(found)
    marks = _marks(found, score)
    if score.value is None:
        return Entry("undefined", "", marks, tuple(found))
    interval = ""
    if score.low is not None and score.high is not None:
        interval = f"[{shown(metric, score.low)}, {shown(metric, score.high)}]"
    return Entry(shown(metric, score.value), interval, marks, tuple(found))


def _marks(found: Sequence[Record], score: OverSeeds) -> tuple[str, ...]:
    """Short marks beside a score; the legend of every rendering explains them."""
    record = found[0]
    marks = []
    if score.spread is not None:
        marks.append(f"±{percent(score.spread)} over {score.seeds} seeds")
    elif score.seeds == 1 and record.cell.get("seed") is not None:
        marks.append("1 seed")
    if score.collapsed:
        marks.append(f"unstable {score.collapsed}/{score.seeds}")
    spreads = [one.headline.spread for one in found if one.headline is not None]
    known = [spread for spread in spreads if spread is not None]
    if known:
        marks.append(f"±{percent(fmean(known))}")
    if any(fact["used"] < fact["rows"] for _, fact in _facts(record, "evaluation")):
        marks.append("cap")
    if any(_partial(fact) for _, fact in _facts(record, "evaluation", "training")):
        marks.append("part")
    if record.labels_used:
        marks.append(f"{record.labels_used} labels")
    if record.seen_in_pretraining:
        marks.append("seen")
    chosen = record.provenance.get("chosen", {}).values()
    if any(NO_ANSWER in told and not told.get("tuned", True) for told in chosen):
        marks.append("untuned")
    return tuple(marks)


def _facts(record: Record, *uses: str) -> list[tuple[str, dict[str, Any]]]:
    """(split, where it came from and its rows) of the data a cell looked at, by what it was for."""
    data = record.provenance.get("data", {})
    return [pair for use in uses for pair in data.get(use, {}).items()]


def _partial(fact: dict[str, Any]) -> bool:
    return fact.get("official") is not None and fact["rows"] != fact["official"]


def _notes(record: Record) -> list[str]:
    """Everything a reader must know of a cell beside its number."""
    notes = []
    if record.status != "done":
        name = f"{record.name}{row_settings(record)}"
        notes.append(f"{name}: {STATUS_TEXT[record.status]}: {record.reason}")
    if record.headline is not None and record.headline.value is None:
        notes.append(f"{record.name}: undefined: {record.headline.undefined_reason}")
    for split, fact in _facts(record, "evaluation", "training"):
        if _partial(fact):
            notes.append(
                f"{record.name}: partial data: {split} has {fact['rows']:,} of "
                f"{fact['official']:,} official rows"
            )
    return notes


def _fill_references(board: Board, ways: Mapping[str, str]) -> None:
    """Rows that are no model: chance, and the best answer that is always the same.

    ways: of the data of each column; what stands on other examples is no measure for the rest.
    """
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for row in board.rows:
        for task, entry in row.entries.items():
            way = row.arms[task].way if task in row.arms else None
            if task in ways and way != ways[task]:
                continue
            for record in entry.records:
                for name, value in _references(record).items():
                    # Of one trivial answer more, which older records do not have, the best.
                    if value is not None and value > values[name].get(task, -math.inf):
                        values[name][task] = value
    board.references = [
        (name, {task: percent(value) for task, value in by_task.items()})
        for name, by_task in sorted(values.items())
    ]


def _references(record: Record) -> dict[str, float | None]:
    """A record's baselines by what their rows are called."""
    found: dict[str, float | None] = {}
    if record.trivial is not None:
        found["trivial"] = record.trivial
    for name, value in record.baselines.items():
        if name == "chance":
            found[name] = value
        elif name == "bag_of_words":
            cap = _cap(record)
            found[f"bag of words ({cap})" if cap else "bag of words"] = value
    return found
