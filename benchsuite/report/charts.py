"""What all pictures of this project share: colours, shapes, and the way to SVG."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from benchsuite.console import clean
from benchsuite.errors import InputError

if TYPE_CHECKING:
    import altair as alt

# Okabe and Ito's palette, which colour-blind readers can tell apart; a series has its shape, too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
CONFIG = {
    "axis": {"gridColor": "#e4e4e4", "labelFontSize": 11, "titleFontSize": 11},
    "title": {"fontSize": 12, "anchor": "start"},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "symbolSize": 90, "symbolOpacity": 1},
}
# Legends stand on the right. Texts are measured in Arial; browsers without it draw them up to a
# sixth wider.
PADDING = {"left": 5, "top": 5, "right": 45, "bottom": 5}
# As many as have no common divisor with the colours: the pairs of both repeat after seventy.
SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left"),
    *("triangle-right", "wedge", "arrow"),
)
# Every object of JavaScript has these, so that Vega takes them for what it has looked up.
INHERITED = (
    *("constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"),
    *("toString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"),
    *("__lookupGetter__", "__lookupSetter__"),
)
STYLED = {"role-mark", "role-axis-grid", "role-axis-domain", "role-axis-tick"}
"""Classes that the page's style sheet names."""
GEOMETRY = {"transform", "d", "x", "y", "x1", "y1", "x2", "y2", "width", "height"}
"""Attributes in pixels."""
ElementTree.register_namespace("", "http://www.w3.org/2000/svg")


def require_charts() -> None:
    """Raise InputError where the plotting libraries are not installed."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError:
        raise InputError(
            "plots need altair and vl-convert: pip install 'benchsuite[report]'"
        ) from None


def cycled(marks: Sequence[str], n: int) -> list[str]:
    """The first n of marks, which begin anew where there are not so many."""
    return [marks[number % len(marks)] for number in range(n)]


def drawable(value: Any) -> Any:
    """A chart's specification with all its texts such as can be drawn, and mean nothing else."""
    if isinstance(value, str):
        text = clean(value)
        return f"{text}\u200b" if text in INHERITED else text
    if isinstance(value, Mapping):
        return {key: drawable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [drawable(one) for one in value]
    return value


def svg_of(
    chart: alt.VConcatChart | alt.HConcatChart,
    data: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> str:
    """A chart as SVG, the same bytes for the same chart.

    data: rows of the chart's named data, by name: altair walks through all that it is given.
    """
    import vl_convert

    specification = chart.to_dict(validate=False)
    specification["padding"] = PADDING
    specification["config"] |= CONFIG  # altair would copy the whole chart for each part of it
    if data is not None:
        specification["datasets"] = data
    return _lean(str(vl_convert.vegalite_to_svg(drawable(specification))))


def _lean(svg: str) -> str:
    """The same picture in four fifths of the bytes: a page holds many.

    Without what is not drawn, what nothing reads (roles of groups that have no label, classes that
    no style is for), opacities of 1, and decimals beyond a hundredth of a pixel.
    """
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in [one for one in parent if _is_invisible(one)]:
            parent.remove(child)
        unread = ["pointer-events"]
        if parent.tag.endswith("}g") and parent.get("aria-label") is None:
            unread += ["role", "aria-roledescription"]
        for name in unread:
            parent.attrib.pop(name, None)
        styled = STYLED.intersection(parent.attrib.pop("class", "").split())
        if styled:
            parent.set("class", " ".join(sorted(styled)))
        for name in ("opacity", "fill-opacity", "stroke-opacity"):
            if parent.get(name) == "1":
                del parent.attrib[name]
        for name in GEOMETRY.intersection(parent.keys()):
            parent.set(name, re.sub(r"\d+\.\d{3,}", _hundredths, parent.attrib[name]))
    return ElementTree.tostring(root, encoding="unicode")


def _is_invisible(path: Element) -> bool:
    """Whether a shape has neither surface nor line, as most backgrounds of groups have none."""
    painted = path.get("fill") or path.get("stroke")
    return path.tag.endswith("}path") and (path.get("display") == "none" or not painted)


def _hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
