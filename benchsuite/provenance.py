"""Where a number comes from: versions, hardware, load, command, time."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import benchsuite

INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
MOST_BUSY = 0.2
"""Share of the processors that others may use; timings above it say little."""
SHORTEST = 0.1
"""Seconds over which that share can be told."""
LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "scikit-learn", "pyarrow")


def now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def processor() -> tuple[str, tuple[str, ...]]:
    """Processor model and the instruction sets that matter here (avx512_bf16, amx_bf16, ...)."""
    info = Path("/proc/cpuinfo")
    facts: dict[str, str] = {}
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip()
    present = facts.get("flags", "").split()
    flags = tuple(flag for flag in INSTRUCTION_SETS if flag in present)
    return facts.get("model name") or platform.processor() or platform.machine(), flags


@functools.cache
def hardware_id(device: str = "cpu") -> str:
    """A name for this kind of machine, and for its GPU where the device is one.

    Cost columns of different names are never mixed.
    """
    model, flags = processor()
    name = f"{model}, {os.cpu_count()} cores, {'+'.join(flags) or 'no vector extensions'}"
    if device == "cpu":
        return name
    import torch

    return f"{name}, {torch.cuda.get_device_name() if torch.cuda.is_available() else device}"


def cores_of(hardware: str) -> int | None:
    """The number of cores that a name of `hardware_id` says; None of any other text."""
    found = re.search(r", (\d+) cores,", hardware)
    return int(found[1]) if found else None


@functools.cache
def commit() -> str | None:
    """Commit of the checkout this package runs from, `+dirty` where it was changed; or None."""
    folder = Path(benchsuite.__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    try:
        head = _git(folder, "rev-parse", "HEAD")
        dirty = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+dirty" if dirty else "")


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def command_line() -> str:
    """The command that runs: `bench`, and paths below the working folder from there on.

    Records are committed, and where a machine keeps its folders is nobody's business.
    """
    import shlex

    name = Path(sys.argv[0]).name
    below = f"{Path.cwd()}{os.sep}"
    arguments = [argument.removeprefix(below) for argument in sys.argv[1:]]
    return shlex.join(["bench" if name == "__main__.py" else name, *arguments])


class Watch:
    """How much of the machine others use from now on."""

    def __init__(self) -> None:
        self._before = _processor_seconds()

    def others(self) -> float | None:
        """Share of the processors' time that other processes had since, from 0 to 1.

        None where the system does not tell, and of less than a tenth of a second.
        """
        after = _processor_seconds()
        if self._before is None or after is None:
            return None
        used, own, whole = (b - a for a, b in zip(self._before, after, strict=True))
        if whole < SHORTEST * (os.cpu_count() or 1):
            return None
        return min(1.0, max(0.0, (used - own) / whole))


def beside(watch: Watch) -> dict[str, Any]:
    """What a cell's times were measured beside: `threads` of its own, `busy` share of others."""
    import torch

    others = watch.others()
    busy = None if others is None else round(others, 3)
    return {"threads": torch.get_num_threads(), "busy": busy}


def _processor_seconds() -> tuple[float, float, float] | None:
    """(in use, of them by this process, all) since the machine started."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    ticks = [int(field) for field in line.split()[1:9]]
    idle = ticks[3] + ticks[4]  # idle, and waiting for a disk
    second = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / second, sum(os.times()[:4]), sum(ticks) / second


def collect(time: str, data: dict[str, dict[str, Any]], device: str) -> dict[str, Any]:
    """The provenance of a record. time: when the cell began. data: split -> source and rows."""
    return {
        "suite_version": benchsuite.__version__,
        "commit": commit(),
        "command": command_line(),
        "libraries": versions(),
        "hardware": hardware_id(device),
        "load": round(os.getloadavg()[0], 2),
        "time": time,
        "data": data,
    }
