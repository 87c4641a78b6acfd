"""Profiles: what a model under a regime costs on a task, measured. No torch here.

A profile is a folder `profile-<slug>-<8 hex of the key>/` of a store with `profile.json`. All
repeats are kept as they were, so that whoever compares two profiles knows the noise of each.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchsuite.cells import digest
from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.provenance import MOST_BUSY, Watch
from benchsuite.records import slug
from benchsuite.versioned import Part, read_versioned

SCHEMA_VERSION = 1
PROFILE_VERSION = 3
"""Of what is measured and how."""
PROFILE_FILE = "profile.json"
SAMPLE_SECONDS = 1.0


class Training(Part):
    """Whole short trainings, from fresh weights: examples a second of each repeat."""

    examples: int
    epochs: int
    examples_per_s: list[float]
    flops_per_example: float


class Inference(Part):
    """Predictions: examples a second of each repeat; seconds of each example on its own."""

    examples: int
    examples_per_s: list[float]
    latency_s: list[float]
    flops_per_example: float


class Profile(Part):
    """What one model under one regime costs on one task, on one kind of machine."""

    schema_version: int = SCHEMA_VERSION
    cell: dict[str, Any]
    status: Literal["done", "failed", "not_applicable", "unavailable"]
    reason: str | None = None
    training: Training | None = None
    inference: Inference | None = None
    parameters_total: int | None = None
    parameters_trainable: int | None = None
    artifact_bytes: int | None = None
    memory_before_bytes: int | None = None
    memory_peak_bytes: int | None = None
    busy: dict[str, float] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Hash of everything the figures depend on that is not noise."""
        return str(self.cell["key"])

    @property
    def is_crowded(self) -> bool:
        """Whether other work ran beside the measuring, so that its times say little."""
        return max(self.busy.values(), default=0.0) > MOST_BUSY

    @property
    def name(self) -> str:
        """`model regime task`, for people."""
        return f"{self.cell['model']} {self.cell['regime']} {self.cell['task']}"


def with_key(cell: dict[str, Any]) -> dict[str, Any]:
    """The description of what is profiled, with its key."""
    return {**cell, "key": digest({"cell": cell, "version": PROFILE_VERSION})}


def folder_name(cell: dict[str, Any]) -> str:
    """Name of a profile's folder in a store."""
    name = slug(f"{cell['task']} {cell['model']} {cell['regime']}")
    return f"profile-{name}-{cell['key'][:8]}"


def write(store: Path, profile: Profile) -> Path:
    """Store a profile; an earlier one of the same key is replaced."""
    folder = store / folder_name(profile.cell)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(profile.model_dump(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(folder / PROFILE_FILE, lambda file: file.write(text.encode("utf-8")))
    return folder


def read(folder: Path) -> Profile:
    """Read a profile. Raises InputError, one line that names the file, where it is none."""
    path = folder / PROFILE_FILE
    profile = read_versioned(path, Profile, SCHEMA_VERSION, {}, redo="profile again")
    for name in ("model", "regime", "task", "key", "hardware"):
        if not isinstance(profile.cell.get(name), str):
            raise InputError(f"{path}: cell lacks its {name}; profile again")
    return profile


def read_all(store: Path) -> tuple[list[Profile], list[str]]:
    """A store's profiles, sorted by folder name, and what is wrong with those not readable."""
    found, unreadable = [], []
    for path in sorted(store.glob(f"*/{PROFILE_FILE}")):
        try:
            found.append(read(path.parent))
        except InputError as error:
            unreadable.append(str(error))
    return found, unreadable


def busy() -> float:
    """Share of this machine's processors in use, from 0 to 1, over a second of waiting.

    The load average would not do: it remembers a minute, and so this command's own last cell.
    """
    watch = Watch()
    time.sleep(SAMPLE_SECONDS)
    share = watch.others()
    return min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)) if share is None else share
