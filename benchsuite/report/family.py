"""The family report: encoder, decoder and encoder-decoder under every regime, and what each costs.

What a regime keeps of full finetuning, at which share of its parameters, FLOPs and time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchsuite.models.registry import UNTRAINED
from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.markdown import escape, pipe_table
from benchsuite.report.standing import in_mean
from benchsuite.report.table import TITLES, Board, Row, percent

FULL = "full"
FAMILIES = ("encoder", "decoder", "encoder-decoder")
HEADER = (
    "regime",
    "model",
    "family",
    "tasks",
    "mean score",
    "of full",
    "trained parameters",
    "training FLOPs, of full",
    "time, of full",
)
LEGEND = (
    "The mean is over the tasks that all models of a regime have done on the same data, and of "
    "full finetuning over the same; `of full` is their ratio. Time is that of fitting (searches of "
    "the rate and scoring of the selection slice included), mean over seeds, on one kind of "
    "machine; FLOPs are those of `bench profile`. A dash: not measured, or not on all of the tasks."
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a model under a regime reaches, beside full finetuning of the same model.

    score: mean over `tasks`. kept: its share of full's. share: of parameters that are trained.
    flops, time: of training, as shares of full's. None where unknown.
    """

    regime: str
    model: str
    family: str
    tasks: tuple[str, ...]
    score: float
    kept: float | None
    share: float | None
    flops: float | None
    time: float | None

    def cells(self) -> tuple[str, ...]:
        """Under HEADER."""
        return (
            self.regime,
            self.model,
            self.family,
            str(len(self.tasks)),
            percent(self.score),
            _share(self.kept),
            _share(self.share),
            _share(self.flops),
            _share(self.time),
        )


def compare_families(boards: Sequence[Board], profiles: Sequence[Profile] = ()) -> list[Kept]:
    """Rows by regime, then family; none where the records are of one family alone.

    Official tasks together where there are any, else those of the mini suite. Untrained models and
    checkpoints of a pretraining are no competitors.
    """
    for titles in (TITLES[:2], TITLES[2:3]):
        chosen = [board for board in boards if board.title in titles]
        rows = _rows(chosen)
        if len({_family(entries) for entries in rows.values()}) > 1:
            return _compare(rows, profiles)
    return []


def to_markdown(found: Sequence[Kept], equality: Sequence[str] = ()) -> list[str]:
    """The report as lines; equality: a table of what the models have in common."""
    if not found:
        return []
    lines = ["## Encoder, decoder, encoder-decoder", ""]
    if equality:
        lines += ["What is equal and what is not:", "", *equality, ""]
    lines += [LEGEND, "", *pipe_table(HEADER, [one.cells() for one in found], left=3), ""]
    tasks = {one.regime: ", ".join(one.tasks) for one in found}
    lines += [f"- {escape(regime)}: {escape(names)}" for regime, names in tasks.items()]
    return [*lines, ""]


def equality_lines(found: Sequence[Kept]) -> list[str]:
    """`equality_rows` as a Markdown table."""
    rows = equality_rows(found)
    return pipe_table(rows[0], rows[1:], left=len(rows[0])) if rows else []


def equality_rows(found: Sequence[Kept]) -> list[tuple[str, ...]]:
    """What is equal between the bundled models that the report compares; first a header."""
    from benchsuite.pretrain.equality import bundled_models, equality_table

    names = {one.model for one in found}
    models = {name: meta for name, meta in bundled_models().items() if name in names}
    if len(models) < 2:
        return []
    return [("", *models, ""), *equality_table(models)]


Place = tuple[str, str]


def _rows(boards: Sequence[Board]) -> dict[Place, dict[str, tuple[Record, ...]]]:
    """Done records by (model, regime) and task."""
    found: dict[Place, dict[str, tuple[Record, ...]]] = defaultdict(dict)
    for row in (row for board in boards for row in board.rows):
        if not _competes(row):
            continue
        for task, entry in row.entries.items():
            heads = [record.headline for record in entry.records]
            if heads and all(head is not None and head.value is not None for head in heads):
                found[row.model, row.regime][task] = entry.records
    return dict(found)


