"""The page's own pictures: what they show, what they leave out, and that it can be told apart."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchsuite import records
from benchsuite.records import Record
from benchsuite.report import table
from benchsuite.report.charts import COLOURS, INHERITED, SHAPES, cycled, drawable
from benchsuite.report.html import colours, plots
from benchsuite.report.html.cells import Cell, cells_of
from tests.made import made_record
from tests.report.html.made import cell_record
from tests.report.scaling.made import scored

NAMES = ["\x1b[31mred", "\uffff", "a\u2028b\u2029", "\x00\x9f", *INHERITED]


def cells(found: list[Record]) -> list[Cell]:
    return cells_of(table.build(found), [])


def test_what_cannot_be_drawn_becomes_a_space_wherever_it_stands() -> None:
    text = "a\x1bb\u2028c\uffffd\ud800e\x85f"
    assert drawable({"x": [{"y": text}, (text, 3, None)]}) == {
        "x": [{"y": "a b c d e f"}, ["a b c d e f", 3, None]]
    }
    assert drawable("é<&\u202e") == "é<& "


@pytest.mark.parametrize("name", INHERITED)
def test_what_every_object_of_javascript_has_is_told_from_a_name(name: str) -> None:
    assert drawable(name) != name and drawable(name).startswith(name)


@pytest.mark.parametrize("part", ["model", "regime", "family", "task", "metric"])
def test_hostile_names_are_drawn(tmp_path: Path, part: str) -> None:
    """In a process of its own: what they would break is not Python, and ends it."""
    for number, name in enumerate(NAMES):
        record = cell_record("gpt", f"lora:r={number}", 0.4 + number / 100, 10**number + 5)
        if part == "metric":
            assert record.headline is not None
            record.headline.metric, record.cell["task"] = name, f"glue/t{number}"
        elif part == "regime":
            record.cell |= {"regime": name, "regime_name": name}
        else:
            record.cell[part] = name
        records.write(tmp_path, record, None)
    command = [sys.executable, "-m", "benchsuite", "report", "--store", str(tmp_path)]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report" / "leaderboard.html").read_text(encoding="utf-8")
    heat = page.split('id="plot-heat"')[1].split("</figure>")[0]
    labels = re.findall(r'aria-label="[^"]*: [\d.]+ \[', heat)
    assert len(labels) == len(NAMES)


def test_tasks_and_rows_that_are_not_drawn_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [f"glue/t{number:02}" for number in range(22)]
    found = [cell_record(model, task=task) for model in ("gpt", "bert") for task in tasks]
    found += [cell_record("t5", task=task) for task in tasks[:20]]
    drawn, left_out = plots.drawn_cells(cells(found))
    assert len(drawn) == 60 and plots.MOST_TASKS == 20
    assert left_out == ["the tasks with the fewest scores (glue/t20, glue/t21)"]
    monkeypatch.setattr(plots, "MOST_MARKS", 45)
    drawn, left_out = plots.drawn_cells(cells(found))
    rows = {cell.row for cell in drawn}
    assert len(drawn) == 40 and len(rows) == 2
    assert left_out[1] == "1 of 3 rows, the last of the tables (20 scores)"


def test_each_table_keeps_its_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "MOST_MARKS", 4)
    found = [cell_record(m, task=t) for m in ("bert", "gpt", "t5") for t in ("glue/rte", "blimp")]
    drawn, _ = plots.drawn_cells(cells(found))
    assert {(cell.task, cell.row) for cell in drawn} == {
        *(("glue/rte", 0), ("glue/rte", 1), ("blimp", 0), ("blimp", 1))
    }


def test_scores_of_checkpoints_and_of_lm_eval_are_said_to_be_elsewhere() -> None:
    found = [cell_record("gpt"), scored("gpt@64", 0.5, 10), cell_record("gpt", task="lm-eval:x")]
    drawn, left_out = plots.drawn_cells(cells(found))
    assert len(drawn) == 1
    assert left_out == [
        "1 scores of lm-eval's tasks",
        "1 scores of checkpoints of a pretraining",
    ]


def test_a_cap_names_a_regime_only_where_there_are_several() -> None:
    found = [cell_record("gpt"), cell_record("gpt", "lora", train_limit=100)]
    found += [cell_record("gpt", "full", train_limit=100), cell_record("gpt", "full")]
    found.append(cell_record("bert", "full", train_limit=100))
    drawn, _ = plots.drawn_cells(cells(found))
    assert sorted((cell.model, cell.regime) for cell in drawn) == [
        ("bert", "full (100)"),  # beside gpt's of as many
        ("gpt", "full"),
        ("gpt", "full (100)"),
        ("gpt", "lora"),
        ("gpt", "zeroshot"),
    ]
    assert any(cell.label.startswith("gpt (100 training examples), lora, ") for cell in drawn)


def test_a_task_of_one_cost_is_named() -> None:
    found = [cell_record(model, "lora", trainable=7, task="glue/rte") for model in ("gpt", "bert")]
    found += [cell_record("gpt", "lora", trainable=n, task="blimp") for n in (7,)]
    svg, left_out = plots.cost_svg(cells(found), plots.TRAINABLE)
    assert svg is None and left_out == ["tasks of one cost alone (blimp, glue/rte)"]


def test_a_regime_looks_alike_in_every_plot() -> None:
    """LoRA's shape is its own, whether the probe has the cost that is drawn or not."""
    both = [cell_record("gpt", regime, trainable=n) for regime, n in (("lora", 7), ("probe", 99))]
    both += [cell_record("bert", "lora", trainable=50)]
    drawn = cells(both)
    shapes = []
    for lacking in (False, True):
        costs = [
            replace(one, trainable=None) if lacking and one.regime == "probe" else one
            for one in drawn
        ]
        svg, _ = plots.cost_svg(costs, plots.TRAINABLE)
        assert svg is not None
        assert ("probe</text>" in svg) is not lacking  # what is not drawn has no place in a legend
        [mark] = re.findall(r'<path aria-label="gpt, lora[^>]*', svg)
        shapes.append(re.sub(r"translate\([^)]*\)|aria-label=\"[^\"]*\"", "", mark))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1.0, 1e6, [1e1, 1e2, 1e3, 1e4, 1e5, 1e6]),
        (20.0, 70.0, [20.0, 50.0]),
        (6e8, 1.3e9, [6e8, 7e8, 8e8, 9e8, 1e9]),
        (30.1, 33.0, [30.1, 33.0]),
    ],
)
def test_two_values_of_an_axis_can_be_read(low: float, high: float, ticks: list[float]) -> None:
    assert plots._decades(low, high)[-len(ticks) :] == pytest.approx(ticks)


