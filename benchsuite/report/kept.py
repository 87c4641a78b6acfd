"""What a regime keeps of full finetuning, at which share of its parameters, FLOPs and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchsuite.models.registry import UNTRAINED
from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.costs import Place, machine_of, place_of
from benchsuite.report.numbers import digits, percent
from benchsuite.report.standing import APART, Arm, comparable
from benchsuite.report.table import TITLES, Board, row_settings
from benchsuite.stats.resampling import LEVEL
from benchsuite.stats.seeds import combine, part_of

FULL = "full"
FAMILIES = ("encoder", "decoder", "encoder-decoder")
HEADER = (
    "regime",
    "model",
    "family",
    "tasks",
    "mean score",
    "trivial",
    "of full",
    "trained parameters",
    "training FLOPs, of full",
    "time, of full",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a model under a regime reaches, beside full finetuning of the same model.

    model: as tables name it, with its settings; name: its own. score: mean over `tasks`, of which
    the ends of the interval follow; trivial: of what needs no model. shared: tasks that full
    finetuning has, too, of which the shares of full's follow. kept: of its score. flops, time: of
    its training. share: of parameters that are trained. None where unknown.
    """

    regime: str
    model: str
    name: str
    family: str
    tasks: tuple[str, ...]
    score: float
    ends: tuple[float, float] | None
    trivial: float | None
    shared: tuple[str, ...]
    kept: float | None
    kept_ends: tuple[float, float] | None
    share: float | None
    flops: float | None
    time: float | None

    def cells(self) -> tuple[str, ...]:
        """Under HEADER."""
        on = f" on {len(self.shared)}" if 0 < len(self.shared) < len(self.tasks) else ""
        ends = _bracket(self.kept_ends, lambda end: digits(100 * end))
        return (
            self.regime,
            self.model,
            self.family,
            str(len(self.tasks)),
            percent(self.score) + _bracket(self.ends, percent),
            percent(self.trivial),
            _share(self.kept, ends + on),
            _share(self.share),
            _share(self.flops, on),
            _share(self.time, on),
        )


def compare_families(
    boards: Sequence[Board], profiles: Sequence[Profile] = ()
) -> tuple[list[Kept], list[str]]:
    """Rows by regime, then family; a line for each row that has no place there, with the reason.

    Official tasks together where there are any, else those of the mini suite. Untrained models and
    checkpoints of a pretraining are no competitors. Nothing where the records are of one family
    alone.
    """
    chosen = _chosen(boards)
    return _compare(chosen, profiles) if chosen else ([], [])


def _chosen(boards: Sequence[Board]) -> list[_Line]:
    """The rows to compare: of the first group of boards that knows more than one family."""
    for titles in (TITLES[:2], TITLES[2:3]):
        lines = _lines([board for board in boards if board.title in titles])
        if len({line.family for line in lines}) > 1:
            return lines
    return []


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of a table that competes, of all boards together.

    settings: what its model's name is followed by. entries, arms: by task.
    """

    name: str
    settings: str
    regime: str
    family: str
    entries: dict[str, tuple[Record, ...]]
    arms: dict[str, Arm]

    @property
    def model(self) -> str:
        """As tables name it."""
        return self.name + self.settings


def _lines(boards: Sequence[Board]) -> list[_Line]:
    """The rows that compete, by model and regime; WNLI and AX are left out, as in GLUE's mean."""
    found: dict[tuple[str, str], _Line] = {}
    for row in (row for board in boards for row in board.rows):
        arms = {task: arm for task, arm in row.arms.items() if task not in APART}
        if not arms:
            continue
        first = row.entries[next(iter(arms))].records[0]
        name = str(first.cell["model"])
        if name.endswith(UNTRAINED) or first.is_checkpoint:
            continue
        line = found.setdefault(
            (row.model, row.regime),
            _Line(name, row_settings(first), row.regime, _family(first), {}, {}),
        )
        line.arms.update(arms)
        line.entries.update({task: row.entries[task].records for task in arms})
    return [found[place] for place in sorted(found)]


def _family(record: Record) -> str:
    return str(record.cell.get("family") or "-")


