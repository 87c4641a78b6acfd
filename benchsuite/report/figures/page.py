"""The figures as Markdown beside their pictures: `figures.md` and an SVG each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchsuite.errors import InputError
from benchsuite.report import records_of, write_files
from benchsuite.report.figures.plot import depth_svg, forgotten_svg, sizes_svg
from benchsuite.report.figures.points import Forgotten, Point, by_depth, by_size, forgotten
from benchsuite.report.markdown import escape, pipe_table
from benchsuite.report.numbers import percent

PAGE = "figures.md"
SIZES, DEPTH, FORGETTING = "train-size.svg", "depth.svg", "forgetting.svg"
LEGEND = (
    "Scores are percent of each task's headline metric, means over seeds; brackets and bars are "
    "95% intervals over examples and seeds. Nothing is interpolated or smoothed."
)


def write_figures(stores: Sequence[Path], out: Path | None = None) -> Path:
    """Write the figures that stores have records for, and return the page's path.

    out: folder, default `report` in the first store. Raises InputError where a store has no
    record, where there are records for none of the figures, and where the folder cannot be written.
    """
    found, unreadable = records_of(stores)
    sizes, depths, lost = by_size(found), by_depth(found), forgotten(found)
    if not (sizes or depths or lost):
        raise InputError(
            f"{', '.join(map(str, stores))}: no figure's records: several --train-limit of one "
            "regime, several shares of `frozen`, or networks written by `bench export` and run on "
            "a task"
        )
    files = {PAGE: render(sizes, depths, lost, unreadable)}
    if sizes:
        files[SIZES] = sizes_svg(sizes)
    if depths:
        files[DEPTH] = depth_svg(depths)
    if lost:
        files[FORGETTING] = forgotten_svg(lost)
    folder = out or stores[0] / "report"
    write_files(folder, files)
    return folder / PAGE


def render(
    sizes: Sequence[Point],
    depths: Sequence[Point],
    lost: Sequence[Forgotten],
    unreadable: Sequence[str] = (),
) -> str:
    """The page, the same for the same points."""
    lines = ["# Adapting pretrained models", "", LEGEND, ""]
    if sizes:
        lines += [
            "## Score against training examples",
            "",
            f"![Scores by training examples]({SIZES})",
            "",
            "Dashed: the same architecture untrained. Black: a bag of words on the same examples.",
            "",
            *_table(sizes, "training examples", lambda at: f"{at:,.0f}"),
            "",
        ]
    if depths:
        lines += [
            "## Score against the share of blocks that is frozen",
            "",
            f"![Scores by depth]({DEPTH})",
            "",
            *_table(depths, "frozen", lambda at: f"{at:.0%}"),
            "",
        ]
    if lost:
        lines += [
            "## What adapting costs the language model",
            "",
            f"![Language model by distance]({FORGETTING})",
            "",
            "Distance: norm of the change of all weights over their norm. Prefixes and prompts "
            "give the network back as it was when they are taken out; adapters do but for the "
            "layer normalizations, which `houlsby` trains (not measured).",
            "",
            *pipe_table(
                ("model", "regime", "learned", "seeds", "distance", "asked", "before", "after")
                + ("loss before", "loss after"),
                [_row(row) for row in lost],
                left=3,
            ),
            "",
        ]
    if unreadable:
        lines += ["Not readable:", "", *(f"- {escape(line)}" for line in unreadable)]
    return "\n".join(lines).rstrip() + "\n"


def _table(points: Sequence[Point], across: str, label: Callable[[float], str]) -> list[str]:
    """A row a task, model and regime; a column a place."""
    places = sorted({point.at for point in points})
    rows: dict[tuple[str, str, str], dict[float, Point]] = {}
    for point in points:
        model = f"{point.series}:untrained" if point.untrained else point.series
        rows.setdefault((point.task, model, point.regime), {})[point.at] = point
    header = ["task", "model", "regime", *map(label, places)]
    body = [
        [*names, *(_cell(mine.get(at)) for at in places)] for names, mine in sorted(rows.items())
    ]
    return [f"Columns: {across}.", "", *pipe_table(header, body, left=3)]


def _cell(point: Point | None) -> str:
    if point is None or point.score.value is None:
        return "-"
    score = point.score
    text = percent(score.value)
    if score.low is not None and score.high is not None:
        text += f" [{percent(score.low)}, {percent(score.high)}]"
    if score.spread is not None:
        text += f" ±{percent(score.spread)} over {score.seeds} seeds"
    return text + (f" unstable {score.collapsed}/{score.seeds}" if score.collapsed else "")


def _row(row: Forgotten) -> tuple[str, ...]:
    loss, before = (
        "-" if value is None else f"{value:.3f}" for value in (row.loss, row.loss_before)
    )
    return (
        row.model,
        row.regime,
        row.learned,
        str(row.seeds),
        f"{row.distance:.2g}",
        row.asked,
        percent(row.before),
        percent(row.score),
        before,
        loss,
    )
