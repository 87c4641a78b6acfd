"""The page's own pictures: score against what it costs, a heat map, small multiples by family."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchsuite.report.charts import COLOURS, SHAPES, cycled, svg_of
from benchsuite.report.html.cells import Cell
from benchsuite.report.html.colours import VIRIDIS, ink_on, viridis
from benchsuite.report.kept import FAMILIES
from benchsuite.report.numbers import METRIC_NAMES, PLAIN_METRICS
from benchsuite.report.table import row_settings

if TYPE_CHECKING:
    import altair as alt

MOST_TASKS = 20
MOST_MARKS = 400
MOST_PANELS = 24
WIDTH, HEIGHT = 250, 190
PAGE_WIDTH = 1150
"""What a picture may take across without being wider than a usual window."""
LEGEND_WIDTH = 170
NAME_WIDTH = 140
"""Most that names of regimes take beside a panel."""
TITLE_WIDTH = 300
"""Most that the name of a model takes above a panel."""
SQUARE = 46


Tables = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What scores are drawn against.

    axis: its title there. get: of a cell, None where it is not known; a logarithmic axis has no 0,
    which stands at 1. tick: what the axis writes at a value, an expression of Vega's.
    """

    axis: str
    get: Callable[[Cell], float | None]
    tick: str = "datum.value == 1 ? '0' : format(datum.value, '.3~s')"


TRAINABLE = Cost(
    "trained parameters",
    lambda cell: None if cell.trainable is None else max(cell.trainable, 1),
)
FLOPS = Cost(
    "FLOPs an example, inference", lambda cell: None if cell.flops is None else max(cell.flops, 1)
)


def drawn_cells(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """The cells that plots show, and what is to be said of those that they do not.

    Shown are scores of the tasks that have the most, and of whole rows from the top of each board,
    as many as a page can hold. Checkpoints of a pretraining are left to the scaling curves, tasks
    of lm-eval to the table.
    """
    left_out = []
    scored = [cell for cell in cells if cell.score.value is not None]
    kept = [cell for cell in scored if not _is_of_lm_eval(cell)]
    if len(kept) < len(scored):
        left_out.append(f"{len(scored) - len(kept):,} scores of lm-eval's tasks")
    final = [cell for cell in kept if not cell.entry.records[0].is_checkpoint]
    if len(final) < len(kept):
        left_out.append(f"{len(kept) - len(final):,} scores of checkpoints of a pretraining")
    often = [task for task, _ in Counter(cell.task for cell in final).most_common()]
    if often[MOST_TASKS:]:
        left_out.append(f"the tasks with the fewest scores ({', '.join(often[MOST_TASKS:])})")
    rows: dict[tuple[int, str], list[Cell]] = defaultdict(list)
    for cell in final:
        if cell.task in often[:MOST_TASKS]:
            rows[cell.row, cell.board].append(cell)
    drawn: list[Cell] = []
    places = sorted(rows, key=lambda place: place[0])
    for number, place in enumerate(places):
        if len(drawn) + len(rows[place]) > MOST_MARKS:
            lost = sum(len(rows[other]) for other in places[number:])
            left_out.append(
                f"{len(places) - number:,} of {len(places):,} rows, the last of the tables "
                f"({lost:,} scores)"
            )
            break
        drawn += rows[place]
    return _briefly(drawn), left_out


def _briefly(cells: Sequence[Cell]) -> list[Cell]:
    """Cells named by model and regime; settings follow a regime of which any model has several.

    So are a model zero-shot and the same model trained on a cap one model. Of a cap of training
    examples the number is named.
    """
    ways: dict[str, set[str]] = defaultdict(set)
    for cell in cells:
        ways[cell.regime].add(row_settings(cell.entry.records[0]))
    found = []
    for cell in cells:
        first = cell.entry.records[0]
        alone = len(ways[cell.regime]) < 2
        settings = "" if alone else row_settings(first).replace(" training examples", "")
        regime = cell.regime + settings
        found.append(replace(cell, model=str(first.cell["model"]), regime=regime))
    return found


def _is_of_lm_eval(cell: Cell) -> bool:
    """Whether lm-eval made the score, or its metric is no share."""
    headline = cell.entry.records[0].headline
    plain = headline is None or headline.metric in PLAIN_METRICS
    return plain or cell.task.startswith("lm-eval:")


def cost_svg(cells: Sequence[Cell], cost: Cost) -> tuple[str | None, list[str]]:
    """A panel a task: score against a cost, with the line no model beats; None without any cost.

    Returns also what is not drawn.
    """
    import altair as alt

    known = [cell for cell in cells if cost.get(cell) is not None]
    left_out = []
    if len(known) < len(cells):
        left_out.append(f"{len(cells) - len(known):,} scores without this cost")
    # Of all cells, so that a colour and a shape mean the same in every plot.
    families = families_of(cells)
    regimes = sorted({regime_name(cell) for cell in cells})
    shown = {regime_name(cell) for cell in known}
    tables: Tables = {}
    panels, alike = [], []
    for task in sorted({cell.task for cell in known}):
        mine = [cell for cell in known if cell.task == task]
        spent = [cost.get(cell) or 1.0 for cell in mine]
        if max(spent) == min(spent):
            alike.append(task)
            continue
        across = (
            alt.X("cost:Q")
            .scale(type="log", domain=[min(spent) / 1.3, max(spent) * 1.3], nice=False)
            .axis(
                title=f"{cost.axis} (log scale)",
                values=_decades(min(spent), max(spent)),
                labelExpr=cost.tick,
            )
        )
        values = [_mark(cell) | {"cost": cost.get(cell)} for cell in mine]
        base = alt.Chart(_named(tables, values)).encode(
            x=across,
            y=alt.Y("score:Q").scale(zero=False).axis(title=_metric(mine[0])),
        )
        marks = base.mark_point(filled=True, size=60, opacity=0.85).encode(
            color=alt.Color("family:N")
            .scale(domain=families, range=cycled(COLOURS, len(families)))
            .legend(values=families_of(known)),
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=regimes, range=cycled(SHAPES, len(regimes))),
                legend=alt.Legend(
                    values=[name for name in regimes if name in shown],
                    title="regime",
                    symbolFillColor="#888888",
                    symbolStrokeColor="#888888",
                ),
            ),
            description="label:N",
        )
        on_front = pareto(mine, cost.get)
        front = [one for one in values if one["label"] in on_front]
        line = (
            alt.Chart(_named(tables, front))
            .mark_line(interpolate="step-after", strokeDash=[4, 3], color="#888888", aria=False)
            .encode(x=across, y="score:Q")
        )
        panels.append(alt.layer(line, marks).properties(width=WIDTH, height=HEIGHT, title=task))
    if alike:
        left_out.append(f"tasks of one cost alone ({', '.join(alike)})")
    return (svg_of(_grid(panels), tables) if panels else None), left_out


