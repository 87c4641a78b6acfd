"""The picture: as many marks as the records give, with their values; the same bytes each time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.report.scaling import collect
from benchsuite.report.scaling.plot import to_svg
from tests.report.scaling.made import scored

TRIO = [
    scored("gpt:untrained", 0.49),
    scored("gpt@64", 0.52, 1_000_000, 4e13),
    scored("gpt", 0.64, 8_000_000, 3.2e14),
    scored("t5:untrained", 0.50),
    scored("t5@64", 0.51, 1_000_000, 2e13),
    scored("t5", 0.55, 8_000_000),
    scored("gpt", 0.10, 8_000_000, 3.2e14, task="glue/cola"),
]


def marks(svg: str, role: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg)
    return [one for one in root.iter() if one.get("aria-roledescription") == role]


def values(svg: str, role: str) -> list[dict[str, str]]:
    """What the labels of the marks say, in the order of the picture."""
    labels = (one.get("aria-label", "") for one in marks(svg, role))
    return [dict(part.split(": ", 1) for part in label.split("; ")) for label in labels]


def test_every_record_is_a_point_with_its_values() -> None:
    points = values(to_svg(collect(TRIO)), "point")
    assert [(p["model"], p["tokens"], p["score"]) for p in points if "tokens" in p] == [
        ("gpt", "1000000", "52"),
        ("gpt", "8000000", "64"),
        ("t5", "1000000", "51"),
        ("t5", "8000000", "55"),
        ("gpt", "8000000", "10"),
    ]
    assert [(p["model"], float(p["flops"]), p["score"]) for p in points if "flops" in p] == [
        ("gpt", 4e13, "52"),
        ("gpt", 3.2e14, "64"),
        ("t5", 2e13, "51"),
        ("gpt", 3.2e14, "10"),
    ]


def test_points_stand_where_their_logarithms_do() -> None:
    """Equal factors of tokens are equal distances."""
    found = [scored(f"gpt@{step}", 0.5, step * 10**6) for step in (1, 2, 4, 16)]
    shifts = [one.get("transform", "") for one in marks(to_svg(collect(found)), "point")]
    first, second, third, fourth = (float(re.findall(r"[\d.]+", one)[0]) for one in shifts)
    assert second - first == pytest.approx(third - second) == pytest.approx((fourth - third) / 2)


def test_untrained_models_are_dashed_lines_and_intervals_bars() -> None:
    svg = to_svg(collect([*TRIO, scored("hf:x/y:untrained", 0.4)]))  # the last has no curve
    dashed = [one for one in marks(svg, "rule mark") if one.get("stroke-dasharray")]
    # two models, against tokens and against FLOPs; glue/cola has none
    assert [one.get("aria-label") for one in dashed] == [
        "score: 49; model: gpt",
        "score: 50; model: t5",
    ] * 2
    bars = [label for label in values(svg, "rule mark") if "low" in label]
    assert len(bars) == len(marks(svg, "point"))
    assert {(bar["low"], bar["high"]) for bar in bars} == {("50", "70")}


def test_untrained_models_of_one_score_are_both_seen() -> None:
    """Dashes of 5 in steps of 10: the second line's lie in the first one's gaps."""
    found = [scored("gpt:untrained", 0.5), scored("t5:untrained", 0.5), *TRIO[1:3], *TRIO[4:6]]
    lines = [
        one for one in marks(to_svg(collect(found)), "rule mark") if "5,5" in one.attrib.values()
    ]
    assert [one.get("stroke-dashoffset", "0") for one in lines] == ["0", "-5"] * 2


def test_families_differ_in_colour_and_shape_the_same_in_every_panel() -> None:
    svg = to_svg(collect(TRIO))
    looks = {
        name: {
            (mark.get("fill"), mark.get("d"))
            for mark, said in zip(marks(svg, "point"), values(svg, "point"), strict=True)
            if said["model"] == name
        }
        for name in ("gpt", "t5")
    }
    assert all(len(found) == 1 for found in looks.values())
    [(fill, path)], [(other_fill, other_path)] = looks["gpt"], looks["t5"]
    assert fill != other_fill and path != other_path


def test_the_same_records_are_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    here = to_svg(collect(TRIO))
    assert to_svg(collect(TRIO)) == here == to_svg(collect(TRIO[::-1]))
    for record in TRIO:
        records.write(tmp_path, record, None)
    command = [sys.executable, "-m", "benchsuite.report.scaling", "--store", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "report" / "scaling.svg").read_text() == here


def test_hostile_names_are_text() -> None:
    name = "./<script>alert(1)</script>&\"'"
    svg = to_svg(collect([scored(f"{name}@1", 0.5, 1, task="a]]><b>"), scored(name, 0.6, 2)]))
    root = ElementTree.fromstring(svg)
    assert not [one for one in root.iter() if one.tag.endswith(("script", "}b"))]
    texts = {one.text for one in root.iter() if one.tag.endswith("text")}
    assert {name, "a]]><b>, accuracy, n = 100"} <= texts


def test_a_missing_library_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(InputError, match=r"pip install 'benchsuite\[report\]'"):
        to_svg(collect(TRIO))
