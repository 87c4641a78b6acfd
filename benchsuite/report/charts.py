"""What all pictures of this project share: colours, shapes, and the way to SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.errors import InputError

if TYPE_CHECKING:
    import altair as alt

# Okabe and Ito's palette, which colour-blind readers can tell apart; a series has its shape, too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke")


def require_charts() -> None:
    """Raise InputError where the plotting libraries are not installed."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError:
        raise InputError(
            "plots need altair and vl-convert: pip install 'benchsuite[report]'"
        ) from None


def svg_of(
    chart: alt.VConcatChart | alt.HConcatChart,
    data: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> str:
    """A chart as SVG, the same bytes for the same chart.

    data: rows of the chart's named data, by name: altair walks through all that it is given.
    """
    import vl_convert

    styled = (
        chart.configure_axis(gridColor="#e4e4e4", labelFontSize=11, titleFontSize=11)
        .configure_title(fontSize=12, anchor="start")
        .configure_legend(labelFontSize=12, titleFontSize=12, symbolSize=90)
    )
    specification = styled.to_dict(validate=False)
    if data is not None:
        specification["datasets"] = data
    return str(vl_convert.vegalite_to_svg(specification))
