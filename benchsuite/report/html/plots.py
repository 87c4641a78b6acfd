"""The page's own pictures: score against what it costs, a heat map, small multiples by family."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.report.charts import COLOURS, svg_of
from benchsuite.report.family import FAMILIES
from benchsuite.report.html.cells import Cell
from benchsuite.report.table import METRIC_NAMES, PLAIN_METRICS

if TYPE_CHECKING:
    import altair as alt

MOST_TASKS = 12
MOST_MARKS = 400
WIDTH, HEIGHT = 250, 190
SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left"),
    *("triangle-right", "wedge", "arrow"),
)

Tables = dict[str, list[dict[str, Any]]]

COSTS: dict[str, tuple[str, Callable[[Cell], float | None]]] = {
    # A logarithmic axis has no 0: what trains nothing stands at its left end, which says 0.
    "trainable": (
        "trained parameters",
        lambda cell: None if cell.trainable is None else max(cell.trainable, 1),
    ),
    "flops": ("FLOPs an example, inference", lambda cell: cell.flops),
    "latency": ("seconds an example, latency", lambda cell: cell.latency),
}


def drawn_cells(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that plots show: scored, of the tasks with the most, as many as a page can hold.

    Checkpoints of a pretraining are left to the scaling curves, lm-eval's tasks to the table.
    """
    scored = [
        cell
        for cell in cells
        if cell.score.value is not None
        and cell.entry.records[0].headline is not None
        and cell.entry.records[0].headline.metric not in PLAIN_METRICS
        and not cell.task.startswith("lm-eval:")
        and not ("@" in cell.model and cell.entry.records[0].provenance.get("pretraining"))
    ]
    often = [task for task, _ in Counter(cell.task for cell in scored).most_common(MOST_TASKS)]
    return [cell for cell in scored if cell.task in often][:MOST_MARKS]


def cost_svg(cells: Sequence[Cell], cost: str) -> str | None:
    """A panel a task: score against a cost, with the line no model beats; None without any cost.

    Only cells of one hardware: the one with the most profiles, where the cost is measured.
    """
    import altair as alt

    title, get = COSTS[cost]
    known = [cell for cell in cells if get(cell) is not None]
    if cost != "trainable" and known:
        hardware = Counter(cell.hardware for cell in known).most_common(1)[0][0]
        known = [cell for cell in known if cell.hardware == hardware]
        title += f" ({hardware})"
    if not known:
        return None
    families = families_of(known)
    regimes = sorted({regime_name(cell) for cell in known})
    tables: Tables = {}
    panels = []
    for task in sorted({cell.task for cell in known}):
        mine = [cell for cell in known if cell.task == task]
        spent = [get(cell) or 1.0 for cell in mine]
        if max(spent) == min(spent):
            continue
        across = (
            alt.X("cost:Q")
            .scale(type="log", domain=[min(spent) / 1.3, max(spent) * 1.3], nice=False)
            .axis(
                title=f"{title} (log scale)",
                values=_decades(min(spent), max(spent)),
                labelExpr="datum.value == 1 ? '0' : format(datum.value, '~s')",
            )
        )
        values = [_mark(cell) | {"cost": get(cell)} for cell in mine]
        base = alt.Chart(_named(tables, values)).encode(
            x=across,
            y=alt.Y("score:Q").scale(zero=False).axis(title=_metric(mine[0])),
        )
        marks = base.mark_point(filled=True, size=60, opacity=0.85).encode(
            color=alt.Color("family:N").scale(domain=families, range=list(COLOURS)),
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=regimes, range=_shapes(len(regimes))),
                legend=alt.Legend(
                    title="regime", symbolFillColor="#888888", symbolStrokeColor="#888888"
                ),
            ),
            description="label:N",
        )
        on_front = pareto(mine, get)
        front = [one for one in values if one["label"] in on_front]
        line = (
            alt.Chart(_named(tables, front))
            .mark_line(interpolate="step-after", strokeDash=[4, 3], color="#888888", aria=False)
            .encode(x=across, y="score:Q")
        )
        panels.append(alt.layer(line, marks).properties(width=WIDTH, height=HEIGHT, title=task))
    return svg_of(_grid(panels), tables) if panels else None


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten from low to high, every second one where there are many."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = range(first, last + 1, 1 if last - first < 6 else 2)
    return [10.0**power for power in powers] or [low]


def pareto(cells: Sequence[Cell], get: Callable[[Cell], float | None]) -> set[str]:
    """Labels of the cells that no other beats in score at the same cost or less."""
    best: float | None = None
    front = set()
    ordered = sorted(cells, key=lambda cell: (get(cell) or 0.0, -(cell.score.value or 0.0)))
    for cell in ordered:
        value = cell.score.value or 0.0
        if best is None or value > best:
            best = value
            front.add(_label(cell))
    return front