def latency_of(cells: Sequence[Cell]) -> tuple[str, Cost]:
    """The hardware with the most cells, and the latency there, in milliseconds."""
    counts = Counter(hardware for cell in cells for hardware in cell.latency)
    hardware = min(counts, key=lambda name: (-counts[name], name), default="")

    def milliseconds(cell: Cell) -> float | None:
        seconds = cell.latency.get(hardware)
        return None if seconds is None else 1000 * seconds

    tick = "format(datum.value, '.3~g')"  # of milliseconds no thousandths
    return hardware, Cost("milliseconds an example, latency", milliseconds, tick)


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten from low to high, fewer where there are many, more between where there are few.

    Between are 2 and 5 times the powers, then all times; where that gives no two, low and high.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1, 1 if last - first < 7 else 2)
    for digits in ((1,), (1, 2, 5), range(1, 10)):
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        # What a power's rounding costs is no reason to leave an end out.
        inside = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(inside) > 1:
            return inside
    return [low, high]


def pareto(cells: Sequence[Cell], get: Callable[[Cell], float | None]) -> set[str]:
    """Labels of the cells that no other beats in score at the same cost or less.

    Those of other data or caps than most are not among them, and beat nobody.
    """
    best: float | None = None
    front = set()
    alike = [cell for cell in cells if "apart" not in cell.entry.marks]
    ordered = sorted(alike, key=lambda cell: (get(cell) or 0.0, -(cell.score.value or 0.0)))
    for cell in ordered:
        value = cell.score.value or 0.0
        if best is None or value > best:
            best = value
            front.add(cell.label)
    return front


