"""The log of a run: one JSON line a step, and a closing one with the validation losses."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchsuite.errors import InputError
from benchsuite.files import write_atomically

Entry = dict[str, Any]


def read_log(path: Path) -> list[Entry]:
    """Entries of a log, without a last line that a killed run wrote half of.

    None where there is no log. Raises InputError for a damaged line before the last.
    """
    lines = path.read_bytes().splitlines() if path.is_file() else []
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict) or not isinstance(entry.get("step"), int):
                raise ValueError("no entry of a log")
            entries.append(entry)
        except ValueError as error:  # no JSON, or not even UTF-8
            if number < len(lines):
                raise InputError(
                    f"{path}: line {number} is damaged; put the log back as it was, delete the "
                    f"checkpoint beside it to start again, or give another --out"
                ) from error
    return entries


def steps_of(entries: Sequence[Entry], last: int, path: Path) -> list[Entry]:
    """The entries of steps 1 to `last`. Raises InputError where a log lacks any of them."""
    steps = [entry for entry in entries if entry["step"] <= last and "loss" in entry]
    if [entry["step"] for entry in steps] != list(range(1, last + 1)):
        raise InputError(
            f"{path} does not hold each step up to {last}, where its checkpoint is; put the log "
            f"back, delete the checkpoint to start again, or give another --out"
        )
    return steps


def append_to_log(path: Path, entry: Entry) -> None:
    """Add an entry, for good where it has a validation loss: a checkpoint or the end follows."""
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        if any(key.startswith("validation_loss") for key in entry):
            os.fsync(file.fileno())


def write_log(path: Path, entries: Sequence[Entry]) -> None:
    """Write a log anew, at once."""
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    write_atomically(path, lambda file: file.write(text.encode()))


def validation_losses(entry: Entry) -> dict[str, float]:
    """Of a run's closing entry: row length -> loss, nats a target; empty for any other entry."""
    name = "validation_loss_"
    return {key.removeprefix(name): value for key, value in entry.items() if key.startswith(name)}