def _competes(row: Row) -> bool:
    name = row.model.split(" ", 1)[0]
    return not name.endswith(UNTRAINED) and "@" not in name


def _family(entries: Mapping[str, Sequence[Record]]) -> str:
    return str(next(iter(entries.values()))[0].cell.get("family") or "-")


def _compare(
    rows: Mapping[Place, dict[str, tuple[Record, ...]]], profiles: Sequence[Profile]
) -> list[Kept]:
    flops = _training_flops(profiles)
    found = []
    for regime in sorted({regime for _, regime in rows}):
        models = sorted(model for model, other in rows if other == regime)
        shared = set.intersection(*(set(rows[model, regime]) for model in models))
        tasks = tuple(
            task
            for task in sorted(shared)
            if len({_data(rows[model, regime][task]) for model in models}) == 1
        )
        if tasks:
            found += [_kept(model, regime, tasks, rows, flops) for model in models]
    order = {name: place for place, name in enumerate(FAMILIES)}
    return sorted(found, key=lambda one: (one.regime, order.get(one.family, 9), one.model))


def _kept(
    model: str,
    regime: str,
    tasks: tuple[str, ...],
    rows: Mapping[Place, dict[str, tuple[Record, ...]]],
    flops: Mapping[tuple[str, str, str], float],
) -> Kept:
    mine, full = rows[model, regime], rows.get((model, FULL), {})
    score = _score(mine, tasks)
    whole = all(task in full and _data(full[task]) == _data(mine[task]) for task in tasks)
    kept = score / _score(full, tasks) if whole and _score(full, tasks) > 0 else None
    first = mine[tasks[0]][0]
    trained, total = (first.cost.get(f"parameters_{n}") for n in ("trainable", "total"))
    return Kept(
        regime=regime,
        model=model,
        family=_family(mine),
        tasks=tasks,
        score=score,
        kept=kept,
        share=None if trained is None or not total else trained / total,
        flops=_flops_of_full(first, tasks, flops),
        time=_time(mine, full, tasks) if whole else None,
    )


def _score(entries: Mapping[str, Sequence[Record]], tasks: Sequence[str]) -> float:
    return fmean(fmean(in_mean(record) for record in entries[task]) for task in tasks)


def _data(found: Sequence[Record]) -> str:
    """What was evaluated on."""
    return repr(found[0].parts_but(()).get("data"))


def _time(
    mine: Mapping[str, Sequence[Record]],
    full: Mapping[str, Sequence[Record]],
    tasks: Sequence[str],
) -> float | None:
    """Seconds of fitting as a share of full's; None where machines differ or nothing is fitted."""
    used = [record for task in tasks for record in (*mine[task], *full[task])]
    if len({record.provenance.get("hardware") for record in used}) > 1:
        return None
    own, whole = (
        sum(fmean(record.cost["fit_s"] for record in entries[task]) for task in tasks)
        for entries in (mine, full)
    )
    return own / whole if whole > 0 and mine[tasks[0]][0].cost["parameters_trainable"] else None


def _training_flops(profiles: Sequence[Profile]) -> dict[tuple[str, str, str], float]:
    """Training FLOPs an example by model, regime and task: the same on any machine."""
    return {
        (one.cell["model"], one.cell["regime"], one.cell["task"]): one.training.flops_per_example
        for one in profiles
        if one.status == "done" and one.training is not None
    }


def _flops_of_full(
    first: Record, tasks: Sequence[str], flops: Mapping[tuple[str, str, str], float]
) -> float | None:
    model, regime = first.cell["model"], first.cell["regime"]
    mine = [flops.get((model, regime, task)) for task in tasks]
    full = [flops.get((model, FULL, task)) for task in tasks]
    known = [(a, b) for a, b in zip(mine, full, strict=True) if a is not None and b]
    return fmean(a / b for a, b in known) if len(known) == len(tasks) else None


def _share(value: float | None) -> str:
    """A share as percent, three digits that count."""
    return "-" if value is None else f"{100 * value:.3g}%"
