"""What cells cost, as rows of a table: by their own records, and by `bench profile`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from benchsuite.cells import Cell
from benchsuite.profiles import Profile
from benchsuite.provenance import cores_of
from benchsuite.records import Record
from benchsuite.report.numbers import digits

if TYPE_CHECKING:
    from benchsuite.report.table import Row

COST_HEADER = (
    *("model", "regime", "task", "seconds", "examples/s", "trained parameters"),
    "of the model's",
)
PROFILE_HEADER = (
    "model",
    "regime",
    "task",
    "training examples/s",
    "training MFLOP/example",
    "examples/s",
    "latency ms (p95)",
    "MFLOP/example",
    "peak memory MiB",
    "kept KiB",
    "trained parameters",
)
MILLION, KIB, MIB = 1e6, 2**10, 2**20
USUAL = {"dtype": "float32", "device": "cpu"}
"""What a cell that does not say it was made with."""
BATCH_TOKENS: int = Cell.model_fields["batch_tokens"].default

Place = tuple[str, ...]


@dataclass(slots=True)
class Measured:
    """Inference, as profiled: FLOPs an example, and the median latency in seconds by hardware."""

    flops: float | None = None
    latency: dict[str, float] = field(default_factory=dict)


def place_of(cell: Mapping[str, Any]) -> Place:
    """What the cells of a record and of a profile share where the one cost what the other says."""
    named = [str(cell[name]) for name in ("model", "regime", "task")]
    window = str(cell.get("max_length") or "")
    return (*named, *(str(cell.get(name) or usual) for name, usual in USUAL.items()), window)


def machine_of(record: Record) -> str:
    """The hardware a cell ran on, and its threads where the record says them."""
    hardware, threads = str(record.provenance.get("hardware")), record.provenance.get("threads")
    return hardware if threads is None else f"{hardware}, {threads} thread{'s' * (threads != 1)}"


def cell_costs(rows: Sequence[Row]) -> dict[str, list[tuple[str, ...]]]:
    """Cost rows by machine, under COST_HEADER; a new head's parameters are trained ones.

    Of several seeds on one machine the mean; a parameter's number is the same for all.
    """
    costs: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for row in rows:
        for task, entry in row.entries.items():
            by_machine = defaultdict(list)
            for record in entry.records:
                if record.status == "done":
                    by_machine[machine_of(record)].append(record)
            for machine, found in by_machine.items():
                costs[machine].append((row.model, row.regime, task, *_cost(found)))
    return dict(costs)


def _cost(found: Sequence[Record]) -> tuple[str, ...]:
    """Seconds, examples a second and trained parameters of the seeds of a cell on one machine."""
    cost = found[0].cost
    total = cost["parameters_total"] or 1
    seconds = fmean(one.seconds or 0.0 for one in found)
    return (
        f"{seconds:.1f}" + (" (busy)" if any(one.is_crowded for one in found) else ""),
        f"{fmean(one.cost['examples_per_s'] for one in found):.1f}",
        f"{cost['parameters_trainable']:,}",
        f"{digits(100 * cost['parameters_trainable'] / total)}%",
    )


def inference_costs(measured: Sequence[Profile]) -> dict[Place, Measured]:
    """What inference costs by place.

    Of several profiles on one machine the one of the usual settings, then the least disturbed.
    """
    found: dict[Place, Measured] = defaultdict(Measured)

    def order(one: Profile) -> tuple[int, float, str]:
        return len(unusual(one)), max(one.busy.values(), default=0.0), one.key

    for profile in sorted(measured, key=order):
        inference = profile.inference
        if profile.status != "done" or inference is None:
            continue
        mine = found[place_of(profile.cell)]
        if mine.flops is None:  # FLOPs are the same on any machine
            mine.flops = inference.flops_per_example
        if inference.latency_s:
            mine.latency.setdefault(str(profile.cell["hardware"]), median(inference.latency_s))
    return dict(found)


def profile_rows(measured: Sequence[Profile]) -> dict[str, list[tuple[str, ...]]]:
    """Rows under PROFILE_HEADER by hardware; what is not done has no row."""
    rows: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for profile in sorted(measured, key=lambda profile: (profile.name, profile.key)):
        if profile.status == "done":
            rows[str(profile.cell["hardware"])].append(_row(profile))
    return dict(rows)


def _row(profile: Profile) -> tuple[str, ...]:
    training, inference = profile.training, profile.inference
    model = str(profile.cell["model"])
    if profile.is_crowded:
        model += " (busy)"
    model += "".join(f" ({setting})" for setting in unusual(profile))
    return (
        model,
        str(profile.cell["regime"]),
        str(profile.cell["task"]),
        "-" if training is None else _spread(training.examples_per_s),
        "-" if training is None else f"{training.flops_per_example / MILLION:,.0f}",
        "-" if inference is None else _spread(inference.examples_per_s),
        "-" if inference is None else _latency(inference.latency_s),
        "-" if inference is None else f"{inference.flops_per_example / MILLION:,.0f}",
        _scaled(profile.memory_peak_bytes, MIB),
        _scaled(profile.artifact_bytes, KIB),
        "-" if profile.parameters_trainable is None else f"{profile.parameters_trainable:,}",
    )


def unusual(profile: Profile) -> list[str]:
    """The settings that what is measured depends on, where they are not the usual ones."""
    cell = profile.cell
    found = [
        str(cell[name]) for name, usual in USUAL.items() if cell.get(name) not in (None, usual)
    ]
    if cell.get("max_length"):
        found.append(f"window {cell['max_length']:,}")
    if cell.get("batch_tokens") not in (None, BATCH_TOKENS):
        found.append(f"{cell['batch_tokens']:,} tokens a batch")
    cores = cores_of(str(cell["hardware"]))
    if cores is not None and cell.get("threads") not in (None, str(cores)):
        found.append(f"threads: {cell['threads']}")
    return found


def _spread(values: Sequence[float]) -> str:
    """The median of the repeats, and their range: `52 (50 to 53)`."""
    return f"{digits(median(values))} ({digits(min(values))} to {digits(max(values))})"


def _latency(seconds: Sequence[float]) -> str:
    """Median and 95th percentile (nearest rank), in milliseconds."""
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    late = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return f"{digits(1000 * median(ordered))} ({digits(1000 * late)})"


def _scaled(value: int | None, unit: int) -> str:
    return "-" if value is None else f"{value / unit:,.0f}"
