"""Every plot in a real browser: as many marks as the records give, where their values are."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchsuite.records import Record
from tests.report.html.made import FAMILIES, PLOTTED, PROFILES, SIZES, row_name

READ = """(plot) => {
  const groups = [];
  return [...document.querySelectorAll(`#plot-${plot} [role=graphics-symbol]`)].map((mark) => {
    if (!groups.includes(mark.parentNode)) groups.push(mark.parentNode);
    return [
      groups.indexOf(mark.parentNode), mark.getAttribute("aria-label"),
      mark.getAttribute("transform") || "", mark.getAttribute("aria-roledescription"),
    ];
  });
}"""


@dataclass(frozen=True)
class Mark:
    """A mark of a picture; panel: a number for those that stand together."""

    panel: int
    label: str
    x: float
    y: float


@pytest.fixture(scope="module")
def page(browser: Any, plotted: Path) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    opened = context.new_page()
    opened.goto(plotted.as_uri())
    opened.wait_for_selector("html[data-ready=yes]")
    yield opened
    context.close()


def read(page: Any, plot: str, role: str = "") -> list[Mark]:
    """The marks of a plot that have a label; role: of that kind alone."""
    found = []
    for panel, label, transform, kind in page.evaluate(READ, plot):
        if label and role in (kind or ""):
            x, y = ([float(n) for n in re.findall(r"-?[\d.]+", transform)] + [0.0, 0.0])[:2]
            found.append(Mark(panel, label, x, y))
    return found


def flat() -> list[Record]:
    """The records of the tables' own plots: all but those of checkpoints."""
    return [record for record in PLOTTED if "@" not in record.cell["model"]]


def score(record: Record) -> float:
    assert record.headline is not None and record.headline.value is not None
    return 100 * record.headline.value


def named(record: Record) -> str:
    return f"{row_name(record)}, {record.cell['regime']}, {record.cell['task']}"


def name_and_score(label: str) -> tuple[str, float]:
    """`bert, full, glue/sst2: 60.0 [57.0, 64.0]`."""
    found = re.fullmatch(r"(.+): ([\d.]+) \[[\d.]+, [\d.]+\]", label)
    assert found is not None, label
    return found[1], float(found[2])


def fields(label: str) -> dict[str, str]:
    """`at: 100; score: 60; model: bert`."""
    return dict(part.split(": ", 1) for part in label.split("; "))


def assert_in_place(
    marks: list[Mark], across: Callable[[Mark], float], up: Callable[[Mark], float]
) -> None:
    """In each panel positions are straight functions of what the marks show, rising and upwards."""
    panels: dict[int, list[Mark]] = defaultdict(list)
    for mark in marks:
        panels[mark.panel].append(mark)
    for mine in panels.values():
        assert len(mine) >= 3
        for place, value, sign in (
            ([mark.x for mark in mine], [across(mark) for mark in mine], 1),
            ([mark.y for mark in mine], [up(mark) for mark in mine], -1),
        ):
            slope, start = np.polyfit(value, place, 1)
            assert sign * slope > 0
            assert place == pytest.approx([start + slope * one for one in value], abs=0.5)


def latencies() -> dict[tuple[str, str], float]:
    return {
        (one.cell["model"], one.cell["regime"]): sorted(one.inference.latency_s)[1]
        for one in PROFILES
        if one.inference is not None
    }


def flops() -> dict[tuple[str, str], float]:
    return {
        (one.cell["model"], one.cell["regime"]): one.inference.flops_per_example
        for one in PROFILES
        if one.inference is not None
    }