def heat_svg(cells: Sequence[Cell]) -> str:
    """Regimes by tasks, a panel a model: the score as a number on its colour."""
    import altair as alt

    tasks = sorted({cell.task for cell in cells})
    scores = [100 * (cell.score.value or 0.0) for cell in cells]
    tables: Tables = {}
    light = min(scores) + 0.55 * (max(scores) - min(scores))  # from here on viridis is bright
    panels = []
    for model in sorted({cell.model for cell in cells}):
        mine = [cell for cell in cells if cell.model == model]
        base = alt.Chart(_named(tables, [_mark(cell) for cell in mine])).encode(
            x=alt.X("task:N").scale(domain=tasks).axis(title=None, labelAngle=-40),
            y=alt.Y("regime:N").axis(title=None, labelLimit=140),
        )
        squares = base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("score:Q").scale(scheme="viridis").legend(title="score"),
            description="label:N",
        )
        numbers = base.mark_text(fontSize=10, aria=False).encode(
            text=alt.Text("score:Q", format=".1f"),
            color=alt.condition(
                alt.datum.score > light, alt.value("#111111"), alt.value("#ffffff")
            ),
        )
        size = {"width": alt.Step(46), "height": alt.Step(20)}
        panels.append(alt.layer(squares, numbers).properties(title=model, **size))
    return svg_of(_grid(panels).resolve_scale(color="shared"), tables)


def family_svg(cells: Sequence[Cell]) -> str:
    """Small multiples: a row a task, a column a family, regimes downwards, with their intervals."""
    import altair as alt

    families = families_of(cells)
    tables: Tables = {}
    rows = []
    for task in sorted({cell.task for cell in cells}):
        mine = [cell for cell in cells if cell.task == task]
        models = sorted({cell.model for cell in mine})
        ends = [value for cell in mine for value in _span(cell)]
        scale = alt.Scale(domain=[100 * min(ends), 100 * max(ends)], nice=True, zero=False)
        axis = alt.Axis(title=_metric(mine[0]), tickCount=5)
        columns = []
        for family in families:
            values = [_mark(cell) for cell in mine if cell.family == family]
            base = alt.Chart(_named(tables, values)).encode(
                y=alt.Y("regime:N").axis(title=None, labelLimit=140),
                yOffset="model:N",
                color=alt.Color("model:N").scale(domain=models, range=list(COLOURS)),
            )
            bars = base.mark_rule(aria=False).encode(
                x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
            )
            points = base.mark_point(filled=True, size=40, opacity=1).encode(
                x=alt.X("score:Q", scale=scale, axis=axis), description="label:N"
            )
            height = alt.Step(11, **{"for": "offset"})
            panel = alt.layer(bars, points).properties(width=WIDTH, height=height, title=family)
            columns.append(panel)
        row = alt.hconcat(*columns, title=task).resolve_scale(color="shared", yOffset="independent")
        rows.append(row)
    return svg_of(alt.vconcat(*rows).resolve_scale(color="independent"), tables)


def _named(tables: Tables, values: list[dict[str, Any]]) -> alt.NamedData:
    """Put rows among the tables of a chart, and the name by which it finds them."""
    import altair as alt

    name = f"rows-{len(tables)}"
    tables[name] = values
    return alt.NamedData(name=name)


def families_of(cells: Sequence[Cell]) -> list[str]:
    """The families there are: encoder, decoder, encoder-decoder, then any other."""
    found = {cell.family for cell in cells}
    return [name for name in FAMILIES if name in found] + sorted(found - {*FAMILIES})


def regime_name(cell: Cell) -> str:
    """The regime without its options."""
    return str(cell.entry.records[0].cell.get("regime_name") or cell.regime)


def _grid(panels: Sequence[alt.LayerChart | alt.FacetChart]) -> alt.VConcatChart:
    """Panels, three a row."""
    import altair as alt

    rows = [alt.hconcat(*panels[at : at + 3]) for at in range(0, len(panels), 3)]
    return alt.vconcat(*rows)


def _mark(cell: Cell) -> dict[str, Any]:
    """What a mark is drawn from; scores in percent."""
    assert cell.score.value is not None
    low, high = _span(cell)
    return {
        "task": cell.task,
        "model": cell.model,
        "regime": cell.regime,
        "kind": regime_name(cell),
        "family": cell.family,
        "score": round(100 * cell.score.value, 4),
        "low": round(100 * low, 4),
        "high": round(100 * high, 4),
        "label": _label(cell),
    }


def _span(cell: Cell) -> tuple[float, float]:
    """The interval; the score itself where it has none."""
    value = cell.score.value or 0.0
    low, high = cell.score.low, cell.score.high
    return (value if low is None else low, value if high is None else high)


def _label(cell: Cell) -> str:
    """What a mark says to a pointer and to a screen reader."""
    text = f"{cell.model}, {cell.regime}, {cell.task}: {cell.entry.text}"
    return f"{text} {cell.entry.interval}".strip()


def _metric(cell: Cell) -> str:
    headline = cell.entry.records[0].headline
    assert headline is not None
    return f"{METRIC_NAMES.get(headline.metric, headline.metric)} (%)"


def _shapes(n: int) -> list[str]:
    """As many shapes as regimes; they repeat beyond seven, and the labels tell them apart."""
    return [SHAPES[number % len(SHAPES)] for number in range(n)]
