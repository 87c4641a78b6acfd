"""Progress of a run: the time that is left, and lines where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchsuite import console
from benchsuite.tasks.task import load_task
from tests.made import made_record
from tests.training.made import made_cell


class Clock:
    """A time that passes when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(console, "monotonic", found)
    return found


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    file = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=file, width=140, highlight=False))
    return file


CELL = made_cell(load_task("mini/sentiment"), "full", "")


def train(listener: console.ProgressListener, clock: Clock, steps: range, seconds: float) -> None:
    for step in steps:
        clock.now += seconds
        listener.step_done(CELL, step, steps.stop - 1, 0.5)


def left(listener: console.ProgressListener) -> float | None:
    return listener._progress.tasks[1].time_remaining


def test_each_training_has_a_pace_of_its_own(clock: Clock, lines: io.StringIO) -> None:
    listener = console.ProgressListener(1)
    train(listener, clock, range(1, 11), 1.0)
    assert left(listener) == 0
    # Another trial of as many steps, twice as slow, and one that is resumed at its fiftieth step.
    for step in range(1, 6):
        clock.now += 2.0
        listener.step_done(CELL, step, 10, 0.5)
    assert left(listener) == pytest.approx(5 * 2.0)
    listener.cell_started(CELL, 100)
    listener.cell_ended(CELL, made_record(), False)
    for step in (50, 51, 52):
        clock.now += 2.0
        listener.step_done(CELL, step, 100, 0.5)
    assert left(listener) == pytest.approx(48 * 2.0)


def test_a_file_gets_a_line_a_minute(clock: Clock, lines: io.StringIO) -> None:
    with console.ProgressListener(3) as listener:
        train(listener, clock, range(1, 201), 1.0)
        listener.cell_started(CELL, 100)
        clock.now += 61.0
        listener.examples_done(50)
    said = [line for line in lines.getvalue().splitlines() if line.startswith("cell ")]
    name = f"{CELL.model} {CELL.regime} mini/sentiment"
    assert said == [
        *(
            f"cell 1 of 3: {name} training, loss 0.500: {step} of 200, 0:0{left} left"
            for step, left in ((60, "2:20"), (120, "1:20"), (180, "0:20"))
        ),
        f"cell 1 of 3: {name}: 50 of 100",
    ]


def test_a_terminal_has_bars_alone(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=file, width=140, force_terminal=True))
    with console.ProgressListener(3) as listener:
        train(listener, clock, range(1, 201), 1.0)
    assert "cell 1 of 3" not in file.getvalue() and "200/200" in file.getvalue()
