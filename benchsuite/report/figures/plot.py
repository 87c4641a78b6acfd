"""The figures as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.report.charts import COLOURS, SHAPES, cycled, require_charts, svg_of
from benchsuite.report.figures.points import BAG, Forgotten, Point
from benchsuite.report.numbers import METRIC_NAMES

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 250, 190


def sizes_svg(points: Sequence[Point]) -> str:
    """A row a task, a column a regime: score against training examples, on a log scale."""
    require_charts()
    import altair as alt

    names = _names(points)
    rows = []
    for task in dict.fromkeys(point.task for point in points):
        mine = [point for point in points if point.task == task]
        bags = [point for point in mine if point.series == BAG]
        regimes = sorted({point.regime for point in mine if point.series != BAG})
        columns = [
            _panel(
                [*(point for point in mine if point.regime == regime), *bags],
                names,
                alt.X("at:Q")
                .scale(type="log", domain=_wider(mine), nice=False)
                .axis(
                    title="training examples (log scale)",
                    values=sorted({point.at for point in mine}),
                    labelExpr="format(datum.value, '~s')",
                ),
            ).properties(title=regime)
            for regime in regimes
        ]
        rows.append(alt.hconcat(*columns, title=task).resolve_scale(y="shared"))
    return svg_of(alt.vconcat(*rows))


def depth_svg(points: Sequence[Point]) -> str:
    """A column a task and way of training: score against the share of blocks that is frozen."""
    require_charts()
    import altair as alt

    names = _names(points)
    columns = [
        _panel(
            [point for point in points if (point.task, point.regime) == place],
            names,
            alt.X("at:Q")
            .scale(domain=[0, 1])
            .axis(
                title="blocks that are frozen (%)",
                values=sorted({point.at for point in points}),
                format="~%",  # of what a mark says of itself
                labelExpr="format(100 * datum.value, '.0f')",
            ),
        ).properties(title=f"{place[0]}, {place[1]}")
        for place in dict.fromkeys((point.task, point.regime) for point in points)
    ]
    return svg_of(alt.hconcat(*columns))


def forgotten_svg(rows: Sequence[Forgotten]) -> str:
    """Change of the language model's score, and of its loss, against how far the weights moved."""
    require_charts()
    import altair as alt

    models = sorted({row.model for row in rows})
    regimes = sorted({row.regime for row in rows})
    values = [
        {
            "model": row.model,
            "regime": row.regime,
            "distance": row.distance,
            "score": 100 * (row.score - row.before),
            "loss": row.loss_gained,
        }
        for row in rows
    ]
    asked = ", ".join(sorted({row.asked for row in rows}))
    panels = []
    for field, title in (
        ("score", f"change on {asked} (points)"),
        ("loss", "change of held-out loss (nats)"),
    ):
        known = [value for value in values if value[field] is not None]
        if not known:
            continue
        moved = [row.distance for row in rows]
        across = (
            alt.X("distance:Q")
            .scale(type="log", domain=[min(moved) / 1.5, max(moved) * 1.5], nice=False)
            .axis(title="distance moved (log scale)", tickCount=4, labelOverlap="greedy")
        )
        marks = alt.Chart(alt.Data(values=known)).encode(
            x=across,
            y=alt.Y(f"{field}:Q").axis(title=title),
            color=alt.Color("model:N").scale(domain=models, range=cycled(COLOURS, len(models))),
            shape=alt.Shape("regime:N")
            .scale(domain=regimes, range=cycled(SHAPES, len(regimes)))
            .legend(labelLimit=0),
        )
        zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeDash=[4, 4])
        layers = alt.layer(zero.encode(y="zero:Q"), marks.mark_point(filled=True, size=70))
        panels.append(layers.properties(width=WIDTH, height=HEIGHT))
    return svg_of(alt.hconcat(*panels))


def _wider(points: Sequence[Point]) -> list[float]:
    """The places of points on a log scale, with room for the first and last mark."""
    places = [point.at for point in points]
    return [min(places) / 1.15, max(places) * 1.15]


def _names(points: Sequence[Point]) -> list[str]:
    """The series, models by name, the bag of words last."""
    names = sorted({point.series for point in points} - {BAG})
    return [*names, BAG] if any(point.series == BAG for point in points) else names


def _panel(
    points: Sequence[Point], names: list[str], across: alt.X
) -> alt.LayerChart | alt.FacetChart:
    """Curves with their intervals, one a series; dashed those of untrained models."""
    import altair as alt

    rows: list[dict[str, Any]] = [
        {
            "model": point.series,
            "weights": "untrained" if point.untrained else "pretrained",
            "at": point.at,
            "score": 100 * point.score.value,
            "low": None if point.score.low is None else 100 * point.score.low,
            "high": None if point.score.high is None else 100 * point.score.high,
        }
        for point in points
        if point.score.value is not None
    ]
    metric = points[0].metric
    colours = cycled(COLOURS, len(names))
    if BAG in names:
        colours[-1] = "#000000"
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=across,
        y=alt.Y("score:Q")
        .scale(zero=False)
        .axis(title=f"{METRIC_NAMES.get(metric, metric)} (%)", tickCount=6),
        color=alt.Color("model:N").scale(domain=names, range=colours),
    )
    dash = alt.StrokeDash("weights:N").scale(
        domain=["pretrained", "untrained"], range=[[1, 0], [4, 4]]
    )
    return alt.layer(
        base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=1.5).encode(strokeDash=dash),
        base.mark_point(filled=True, opacity=1, size=45).encode(
            shape=alt.Shape("model:N").scale(domain=names, range=cycled(SHAPES, len(names)))
        ),
    ).properties(width=WIDTH, height=HEIGHT)
