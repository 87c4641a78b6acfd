"""From records to the tables that every rendering shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchsuite.records import Record

STATUS_TEXT = {
    "failed": "failed",
    "not_applicable": "n/a",
    "unavailable": "no data",
}
TITLES = (
    "Official tasks",
    "mini: small tasks written for this project, not comparable with official ones",
    "Tasks of local files",
    "Tasks of lm-eval, by its metrics and rules",
)
METRIC_NAMES = {
    "accuracy": "accuracy",
    "matthews": "Matthews r",
    "f1": "F1",
    "em": "EM",
    "pearson": "Pearson r",
    "spearman": "Spearman r",
    "entity_f1": "entity F1",
}
# lm-eval's measures of surprise are no shares: shown as they are.
PLAIN_METRICS = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")


@dataclass(frozen=True, slots=True)
class Entry:
    """One score as shown: percent with its 95% interval, its marks, and the record behind it."""

    text: str
    interval: str
    marks: tuple[str, ...]
    record: Record | None


@dataclass(slots=True)
class Board:
    """One table: rows are models under regimes, columns are tasks."""

    title: str
    columns: list[str]
    metrics: dict[str, str]
    rows: list[tuple[str, str, dict[str, Entry]]] = field(default_factory=list)
    references: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    costs: dict[str, list[tuple[str, str, str, str, str, str]]] = field(default_factory=dict)


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def shown(metric: str, value: float | None) -> str:
    """A metric's value as people read it: percent, but for what is no share."""
    return f"{value:.3f}" if value is not None and metric in PLAIN_METRICS else percent(value)


def build(found: Sequence[Record]) -> list[Board]:
    """Boards of the records: official, bundled and a user's tasks never share one."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in found:
        groups[_origin(record)].append(record)
    return [_board(title, groups[title]) for title in TITLES if title in groups]


def _origin(record: Record) -> str:
    """Which board a record belongs to. Bundled tasks with local files are the mini tasks."""
    official, mini, own, lm_eval = TITLES
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
    """Model and regime, with every setting named that is not the default."""
    cell = record.cell
    model = cell["model"]
    extras = [
        str(cell[key])
        for key in ("dtype", "device")
        if cell.get(key) not in (None, "float32", "cpu")
    ]
    if cell.get("max_length"):
        extras.append(f"window {cell['max_length']}")
    for key in ("prompts", "splits"):
        if cell.get(key):
            extras.append(f"{key} {'+'.join(cell[key])}")
    if cell.get("seed") is not None:
        extras.append(f"seed {cell['seed']}")
    return (f"{model} ({', '.join(extras)})" if extras else model), cell["regime"]


def _board(title: str, found: Sequence[Record]) -> Board:
    places: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in found:
        places[_row_name(record)][record.cell["task"]].append(record)
    tasks = sorted({record.cell["task"] for record in found})
    board = Board(title=title, columns=tasks, metrics={})
    shown: list[Record] = []
    for (model, regime), by_task in sorted(places.items()):
        entries = {}
        for task, candidates in by_task.items():
            candidates.sort(key=_preference, reverse=True)
            entries[task] = _entry(candidates[0])
            shown.append(candidates[0])
            if len(candidates) > 1:
                board.notes.append(
                    f"{candidates[0].name}: {len(candidates) - 1} other record(s) of other data, "
                    "caps, scores or versions in the store are not shown"
                )
        board.rows.append((model, regime, entries))
    _fill_references(board, shown)
    for record in shown:
        if record.headline is not None:
            board.metrics.setdefault(
                record.cell["task"],
                METRIC_NAMES.get(record.headline.metric, record.headline.metric),
            )
        board.notes.extend(_notes(record))
    board.costs = _costs(shown)
    return board


def _entry(record: Record) -> Entry:
    """A record's headline as a table shows it."""
    if record.status != "done" or record.headline is None:
        return Entry(STATUS_TEXT.get(record.status, "-"), "", (), record)
    headline = record.headline
    if headline.value is None:
        return Entry("undefined", "", (), record)
    interval = ""
    if headline.low is not None and headline.high is not None:
        low, high = (shown(headline.metric, end) for end in (headline.low, headline.high))
        interval = f"[{low}, {high}]"
    return Entry(shown(headline.metric, headline.value), interval, _marks(record), record)


def _marks(record: Record) -> tuple[str, ...]:
    """Short marks beside a score; the legend of every rendering explains them."""
    marks = []
    if record.headline is not None and record.headline.spread is not None:
        marks.append(f"±{percent(record.headline.spread)}")
    if any(fact["used"] < fact["rows"] for _, fact in _facts(record, "evaluation")):
        marks.append("cap")
    if any(_partial(fact) for _, fact in _facts(record, "evaluation", "training")):
        marks.append("part")
    if record.labels_used:
        marks.append(f"{record.labels_used} labels")
    if record.seen_in_pretraining:
        marks.append("seen")
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
        notes.append(f"{record.name}: {STATUS_TEXT[record.status]}: {record.reason}")
    if record.headline is not None and record.headline.value is None:
        notes.append(f"{record.name}: undefined: {record.headline.undefined_reason}")
    for split, fact in _facts(record, "evaluation", "training"):
        if _partial(fact):
            notes.append(
                f"{record.name}: partial data: {split} has {fact['rows']:,} of "
                f"{fact['official']:,} official rows"
            )
    return notes


def _fill_references(board: Board, shown: Sequence[Record]) -> None:
    """Rows that are no model: chance, and the kind's trivial answer (majority, all O, ...)."""
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for record in shown:
        for name, value in record.baselines.items():
            row = "chance" if name == "chance" else "trivial"
            values[row].setdefault(record.cell["task"], percent(value))
    board.references = sorted(values.items())


def _costs(shown: Sequence[Record]) -> dict[str, list[tuple[str, str, str, str, str, str]]]:
    """Cost rows by hardware: model, regime, task, seconds, examples a second, parameters."""
    costs = defaultdict(list)
    for record in shown:
        if record.status != "done":
            continue
        cost = record.cost
        seconds = sum(cost[phase] for phase in ("fit_s", "predict_s", "summarize_s"))
        model, regime = _row_name(record)
        costs[str(record.provenance.get("hardware"))].append(
            (
                model,
                regime,
                record.cell["task"],
                f"{seconds:.1f}",
                f"{cost['examples_per_s']:.1f}",
                f"{cost['parameters_trainable']:,} of {cost['parameters_total']:,}",
            )
        )
    return dict(costs)