def contrast(one: str, other: str) -> float:
    high, low = sorted((colours.luminance(one), colours.luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_numbers_can_be_read_on_every_colour_of_the_heat_map() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    for step in range(1001):
        colour = colours.viridis(step / 10, 0, 100)
        assert contrast(colour, colours.ink_on(colour)) >= 4.5
    assert colours.viridis(7, 7, 7) == colours.VIRIDIS[0]
    assert colours.viridis(9, 1, 9) == colours.VIRIDIS[-1]


def test_squares_have_the_colours_that_the_numbers_were_chosen_for() -> None:
    values = [0.3, 0.42, 0.55, 0.61, 0.7, 0.93]
    found = [cell_record("gpt", f"lora:r={n}", value) for n, value in enumerate(values)]
    root = ElementTree.fromstring(plots.heat_svg(cells(found))[0])
    seen = {}
    for mark in root.iter():
        score = re.search(r": ([\d.]+) \[", mark.get("aria-label", ""))
        if score and mark.get("fill", "").startswith("rgb"):
            numbers = [int(number) for number in re.findall(r"\d+", mark.get("fill", ""))]
            seen[float(score[1])] = numbers
    assert sorted(seen) == pytest.approx([100 * value for value in values])
    for score, numbers in seen.items():
        expected = colours._channels(colours.viridis(score, 30, 93))
        assert numbers == pytest.approx(expected, abs=1)
    inks = {mark.text: mark.get("fill") for mark in root.iter() if mark.get("fill")}
    assert inks["30.0"] == "#ffffff" and inks["93.0"] == "#000000"


def width(svg: str) -> float:
    return float(ElementTree.fromstring(svg).get("width", "nan"))


@pytest.mark.parametrize("tasks", [2, 11, 20])
def test_the_heat_map_fits_a_window(tasks: int) -> None:
    found = [
        cell_record(f"model-{n}", regime, task=f"glue/t{at}")
        for n in range(5)
        for at in range(tasks)
        for regime in ("zeroshot", "probe:layer=every")
    ]
    assert 500 < width(plots.heat_svg(cells(found))[0]) <= 1200
    for cell in found:
        cell.cell["model"] += " with a long name" * 5
    assert 300 < width(plots.heat_svg(cells(found))[0]) <= 1200


def test_families_of_many_models_fit_and_no_two_look_alike() -> None:
    names = [f"model-{number:02}" for number in range(12)]
    found = [
        cell_record(name, family=("encoder", "decoder", "a", "b", "c")[number % 5])
        for number, name in enumerate(names)
    ]
    svg = plots.family_svg(cells(found))
    assert width(svg) <= 1200
    looks = {}
    for mark in ElementTree.fromstring(svg).iter():
        label = mark.get("aria-label", "")
        if re.match(r"model-\d\d, ", label):
            looks[label] = (mark.get("fill"), mark.get("d"))
    assert len(looks) == len(set(looks.values())) == len(names)


def test_colours_and_shapes_repeat_together_only_after_seventy() -> None:
    pairs = set(zip(cycled(COLOURS, 70), cycled(SHAPES, 70), strict=True))
    assert len(pairs) == 70


def test_what_is_apart_is_on_no_front() -> None:
    drawn = cells([made_record("a", value=0.6), made_record("b", value=0.9)])
    assert len(plots.pareto(drawn, lambda cell: 1.0)) == 1
    best = max(drawn, key=lambda cell: cell.score.value or 0.0)
    other = replace(best, entry=replace(best.entry, marks=("apart",)))
    rest = [cell for cell in drawn if cell is not best]
    (label,) = plots.pareto([*rest, other], lambda cell: 1.0)
    assert label.startswith("a, ")


def test_a_heat_map_of_many_models_shows_the_first_and_says_so() -> None:
    drawn = cells([made_record(f"m{number:02}", value=0.5) for number in range(30)])
    svg, left = plots.heat_svg(drawn)
    assert plots.MOST_PANELS == 24 and left == ["6 further models"]
    assert "m23" in svg and "m24" not in svg
    assert plots.heat_svg(drawn[:24])[1] == []