def heat_svg(cells: Sequence[Cell]) -> tuple[str, list[str]]:
    """Regimes by tasks, a panel a model: the score as a number on its colour.

    The models are the first of the tables. Returns also what is not drawn.
    """
    import altair as alt

    every = list(dict.fromkeys(cell.model for cell in cells))
    left = len(every) - MOST_PANELS
    models = sorted(every[:MOST_PANELS])
    cells = [cell for cell in cells if cell.model in models]
    tasks = sorted({cell.task for cell in cells})
    scores = [_mark(cell)["score"] for cell in cells]
    low, high = min(scores), max(scores)
    steps = len(VIRIDIS) - 1
    stops = [low + (high - low or 1.0) * number / steps for number in range(steps + 1)]
    colours = alt.Scale(domain=stops, range=list(VIRIDIS), interpolate="rgb")
    tables: Tables = {}
    panels = []
    for model in models:
        mine = [_mark(cell) for cell in cells if cell.model == model]
        values = [one | {"ink": ink_on(viridis(one["score"], low, high))} for one in mine]
        base = alt.Chart(_named(tables, values)).encode(
            x=alt.X("task:N").scale(domain=tasks).axis(title=None, labelAngle=-40),
            y=alt.Y("regime:N").axis(title=None, labelLimit=NAME_WIDTH),
        )
        squares = base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("score:Q", scale=colours).legend(title="score"),
            description="label:N",
        )
        numbers = base.mark_text(fontSize=10, aria=False).encode(
            text=alt.Text("score:Q", format=".1f"), fill=alt.Fill("ink:N", scale=None)
        )
        size = {"width": alt.Step(SQUARE), "height": alt.Step(20)}
        title = alt.TitleParams(model, limit=TITLE_WIDTH)
        panels.append(alt.layer(squares, numbers).properties(title=title, **size))
    longest = max(len(cell.model) for cell in cells)
    wide = max(SQUARE * len(tasks) + _names_width(cells), min(TITLE_WIDTH, 7 * longest) + 20)
    grid = _grid(panels, max(1, (PAGE_WIDTH - LEGEND_WIDTH) // wide))
    svg = svg_of(grid.resolve_scale(color="shared"), tables)
    return svg, [f"{left:,} further models"] if left > 0 else []


def family_svg(cells: Sequence[Cell]) -> str:
    """Small multiples: a row a task, a column a family, regimes downwards, with their intervals."""
    import altair as alt

    families = families_of(cells)
    room = (PAGE_WIDTH - LEGEND_WIDTH) // len(families) - _names_width(cells)
    width = max(100, min(WIDTH, room))
    tables: Tables = {}
    rows = []
    for task in sorted({cell.task for cell in cells}):
        mine = [cell for cell in cells if cell.task == task]
        models = sorted({cell.model for cell in mine})
        ends = [value for cell in mine for value in _span(cell)]
        scale = alt.Scale(domain=[100 * min(ends), 100 * max(ends)], nice=True, zero=False)
        axis = alt.Axis(title=_metric(mine[0]), tickCount=5)
        colours = alt.Scale(domain=models, range=cycled(COLOURS, len(models)))
        shapes = alt.Scale(domain=models, range=cycled(SHAPES, len(models)))
        columns = []
        for family in families:
            values = [_mark(cell) for cell in mine if cell.family == family]
            base = alt.Chart(_named(tables, values)).encode(
                y=alt.Y("regime:N").axis(title=None, labelLimit=NAME_WIDTH),
                yOffset="model:N",
                color=alt.Color("model:N", scale=colours),
            )
            bars = base.mark_rule(aria=False).encode(
                x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
            )
            points = base.mark_point(filled=True, size=40, opacity=1).encode(
                x=alt.X("score:Q", scale=scale, axis=axis),
                shape=alt.Shape("model:N", scale=shapes),
                description="label:N",
            )
            height = alt.Step(11, **{"for": "offset"})
            panel = alt.layer(bars, points).properties(width=width, height=height, title=family)
            columns.append(panel)
        row = alt.hconcat(*columns, title=task)
        rows.append(row.resolve_scale(color="shared", shape="shared", yOffset="independent"))
    grid = alt.vconcat(*rows).resolve_scale(color="independent", shape="independent")
    return svg_of(grid, tables)


def _names_width(cells: Sequence[Cell]) -> int:
    """About what the names of the cells' regimes take beside a panel, with its margins."""
    return min(NAME_WIDTH, 6 * max(len(cell.regime) for cell in cells)) + 30


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


def _grid(panels: Sequence[alt.LayerChart | alt.FacetChart], across: int = 3) -> alt.VConcatChart:
    """Panels, so many a row."""
    import altair as alt

    rows = [alt.hconcat(*panels[at : at + across]) for at in range(0, len(panels), across)]
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
        "label": cell.label,
    }


def _span(cell: Cell) -> tuple[float, float]:
    """The interval; the score itself where it has none."""
    value = cell.score.value or 0.0
    low, high = cell.score.low, cell.score.high
    return (value if low is None else low, value if high is None else high)


def _metric(cell: Cell) -> str:
    headline = cell.entry.records[0].headline
    assert headline is not None
    return f"{METRIC_NAMES.get(headline.metric, headline.metric)} (%)"
