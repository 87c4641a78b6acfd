"""Pictures are stored with what is drawn, and no more."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchsuite.report.charts import _lean

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50">
<g class="mark-group role-mark" role="graphics-object" transform="translate(1.23456,2)">
<path class="background" d="M0,0h9v9h-9Z" opacity="1"/>
<path class="background" d="M0,0h9v9h-9Z" fill="#eee"/>
<path class="foreground" d="" display="none" stroke="#000"/>
<path role="graphics-symbol" aria-label="a, 0.12345 &lt;b&gt;" stroke="#000" opacity="0.5"
  d="M0.5,0.12345h-9.999"/>
<text x="1.0049">opacity="1" 0.12345</text></g></svg>"""


def test_what_is_not_drawn_is_left_out() -> None:
    lean = _lean(SVG)
    root = ElementTree.fromstring(lean)
    group = root[0]
    assert [one.get("fill") or one.get("stroke") for one in group] == ["#eee", "#000", None]
    assert group.attrib == {"class": "role-mark", "transform": "translate(1.23,2)"}
    assert group[1].attrib == {
        "role": "graphics-symbol",
        "aria-label": "a, 0.12345 <b>",
        "d": "M0.5,0.12h-10",
        "stroke": "#000",
        "opacity": "0.5",
    }
    assert (group[2].text, group[2].get("x")) == ('opacity="1" 0.12345', "1")
    assert lean.startswith('<svg xmlns="http://www.w3.org/2000/svg"') and len(lean) < len(SVG)


@pytest.mark.parametrize("number", ["0.0", "10.25", "1.5e-7"])
def test_short_numbers_stay(number: str) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{number}" />'
    assert _lean(svg) == svg
