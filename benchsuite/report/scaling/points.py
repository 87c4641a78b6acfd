"""From records to the points of the curves, and to checkpoints of equal tokens or FLOPs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchsuite.cells import digest
from benchsuite.models.registry import UNTRAINED
from benchsuite.records import Record
from benchsuite.report.numbers import METRIC_NAMES

Measure = Literal["tokens", "flops"]
MEASURES: dict[Measure, str] = {"tokens": "tokens", "flops": "FLOPs"}
# So much more still counts as equal: runs of one budget end within a step of each other, and at the
# same step an encoder has read up to 4.7% less, for three of the 64 tokens of a row are special.
SLACK = 0.05
# Parts of a cell's key in which scores of one panel may differ: what the curves compare, what
# computes alike, and what leaves the headline as it is.
FREE_PARTS = ("weights", "tokenizer", "device", "score")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model at one point of its pretraining.

    model: `gpt@2048`; series: the name without the step. tokens: raw tokens of text read (T).
    flops: of training, None where unknown.
    """

    model: str
    series: str
    family: str
    tokens: int
    flops: float | None

    def spent(self, measure: Measure) -> float | None:
        """Tokens or FLOPs; None where unknown."""
        return self.tokens if measure == "tokens" else self.flops


@dataclass(frozen=True, slots=True)
class Score:
    """A headline: value and 95% interval, as fractions."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A checkpoint's score on one task."""

    checkpoint: Checkpoint
    score: Score


@dataclass(slots=True)
class Panel:
    """One task under one set of conditions (data, caps, prompts, versions).

    points: by series, then tokens. floors: series -> score of its untrained self. chance: of the
    metric, a fraction, None where there is none.
    """

    title: str
    metric: str
    points: list[Point]
    floors: dict[str, Score]
    chance: float | None


@dataclass(slots=True)
class Scaling:
    """What a rendering of the curves needs. notes: what was left out or does not fit together."""

    panels: list[Panel]
    notes: list[str] = field(default_factory=list)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Checkpoints that have a score, by series, then tokens, a final model after its steps."""
        found = {point.checkpoint for panel in self.panels for point in panel.points}
        return sorted(found, key=_order)


def collect(found: Iterable[Record]) -> Scaling:
    """Panels of the zero-shot records whose models are untrained or say how far they were trained.

    Records share a panel only where data, caps, prompts and versions agree. Of several records of
    one model in one panel, the newest is taken. The same for the same records in any order.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(found, key=lambda one: (str(one.provenance.get("time")), one.key)):
        if record.cell.get("regime_name") == "zeroshot" and record.headline is not None:
            groups[digest(_conditions(record))].append(record)
    scaling, used = Scaling([]), []
    for title, group in zip(_titles(list(groups.values())), groups.values(), strict=True):
        newest = {record.cell["model"]: record for record in group}
        if len(group) > len(newest):
            older = len(group) - len(newest)
            scaling.notes.append(f"{title}: {older} older record(s) of the same models left out")
        panel = _panel(title, newest.values())
        if panel.points:
            scaling.panels.append(panel)
            used += list(newest.values())
    scaling.panels.sort(key=lambda panel: panel.title)
    scaling.notes = sorted(scaling.notes) + _doubts(used)
    return scaling


def latest_within(
    checkpoints: Iterable[Checkpoint], measure: Measure
) -> tuple[float, dict[str, Checkpoint | None]]:
    """Each series' latest checkpoint within what the most modest series used up in all.

    Nothing is interpolated. Returns that budget (tokens or FLOPs) and series -> checkpoint, None
    for a series whose first one is beyond it. SLACK beyond the budget is within. Checkpoints
    without the measure are passed over; without any, the budget is 0 and there is no series.
    """
    series: dict[str, list[tuple[float, bool, Checkpoint]]] = defaultdict(list)
    for one in checkpoints:
        spent = one.spent(measure)
        if spent is not None:
            # A final model that is a step as well goes by its own name.
            series[one.series].append((spent, one.model == one.series, one))
    budget = min((max(members)[0] for members in series.values()), default=0.0)
    within: dict[str, Checkpoint | None] = {}
    for name in sorted(series):
        fitting = [member for member in series[name] if member[0] <= budget * (1 + SLACK)]
        within[name] = max(fitting, key=lambda member: member[:2])[2] if fitting else None
    return budget, within


def series_of(model: str) -> str:
    """A model's name without step or `:untrained`."""
    return re.sub(r"@[0-9]+$", "", model.removesuffix(UNTRAINED))


