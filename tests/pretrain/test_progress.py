"""Tests of how far a run is and of what the terminal is told about it."""

import pytest

from benchsuite.pretrain.progress import State, is_snapshot, progress_line
from benchsuite.pretrain.recipe import Budget


@pytest.mark.parametrize(
    ("budget", "shown"),
    [
        ({"tokens": 10_000}, "40.0%  loss 2.000  9 tokens/s  ETA 5 min"),
        ({"minutes": 200}, "ETA 95"),
    ],
)
def test_the_time_left_goes_by_the_pace_since_the_run_was_resumed(budget: dict, shown: str) -> None:
    slow = State(step=1, tokens=1_000, seconds=6_000.0)
    now = State(step=4, tokens=4_000, seconds=6_000.0 + 150)
    if "minutes" in budget:
        now.seconds = 105 * 60.0
    entry = {"step": 4, "loss": 2.0, "tokens_per_second": 9.0}
    assert shown in progress_line(entry, now, slow, Budget(**budget))


def test_a_step_that_ends_the_run_leaves_no_time() -> None:
    entry = {"step": 9, "loss": 2.0, "tokens_per_second": 9.0, "validation_loss": 3.0}
    over = State(step=9, tokens=1_100, seconds=10.0)
    line = progress_line(entry, over, State(), Budget(tokens=1_000))
    assert line.endswith("ETA 0 min  validation 3.000")


def test_snapshots_are_two_an_octave() -> None:
    assert [step for step in range(600) if is_snapshot(step)] == [64, 96, 128, 192, 256, 384, 512]