def _compare(lines: Sequence[_Line], profiles: Sequence[Profile]) -> tuple[list[Kept], list[str]]:
    """What competes, and a line for each row that cannot: like with like, of equal settings."""
    flops = _training_flops(profiles)
    groups: dict[tuple[str, str], list[_Line]] = defaultdict(list)
    full: dict[str, list[_Line]] = defaultdict(list)
    for line in lines:
        groups[line.regime, line.settings].append(line)
        if line.regime == FULL:
            full[line.name].append(line)
    found, left = [], []
    for group in groups.values():
        alike = _alike(group)
        families = {line.family for line in group} & {*FAMILIES}
        tasks = tuple(
            task
            for task, places in sorted(alike.items())
            if {group[place].family for place in places} >= families
        )
        whole = []
        for place, line in enumerate(group):
            lacking = [task for task in tasks if task not in line.arms]
            if len(families) < 2:
                left.append(f"{line.model} {line.regime}: no other family has these settings")
            elif not tasks:
                left.append(f"{line.model} {line.regime}: no task that every family has done")
            elif lacking:
                left.append(f"{line.model} {line.regime}: lacks {', '.join(lacking)}")
            elif not all(place in alike[task] for task in tasks):
                left.append(f"{line.model} {line.regime}: on other data")
            else:
                whole.append(line)
        if len({line.family for line in whole}) < 2:
            left += [f"{line.model} {line.regime}: no other family has its tasks" for line in whole]
            continue
        for line in whole:
            found.append(_kept(line, tasks, *_full_of(line, full[line.name], tasks), flops))
    order = {name: place for place, name in enumerate(FAMILIES)}
    left.sort()
    found.sort(key=lambda one: (one.regime, order.get(one.family, 9), one.model))
    return found, left


def _alike(group: Sequence[_Line]) -> dict[str, set[int]]:
    """By task, the places of the rows that have it on the data that compares."""
    columns: dict[str, dict[int, Arm]] = defaultdict(dict)
    for place, line in enumerate(group):
        for task, arm in line.arms.items():
            columns[task][place] = arm
    return {task: comparable(column) for task, column in columns.items()}


def _full_of(
    line: _Line, full: Sequence[_Line], tasks: Sequence[str]
) -> tuple[_Line | None, tuple[str, ...]]:
    """Of the rows of full finetuning of a model the one with most of the tasks, and which.

    Of the same settings, or, of a regime that trains nothing, the one of the most examples of them.
    """
    trains = any(arm.cap is not None for arm in line.arms.values())
    found: list[tuple[int, float, _Line, tuple[str, ...]]] = []
    for other in full:
        shared = tuple(
            task
            for task in tasks
            if task in other.arms and other.arms[task].way == line.arms[task].way
        )
        if shared and (other.settings == line.settings or not trains):
            cap = max(arm.cap or 0 for arm in other.arms.values())
            found.append((len(shared), cap, other, shared))
    best = max(found, key=lambda one: one[:2], default=None)
    return (None, ()) if best is None else best[2:]


def _kept(
    line: _Line,
    tasks: tuple[str, ...],
    full: _Line | None,
    shared: tuple[str, ...],
    flops: Mapping[Place, float],
) -> Kept:
    score, drawn, of_seeds = _mean(line, tasks)
    kept = kept_ends = None
    if full is not None:
        part, part_drawn, of_part = _mean(line, shared)
        whole, whole_drawn, of_whole = _mean(full, shared)
        if whole > (_trivial(line, shared) or 0.0):
            kept = part / whole
            if full is not line and part_drawn is not None and whole_drawn is not None:
                # The delta method for the seeds, which are independent; examples are shared.
                parts = [(one / whole**2, freedom) for one, freedom in of_part]
                parts += [(one * kept**2 / whole**2, freedom) for one, freedom in of_whole]
                kept_ends = _ends(kept, part_drawn / whole_drawn, parts)
    first = line.entries[tasks[0]][0]
    trained, total = (first.cost.get(f"parameters_{n}") for n in ("trainable", "total"))
    return Kept(
        regime=line.regime,
        model=line.model,
        name=line.name,
        family=line.family,
        tasks=tasks,
        score=score,
        ends=None if drawn is None else _ends(score, drawn, of_seeds),
        trivial=_trivial(line, tasks),
        shared=shared,
        kept=kept,
        kept_ends=kept_ends,
        share=None if trained is None or not total else trained / total,
        # Profiles know full finetuning without any record of it.
        flops=_flops_of_full(first, shared or tasks, flops),
        time=None if full is None else _time(line.entries, full.entries, shared),
    )


