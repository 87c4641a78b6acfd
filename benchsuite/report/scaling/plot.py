"""The curves as one SVG: a row a panel, scores against tokens on the left, FLOPs on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.report.charts import COLOURS, SHAPES, cycled, require_charts, svg_of
from benchsuite.report.numbers import METRIC_NAMES, PLAIN_METRICS
from benchsuite.report.scaling.points import MEASURES, Checkpoint, Measure, Panel, Scaling

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 330, 190
DASH = 5
LEGEND_TITLE = ["model", "(dashed: untrained)"]
AXIS_TITLES: dict[Measure, str] = {
    "tokens": "tokens read (log scale)",
    "flops": "pretraining FLOPs (log scale)",
}
LABELS: dict[Measure, str] = {
    "tokens": "format(datum.value, '~s')",
    "flops": "replace(format(datum.value, '.0e'), 'e+', 'e')",
}


def to_svg(scaling: Scaling) -> str:
    """The plot as SVG, the same bytes for the same scaling.

    Raises InputError where the plotting libraries are not installed.
    """
    require_charts()
    import altair as alt

    names = sorted({one.series for one in scaling.checkpoints})
    rows = [
        alt.hconcat(
            *(
                _panel(panel, measure, scaling.checkpoints, names)
                for measure in MEASURES
                if _rows(panel, measure)
            ),
            title=panel.title,
        ).resolve_scale(y="shared")
        for panel in scaling.panels
    ]
    return svg_of(alt.vconcat(*rows))


def _rows(panel: Panel, measure: Measure) -> list[dict[str, Any]]:
    """The panel's points that have the measure, as the chart's data."""
    scale = _scale(panel)
    return [
        {
            "model": point.checkpoint.series,
            measure: spent,
            "score": point.score.value * scale,
            "low": None if point.score.low is None else point.score.low * scale,
            "high": None if point.score.high is None else point.score.high * scale,
        }
        for point in panel.points
        if (spent := point.checkpoint.spent(measure)) is not None
    ]


def _scale(panel: Panel) -> int:
    return 1 if panel.metric in PLAIN_METRICS else 100


def _spent(checkpoints: Sequence[Checkpoint], measure: Measure) -> list[float]:
    """What the checkpoints spent, where that is known."""
    return [spent for one in checkpoints if (spent := one.spent(measure)) is not None]


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from low to high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (float(digit * 10**power) for power in powers for digit in (1, 2, 5))
    return [tick for tick in ticks if low <= tick <= high]


def _panel(
    panel: Panel, measure: Measure, checkpoints: Sequence[Checkpoint], names: list[str]
) -> alt.LayerChart | alt.FacetChart:
    """One panel against one measure.

    checkpoints: of all panels, so that the axis across is the same everywhere. names: all series,
    so that their marks are.
    """
    import altair as alt

    legend = alt.Legend(title=LEGEND_TITLE)
    colours, shapes = cycled(COLOURS, len(names)), cycled(SHAPES, len(names))
    colour = alt.Color("model:N", legend=legend).scale(domain=names, range=colours)
    shape = alt.Shape("model:N", legend=legend).scale(domain=names, range=shapes)
    spent = _spent(checkpoints, measure)
    low, high = min(spent) / 1.25, max(spent) * 1.25
    across = (
        alt.X(f"{measure}:Q")
        .scale(type="log", domain=[low, high], nice=False)
        .axis(
            title=AXIS_TITLES[measure],
            values=_ticks(low, high),
            labelExpr=LABELS[measure],
            labelOverlap="greedy",
        )
    )
    unit = METRIC_NAMES.get(panel.metric, panel.metric) + (" (%)" if _scale(panel) == 100 else "")
    up = alt.Y("score:Q").scale(zero=False).axis(title=unit, tickCount=6)
    points = alt.Chart(alt.Data(values=_rows(panel, measure))).encode(x=across, y=up, color=colour)
    layers = [
        *_floors(panel, names, up, colour),
        points.mark_rule(opacity=0.6).encode(y=alt.Y("low:Q"), y2="high:Q"),
        points.mark_line(strokeWidth=1.5),
        points.mark_point(filled=True, opacity=1, size=55).encode(shape=shape),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def _floors(panel: Panel, names: list[str], up: alt.Y, colour: alt.Color) -> list[alt.Chart]:
    """Dashed lines at the untrained models; their dashes interleave, so that none hides another."""
    import altair as alt

    gap = DASH * max(len(names) - 1, 1)
    return [
        alt.Chart(
            alt.Data(values=[{"model": name, "score": panel.floors[name].value * _scale(panel)}])
        )
        .mark_rule(strokeDash=[DASH, gap], strokeDashOffset=-DASH * place)
        .encode(y=up, color=colour)
        for place, name in enumerate(names)
        if name in panel.floors
    ]
