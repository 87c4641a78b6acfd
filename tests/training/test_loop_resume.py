"""The loop, stopped or killed: resumed, it ends as if it had run through."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchsuite.models.registry import Model
from benchsuite.training import checkpoint, loop
from benchsuite.training.loop import Progress
from tests.training.made import made_task
from tests.training.runs import parts, plan, run, trainer


@pytest.mark.parametrize("step", [1, 5, 8, 11])
def test_a_run_goes_on_where_it_was_stopped(
    step: int, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after a step (in an epoch, at its end), it ends with the same weights."""
    task = made_task(tmp_path / "task", "classification")
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    whole, items, _ = parts(model, task)
    settings = {"plan": plan(keep_best=True), "select": lambda: (float(torch.rand(())), 0.0)}
    expected = trainer(whole, items, tmp_path / "whole", **settings).run()

    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step > step:
            raise Stop

    scratch = tmp_path / "stopped"
    other, _, _ = parts(model, task)
    with pytest.raises(Stop):
        trainer(other, items, scratch, told=stop, **settings).run()
    again, _, _ = parts(model, task)
    heard: list[int] = []
    found = trainer(
        again, items, scratch, told=lambda progress: heard.append(progress.step), **settings
    ).run()
    assert heard[0] == step + 1
    assert (found.steps, found.epoch) == (expected.steps, expected.epoch)
    assert found.losses == expected.losses and found.scores == expected.scores
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_a_checkpoint_is_written_every_two_minutes(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    written: list[float] = []
    monkeypatch.setattr(loop.time, "monotonic", lambda: now)
    monkeypatch.setattr(checkpoint, "save", lambda scratch, content: written.append(now))

    def pass_a_step(progress: Progress) -> None:
        nonlocal now
        now += 50.0

    network, items, _ = parts(model, made_task(tmp_path / "task", "classification"))
    found = trainer(network, items, tmp_path, told=pass_a_step).run()
    # After every third step of 50 seconds, and at the end, for the evaluation can take long.
    expected = [150.0 * n for n in range(1, found.steps // 3 + 1)]
    assert len(expected) >= 3 and written == [*expected, now]


def test_a_checkpoint_that_cannot_be_written_ends_nothing(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    (tmp_path / "file").touch()
    network, items, _ = parts(model, made_task(tmp_path / "task", "classification"))
    with pytest.warns(UserWarning, match="no checkpoint in .*Not a directory.*training goes on"):
        found = trainer(network, items, tmp_path / "file" / "scratch").run()
    assert found.steps == trainer(network, items, tmp_path / "well").run().steps


def test_what_a_kill_left_half_written_goes_with_the_checkpoint(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, {"run": "it"})
    (tmp_path / f".{checkpoint.FILE}.x1y2.tmp").touch()
    (tmp_path / "record.json").touch()
    checkpoint.remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_patience_goes_on_where_it_was(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after one epoch without a better one, it waits for one more, not for two."""
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    task = made_task(tmp_path / "task", "classification")
    scores = [0.9, 0.5, 0.4, 0.3, 0.2, 0.1]
    settings = {"plan": plan(keep_best=True, epochs=6, patience=2, warmup=0.0)}

    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.epoch == 3:
            raise Stop

    whole, items, _ = parts(model, task)
    given = iter(scores)
    with pytest.raises(Stop):
        trainer(
            whole, items, tmp_path / "s", told=stop, select=lambda: (next(given), 0.0), **settings
        ).run()
    again, _, _ = parts(model, task)
    rest = iter(scores[2:])
    found = trainer(
        again, items, tmp_path / "s", select=lambda: (next(rest), 0.0), **settings
    ).run()
    assert found.scores == scores[:3] and found.epoch == 1
    assert 0 < found.earlier < found.seconds


def test_scoring_an_epoch_counts_as_time_between_checkpoints(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A selection slice that takes an interval is not scored again by a run that goes on."""
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.5)
    whole, items, _ = parts(model, made_task(tmp_path / "task", "classification"))

    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise Stop

    def slow() -> tuple[float, float]:
        time.sleep(0.6)
        return 0.5, 0.0

    with pytest.raises(Stop):
        trainer(
            whole, items, tmp_path / "s", plan=plan(keep_best=True), told=stop, select=slow
        ).run()
    content = checkpoint.load(tmp_path / "s", "a run")
    assert content is not None and content["state"][:2] == [1, 0]


def test_a_checkpoint_with_any_byte_changed_is_left_aside(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, {"run": "a run", "weights": {"w": torch.ones(50)}})
    content = (tmp_path / checkpoint.FILE).read_bytes()
    assert checkpoint.load(tmp_path, "a run") is not None
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 0x10
        (tmp_path / checkpoint.FILE).write_bytes(bytes(changed))
        assert checkpoint.load(tmp_path, "a run") is None, place


def test_another_run_s_checkpoint_and_a_damaged_one_are_left_aside(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    task = made_task(tmp_path / "task", "classification")
    first, whole = run(model, task, tmp_path / "scratch")
    assert (tmp_path / "scratch" / checkpoint.FILE).exists()
    other, again = run(model, task, tmp_path / "scratch", run="another")
    assert other.losses == first.losses and other.steps == first.steps
    content = (tmp_path / "scratch" / checkpoint.FILE).read_bytes()
    (tmp_path / "scratch" / checkpoint.FILE).write_bytes(content[: len(content) // 2])
    third, _ = run(model, task, tmp_path / "scratch", run="another")
    assert third.losses == first.losses
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


SCRIPT = """
import sys
from pathlib import Path
import benchsuite
from benchsuite.training import checkpoint, loop
checkpoint.INTERVAL = 0.0
model, tasks, store, steps = sys.argv[1:5]
step = loop.Trainer._step
def told(self, numbers):
    step(self, numbers)
    with open(steps, "a") as file:
        print(self.state.outcome.steps, file=file)
loop.Trainer._step = told
[record] = benchsuite.run(
    model, "full:lr=0.003+epochs=40+batch=2", "classification", tasks_dir=[Path(tasks)], store=store
)
print(record.status, record.reason)
"""


def test_a_killed_cell_gives_what_an_uninterrupted_one_gives(model: Model, tmp_path: Path) -> None:
    """kill -9 at a random moment of its training, five times over; then it is let to its end.

    A checkpoint follows every step here, so that none but the last one may be made again.
    """
    made_task(tmp_path / "task", "classification")
    command = [sys.executable, "-c", SCRIPT, model.name, str(tmp_path / "task")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    expected = tmp_path / "whole"
    log = tmp_path / "steps"
    subprocess.run(
        [*command, str(expected), str(log)], check=True, env=environment, capture_output=True
    )
    steps = [int(line) for line in log.read_text().split()]
    assert steps == [*range(1, len(steps) + 1)]
    store = tmp_path / "killed"
    generator = random.Random(0)
    last = 0
    for kill in range(5):
        log = tmp_path / f"steps-{kill}"
        process = subprocess.Popen(
            [*command, str(store), str(log)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # From the moment it trains.
        while process.poll() is None and not log.exists():
            time.sleep(0.01)
        time.sleep(generator.uniform(0.0, 0.2))
        assert process.poll() is None, "it ended before it was killed"
        process.kill()
        process.wait()
        made = [int(line) for line in log.read_text().split()]
        assert made[0] in (last, last + 1) or kill == 0
        last = made[-1]
    subprocess.run(
        [*command, str(store), str(tmp_path / "rest")],
        check=True,
        env=environment,
        capture_output=True,
    )
    assert int((tmp_path / "rest").read_text().split()[0]) in (last, last + 1)
    [one], [other] = (list(path.glob("*/record.json")) for path in (expected, store))
    first, second = (json.loads(path.read_text()) for path in (one, other))
    assert first["status"] == "done" and first["cell"]["key"] == second["cell"]["key"]
    assert first["results"] == second["results"] and first["headline"] == second["headline"]
    for name in ("selection", "loss", "steps", "epoch", "training_tokens"):
        assert first["provenance"]["chosen"][""][name] == second["provenance"]["chosen"][""][name]
    assert (one.parent / "outcomes.parquet").read_bytes() == (
        other.parent / "outcomes.parquet"
    ).read_bytes()
    assert not list(store.glob(f"*/{checkpoint.FILE}"))
    # What the killed processes had spent is part of what it cost.
    assert second["cost"]["fit_s"] >= second["provenance"]["chosen"][""]["training_s"]