@pytest.mark.parametrize("plot", ["trainable", "flops", "latency"])
def test_scores_stand_at_their_costs(page: Any, plot: str) -> None:
    costs = {"flops": flops(), "latency": latencies()}.get(plot)
    known = {}
    for record in flat():
        place = record.cell["model"], record.cell["regime"]
        if costs is None:
            known[named(record)] = score(record), max(record.cost["parameters_trainable"], 1)
        elif place in costs:
            known[named(record)] = score(record), costs[place]
    marks = read(page, plot, "point")
    assert len(marks) == len(known) >= len(FAMILIES) * 3
    for mark in marks:
        name, shown = name_and_score(mark.label)
        assert shown == pytest.approx(known[name][0], abs=0.051)
    of = {mark: known[name_and_score(mark.label)[0]] for mark in marks}
    assert_in_place(marks, lambda mark: math.log(of[mark][1]), lambda mark: of[mark][0])


@pytest.mark.parametrize("plot", ["heat", "families"])
def test_every_score_has_one_mark(page: Any, plot: str) -> None:
    known = {named(record): score(record) for record in flat()}
    marks = [mark for mark in read(page, plot) if re.match(r".+, .+, glue/", mark.label)]
    assert len(marks) == len(known)
    for mark in marks:
        name, shown = name_and_score(mark.label)
        assert shown == pytest.approx(known[name], abs=0.051)


def test_points_by_family_stand_at_their_scores(page: Any) -> None:
    marks = [mark for mark in read(page, "families", "point") if ", glue/" in mark.label]
    shown = {mark: name_and_score(mark.label)[1] for mark in marks}
    panels = {mark.panel for mark in marks}
    assert len(panels) == len(FAMILIES)
    for panel in panels:
        mine = [mark for mark in marks if mark.panel == panel]
        values = [shown[mark] for mark in mine]
        slope, start = np.polyfit(values, [mark.x for mark in mine], 1)
        assert slope > 0
        for mark in mine:  # labels round to a tenth
            assert mark.x == pytest.approx(start + slope * shown[mark], abs=0.1 * slope + 0.5)


def test_depths_stand_at_their_shares(page: Any) -> None:
    known = {
        (record.cell["model"], record.cell["options"]["k"]): score(record)
        for record in PLOTTED
        if record.cell["regime_name"] == "frozen"
    }
    marks = read(page, "depth", "point")
    of = {mark: fields(mark.label) for mark in marks}
    share = {mark: float(said["at"].rstrip("%")) / 100 for mark, said in of.items()}
    found = {(of[mark]["model"], share[mark]): float(of[mark]["score"]) for mark in marks}
    assert len(marks) == len(known) and found == pytest.approx(known)
    assert_in_place(marks, share.__getitem__, lambda mark: float(of[mark]["score"]))


def test_sizes_stand_at_their_logarithms(page: Any) -> None:
    known = {
        (record.cell["model"], SIZES[record.cell["train_limit"]]): score(record)
        for record in PLOTTED
        if record.cell["regime_name"] == "full"
    }
    marks = read(page, "sizes", "point")
    of = {mark: fields(mark.label) for mark in marks}
    found = {(one["model"], float(one["at"])): float(one["score"]) for one in of.values()}
    assert len(marks) == len(known) and found == pytest.approx(known)
    assert_in_place(marks, lambda m: math.log(float(of[m]["at"])), lambda m: float(of[m]["score"]))


@pytest.mark.parametrize("measure", ["tokens", "flops"])
def test_checkpoints_stand_at_the_logarithms_of_what_they_spent(page: Any, measure: str) -> None:
    known = sorted(
        (record.cell["model"].partition("@")[0], spent[measure], score(record))
        for record in PLOTTED
        if (spent := record.provenance.get("pretraining"))
    )
    of = {mark: fields(mark.label) for mark in read(page, "scaling", "point")}
    marks = [mark for mark, said in of.items() if measure in said]
    assert len(marks) == len(known) == len(of) / 2
    found = sorted((s["model"], float(s[measure]), float(s["score"])) for s in map(of.get, marks))
    for mine, theirs in zip(found, known, strict=True):
        assert mine == (theirs[0], pytest.approx(theirs[1]), pytest.approx(theirs[2]))
    assert_in_place(
        marks, lambda m: math.log(float(of[m][measure])), lambda m: float(of[m]["score"])
    )