def _order(checkpoint: Checkpoint) -> tuple[str, int, bool, str]:
    final = checkpoint.model == checkpoint.series
    return checkpoint.series, checkpoint.tokens, final, checkpoint.model


def _conditions(record: Record) -> dict[str, Any]:
    """What must agree for two scores to stand in one panel."""
    kept = record.parts_but(FREE_PARTS)
    metric = record.headline.metric if record.headline is not None else None
    return {**kept, "task": record.cell["task"], "regime": record.cell["regime"], "metric": metric}


def _titles(groups: Sequence[Sequence[Record]]) -> list[str]:
    """A title a group; groups that would share one also say in what they differ."""
    plain = [_title(group[-1]) for group in groups]
    conditions = [_conditions(group[-1]) for group in groups]
    titles = []
    for title, own in zip(plain, conditions, strict=True):
        alike = [other for name, other in zip(plain, conditions, strict=True) if name == title]
        differing = [
            f"{part} {_short(own.get(part))}"
            for part in sorted({part for other in alike for part in other})
            if any(other.get(part) != own.get(part) for other in alike)
        ]
        titles.append(", ".join([title, *differing]))
    return titles


def _title(record: Record) -> str:
    assert record.headline is not None  # as collect chose them
    metric = METRIC_NAMES.get(record.headline.metric, record.headline.metric)
    count = f"n = {record.headline.n:,}" + (" (cap)" if record.counts.get("capped") else "")
    regime = [record.cell["regime"]] if record.cell["regime"] != "zeroshot" else []
    return ", ".join([record.cell["task"], metric, count, *regime])


def _short(value: Any) -> str:
    """A condition for a title: hashes cut, tables of hashes hashed."""
    return digest(value)[:8] if isinstance(value, dict) else str(value)[:12]


def _panel(title: str, group: Iterable[Record]) -> Panel:
    panel = Panel(title=title, metric="", points=[], floors={}, chance=None)
    for record in group:
        head, checkpoint = record.headline, _checkpoint(record)
        if head is None or head.value is None:
            continue
        panel.metric, panel.chance = head.metric, record.baselines.get("chance")
        score = Score(head.value, head.low, head.high)
        if checkpoint is not None:
            panel.points.append(Point(checkpoint, score))
        elif record.cell["model"].endswith(UNTRAINED):
            panel.floors[series_of(record.cell["model"])] = score
    panel.points.sort(key=lambda point: _order(point.checkpoint))
    return panel


def _checkpoint(record: Record) -> Checkpoint | None:
    """What a record says of its model's pretraining; None where that is nothing."""
    said = record.provenance.get("pretraining")
    if not said or not said.get("tokens"):
        return None
    model = record.cell["model"]
    return Checkpoint(
        model=model,
        series=series_of(model),
        family=str(record.cell.get("family")),
        tokens=said["tokens"],
        flops=said.get("flops"),
    )


def _doubts(used: Sequence[Record]) -> list[str]:
    """What keeps points from being those of one run each."""
    silent, undefined = set(), set()
    without_flops: set[Checkpoint] = set()
    weights: dict[str, set[str]] = defaultdict(set)
    recipes: dict[str, set[str]] = defaultdict(set)
    for record in used:
        model, checkpoint = record.cell["model"], _checkpoint(record)
        if record.headline is None or record.headline.value is None:
            undefined.add(record.name)
        elif checkpoint is not None:
            if checkpoint.flops is None:
                without_flops.add(checkpoint)
            weights[model].add(record.cell.get("key_parts", {}).get("weights"))
            recipes[checkpoint.series].add(record.provenance["pretraining"].get("recipe"))
        elif not model.endswith(UNTRAINED):
            silent.add(model)
    notes = [f"{name}: no score (undefined)" for name in sorted(undefined)]
    if silent:
        notes.append(
            f"{', '.join(sorted(silent))}: left out, the records do not say how far they were "
            "trained (of an earlier version: run them again with --force)"
        )
    if without_flops:
        names = ", ".join(one.model for one in sorted(without_flops, key=_order))
        notes.append(f"{names}: FLOPs unknown, so by tokens alone")
    notes += [
        f"{model}: the scores are of {len(found)} different weights; run the older ones again"
        for model, found in sorted(weights.items())
        if len(found) > 1
    ]
    notes += [
        f"{series}: the checkpoints are of {len(found)} recipes or budgets, not of one run"
        for series, found in sorted(recipes.items())
        if len(found) > 1
    ]
    return notes