Parts = list[tuple[float, float]]


def _mean(line: _Line, tasks: Sequence[str]) -> tuple[float, np.ndarray | None, Parts]:
    """Mean over tasks, replicates (R,) of it over examples, and the seeds' part for `combine`.

    The replicates are None where a task has none. Headline metrics, as `trivial` is: a table's mean
    takes both of MRPC's, of which a record knows no trivial score.
    """
    arms = [line.arms[task] for task in tasks]
    score = fmean(arm.value for arm in arms)
    parts = [part_of(arm.scores) for arm in arms if len(arm.scores) > 1]
    of_seeds = [(part / len(arms) ** 2, freedom) for part, freedom in parts]
    drawn = [arm.drawn.mean(axis=0) for arm in arms if arm.drawn is not None]
    if len(drawn) < len(arms):
        return score, None, of_seeds
    return score, np.mean(drawn, axis=0), of_seeds


def _ends(value: float, drawn: np.ndarray, of_seeds: Parts) -> tuple[float, float] | None:
    """The interval at `LEVEL`, Student's t as for a cell; None where most replicates are none."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < len(drawn) / 2:
        return None
    error = combine(float(known.var(ddof=1)), of_seeds)
    half = error.quantile((1 + LEVEL) / 2) * error.se
    return value - half, value + half


def _trivial(line: _Line, tasks: Sequence[str]) -> float | None:
    """Mean over tasks of what needs no model; None where a task does not say."""
    first = [line.entries[task][0] for task in tasks]
    values = [one.baselines.get("chance") if one.trivial is None else one.trivial for one in first]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _time(
    mine: Mapping[str, Sequence[Record]],
    full: Mapping[str, Sequence[Record]],
    tasks: Sequence[str],
) -> float | None:
    """Seconds of fitting as a share of full's; None where nothing is fitted.

    Nor is it known where machines or threads differ or one had other work beside.
    """
    used = [record for task in tasks for record in (*mine[task], *full[task])]
    if len({machine_of(record) for record in used}) > 1:
        return None
    if any(record.is_crowded for record in used):
        return None
    if any(record.cost.get("fit_s") is None for record in used):
        return None
    own, whole = (
        sum(fmean(record.cost["fit_s"] for record in entries[task]) for task in tasks)
        for entries in (mine, full)
    )
    return own / whole if whole > 0 and mine[tasks[0]][0].cost["parameters_trainable"] else None


def _training_flops(profiles: Sequence[Profile]) -> dict[Place, float]:
    """Training FLOPs an example: the same on any machine."""
    return {
        place_of(one.cell): one.training.flops_per_example
        for one in profiles
        if one.status == "done" and one.training is not None
    }


def _flops_of_full(
    first: Record, tasks: Sequence[str], flops: Mapping[Place, float]
) -> float | None:
    mine = [flops.get(place_of(first.cell | {"task": task})) for task in tasks]
    full = [flops.get(place_of(first.cell | {"task": task, "regime": FULL})) for task in tasks]
    known = [(a, b) for a, b in zip(mine, full, strict=True) if a is not None and b]
    return fmean(a / b for a, b in known) if len(known) == len(tasks) else None


def _share(value: float | None, more: str = "") -> str:
    """A share as percent, three digits that count, and what is to be said of it."""
    return "-" if value is None else f"{digits(100 * value)}%{more}"


def _bracket(ends: tuple[float, float] | None, show: Callable[[float], str]) -> str:
    return "" if ends is None else f" [{show(ends[0])}, {show(ends[1])}]"
