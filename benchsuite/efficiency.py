"""`bench profile`: measures cells one after the other, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import benchsuite
from benchsuite import profiles, provenance
from benchsuite.cells import Cell, digest
from benchsuite.errors import DataUnavailable, InputError, NotApplicable
from benchsuite.models.registry import resolve_model
from benchsuite.profiles import Profile
from benchsuite.provenance import MOST_BUSY
from benchsuite.tasks.task import Task

EXAMPLES = 64
REPEATS = 5


def profile_cells(
    cells: Sequence[Cell],
    tasks: dict[str, Task],
    store: Path,
    *,
    examples: int = EXAMPLES,
    repeats: int = REPEATS,
    tasks_dir: Sequence[Path] = (),
    force: bool = False,
    allow_busy: bool = False,
    told: Callable[[Profile, bool], None] | None = None,
) -> list[Profile]:
    """Measure each cell and store a profile; one that stands is reused unless `force`.

    One that was measured beside other work stands only with `allow_busy`.

    Seeds do not matter to cost: cells that differ in nothing else are measured once. told: hears
    of each profile and whether it was standing. Raises InputError where other processes use the
    machine, unless `allow_busy`; what is measured by then is stored.
    """
    if repeats < REPEATS or examples < 1:
        raise InputError(f"a profile needs at least {REPEATS} repeats and one example")
    found: dict[str, Profile] = {}
    for cell in cells:
        cell = cell.model_copy(update={"seed": 0, "limit": None, "train_limit": None})
        described = _describe(cell, tasks[cell.task], examples, repeats)
        if described["key"] in found:
            continue
        standing = None if force else _standing(store, described, allow_busy)
        profile = standing or _measure(
            cell, described, examples, repeats, list(tasks_dir), allow_busy
        )
        if standing is None:
            profiles.write(store, profile)
        found[profile.key] = profile
        if told is not None:
            told(profile, standing is not None)
    return list(found.values())


def _describe(cell: Cell, task: Task, examples: int, repeats: int) -> dict[str, Any]:
    """What is measured, where, and its key."""
    reference = resolve_model(cell.model)
    regime = task.regime(cell.regime.name)
    try:
        split = (cell.splits or task.spec.dataset.eval_splits)[0]
        data = [task.evaluation(split, examples).hash]
        data += [one.hash for one in regime.train_data(task, cell).values()]
    except (NotApplicable, DataUnavailable):
        data = []  # the measuring process says why
    return profiles.with_key(
        {
            **cell.model_dump(exclude={"regime", "seed", "limit", "train_limit", "score", "tune"}),
            "regime": str(cell.regime),
            "regime_name": cell.regime.name,
            "family": reference.family,
            "weights": reference.weights_hash,
            "tokenizer": reference.tokenizer_hash,
            "task_version": task.spec.version,
            "task_rules": digest(task.rules()),
            "data": data,
            "regime_version": regime.version,
            "suite_version": benchsuite.__version__,
            "profile_version": profiles.PROFILE_VERSION,
            "threads": os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count()),
            "examples": examples,
            "repeats": repeats,
            "hardware": provenance.hardware_id(cell.device),
            "libraries": provenance.versions(),
        }
    )


def _standing(store: Path, described: dict[str, Any], allow_busy: bool) -> Profile | None:
    """The stored profile when it is done, of this key and fit to stand; else None."""
    try:
        profile = profiles.read(store / profiles.folder_name(described))
    except InputError:
        return None
    fit = profile.status == "done" and (allow_busy or not profile.is_crowded)
    return profile if fit and profile.key == described["key"] else None


def _measure(
    cell: Cell,
    described: dict[str, Any],
    examples: int,
    repeats: int,
    tasks_dir: list[Path],
    allow_busy: bool,
) -> Profile:
    before = profiles.busy()
    if before > MOST_BUSY and not allow_busy:
        raise InputError(
            f"the machine is busy: others use {before:.0%} of its processors, and timings would "
            f"say little; wait until they are done, or measure all the same with --allow-busy"
        )
    started = provenance.now()
    asked = {
        "cell": cell.model_dump(),
        "tasks_dir": [str(folder) for folder in tasks_dir],
        "sizes": {"examples": examples, "repeats": repeats},
    }
    watch = provenance.Watch()
    result = _in_fresh_process(asked)
    shares = {"before": before, "during": watch.others(), "after": profiles.busy()}
    busy = {when: round(share, 3) for when, share in shares.items() if share is not None}
    facts = {**provenance.collect(started, {}, cell.device), "threads": result.pop("threads", None)}
    return Profile(cell=described, provenance=facts, busy=busy, **result)


def _in_fresh_process(asked: dict[str, Any]) -> dict[str, Any]:
    """What `benchsuite.measure` gives; a process that dies is a failed cell."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "asked.json"
        file.write_text(json.dumps(asked), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "benchsuite.measure", str(file)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            reason = f"the measuring process ended with {done.returncode}: {last}"
            return {"status": "failed", "reason": reason}
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return result
