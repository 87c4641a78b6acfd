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
from benchsuite.training import checkpoint
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
from benchsuite.training import checkpoint
checkpoint.INTERVAL = 0.0
model, tasks, store = sys.argv[1:4]
[record] = benchsuite.run(
    model, "full:lr=0.003+epochs=30+batch=2", "classification", tasks_dir=[Path(tasks)], store=store
)
print(record.status, record.reason)
"""


def test_a_killed_cell_gives_what_an_uninterrupted_one_gives(model: Model, tmp_path: Path) -> None:
    """kill -9 at a random moment, five times over; then the run is let to its end."""
    made_task(tmp_path / "task", "classification")
    command = [sys.executable, "-c", SCRIPT, model.name, str(tmp_path / "task")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    expected = tmp_path / "whole"
    subprocess.run([*command, str(expected)], check=True, env=environment, capture_output=True)
    store = tmp_path / "killed"
    generator = random.Random(0)
    kills = 0
    for _ in range(5):
        process = subprocess.Popen(
            [*command, str(store)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # From the moment it trains: a checkpoint is there.
        while process.poll() is None and not list(store.glob(f"*/{checkpoint.FILE}")):
            time.sleep(0.02)
        time.sleep(generator.uniform(0.0, 0.3))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
    assert kills >= 1
    subprocess.run([*command, str(store)], check=True, env=environment, capture_output=True)
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
