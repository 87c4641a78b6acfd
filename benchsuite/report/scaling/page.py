"""The curves as Markdown beside their picture: `scaling.md` and `scaling.svg`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import InputError
from benchsuite.models.registry import UNTRAINED
from benchsuite.records import Record
from benchsuite.report import records_of, write_files
from benchsuite.report.markdown import escape, pipe_table
from benchsuite.report.numbers import shown
from benchsuite.report.scaling.plot import to_svg
from benchsuite.report.scaling.points import (
    MEASURES,
    SLACK,
    Checkpoint,
    Panel,
    Scaling,
    Score,
    collect,
    latest_within,
)

PICTURE = "scaling.svg"
PAGE = "scaling.md"
LEGEND = (
    "Scores are percent, brackets their 95% bootstrap intervals. Tokens are raw tokens of text "
    "read in pretraining; FLOPs are those of pretraining, 6 N a position passed through, without "
    "attention's products. Every point is one record's: nothing is interpolated or smoothed. "
    "In the picture, bars are intervals and dashed lines the untrained models."
)


def write_scaling(stores: Sequence[Path], out: Path | None = None) -> Path:
    """Write `scaling.md` and `scaling.svg` of stores' records and return the page's path.

    out: folder, default `report` in the first store. Raises InputError where a store has no record,
    where none is of a checkpoint that says how far it was trained, and where the folder cannot be
    written.
    """
    found, unreadable = records_of(stores)
    scaling = collect(found)
    if not scaling.panels:
        raise InputError(
            f"{', '.join(map(str, stores))}: no zero-shot records that say how far their models "
            "were trained; make some with "
            f"`bench run --model gpt@1024,gpt --task blimp --store {stores[0]}`"
        )
    scaling.notes += unreadable
    folder = out or stores[0] / "report"
    write_files(folder, {PICTURE: to_svg(scaling), PAGE: render(scaling)})
    return folder / PAGE


def render(scaling: Scaling) -> str:
    """The page, the same for the same scaling."""
    lines = ["# Scaling curves", "", LEGEND, "", f"![Scores by tokens and by FLOPs]({PICTURE})"]
    header, rows = _table(scaling, scaling.checkpoints)
    lines += ["", "## Every checkpoint", "", *pipe_table(header, rows, left=2), ""]
    for table in _equal(scaling):
        lines += section(table, "##")
    if scaling.notes:
        lines += ["Notes:", "", *(f"- {escape(note)}" for note in scaling.notes)]
    return "\n".join(lines).rstrip() + "\n"


@dataclass(frozen=True, slots=True)
class EqualTable:
    """Checkpoints that spent alike, as a table; text says what they spent."""

    title: str
    text: str
    header: list[str]
    rows: list[list[str]]


def equal_tables(found: Sequence[Record]) -> list[EqualTable]:
    """Zero-shot scores at equal tokens and at equal FLOPs; lm-eval's tasks are left out."""
    scaling = collect([one for one in found if not one.cell["task"].startswith("lm-eval:")])
    return _equal(scaling)


def _equal(scaling: Scaling) -> list[EqualTable]:
    """By measure the latest checkpoint of each series that spent no more than the others."""
    tables = []
    for measure, title in MEASURES.items():
        budget, within = latest_within(scaling.checkpoints, measure)
        if len(within) < 2:
            continue
        amount = f"{budget:,.0f}" if measure == "tokens" else _flops(budget)
        text = [
            f"Zero-shot scores of the latest checkpoint of each model within {amount} {title}, "
            f"where the most modest one ends ({SLACK:.0%} more counts as equal). Checkpoints are "
            "far apart: what each really spent is in its row. One amid its run has had neither the "
            "fall of the learning rate nor the texts of the run's end, which tend to raise scores."
        ]
        text += [
            f"{name}: its first one is beyond that." for name, one in within.items() if not one
        ]
        chosen = [one for one in within.values() if one is not None]
        table = EqualTable(f"At equal {title}", " ".join(text), *_table(scaling, chosen))
        tables.append(table)
    return tables


def section(table: EqualTable, heading: str) -> list[str]:
    """A table as Markdown, below its title at the level of `heading`."""
    lines = pipe_table(table.header, table.rows, left=2)
    return [f"{heading} {table.title}", "", escape(table.text), "", *lines, ""]


def _table(
    scaling: Scaling, checkpoints: Sequence[Checkpoint]
) -> tuple[list[str], list[list[str]]]:
    """A header: what was spent, then each panel; rows: untrained models, checkpoints, chance."""
    panels = scaling.panels
    header = ["model", "family", "tokens", "FLOPs", *(panel.title for panel in panels)]
    rows: list[list[str]] = []
    for name in sorted({one.series for one in checkpoints}):
        own = [one for one in checkpoints if one.series == name]
        if any(name in panel.floors for panel in panels):
            floors = [_score(panel, panel.floors.get(name)) for panel in panels]
            rows.append([name + UNTRAINED, own[0].family, "0", "0", *floors])
        for one in own:
            scores = [_score(panel, _found(panel, one)) for panel in panels]
            rows.append([one.model, one.family, f"{one.tokens:,}", _flops(one.flops), *scores])
    if any(panel.chance is not None for panel in panels):
        chance = [shown(panel.metric, panel.chance) for panel in panels]
        rows.append(["chance", "-", "-", "-", *chance])
    return header, rows


def _found(panel: Panel, checkpoint: Checkpoint) -> Score | None:
    return next((one.score for one in panel.points if one.checkpoint == checkpoint), None)


def _score(panel: Panel, score: Score | None) -> str:
    if score is None:
        return "-"
    value, low, high = (shown(panel.metric, one) for one in (score.value, score.low, score.high))
    return f"{value} [{low}, {high}]"


def _flops(flops: float | None) -> str:
    return "-" if flops is None else f"{flops:.2e}".replace("e+", "e")
