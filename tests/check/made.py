"""Stores of made records whose outcomes are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchsuite import records
from benchsuite.check import Result as CheckResult
from benchsuite.check import check
from benchsuite.records import Headline, Record, Result
from benchsuite.regimes.base import Variant
from benchsuite.results import summarize
from benchsuite.tasks.example import Prediction
from benchsuite.tasks.task import load_task
from tests.made import made_record
from tests.outcomes import make_examples

TASK = "mini/minimal_pairs"
"""Its metric is accuracy, one prompt, no classes: what a right answer is, is simply 0."""


def credits(n: int, right: int) -> list[int]:
    """Predictions of which the first `right` are right."""
    return [0] * right + [1] * (n - right)


def store_record(
    store: Path,
    predicted: Sequence[Any],
    *,
    targets: Sequence[Any] | None = None,
    model: str = "gpt",
    regime: str = "zeroshot",
    task: str = TASK,
    seed: int | None = None,
    prompts: int = 1,
    clusters: Sequence[Any] | None = None,
    parts: dict[str, Any] | None = None,
    cell: dict[str, Any] | None = None,
) -> Record:
    """Store a record with these predictions, made as execute makes them.

    targets: the right answers, 0 each by default. parts, cell: over the key's parts and the cell.
    """
    spec = load_task(task).spec
    n = len(predicted)
    examples = make_examples(targets or [0] * n, clusters=clusters)
    variant = [
        Variant(f"p{number}", "sum", "none", [Prediction(value) for value in predicted])
        for number in range(prompts)
    ]
    found = summarize(spec, {"validation": (examples, variant)})
    record = made_record(model, task, regime, seed=seed, n=n)
    record.results = [Result(**row) for row in found.results]
    record.headline = Headline(**found.headline)
    record.cell |= {"regime_name": regime.partition(":")[0], "options": {}, **(cell or {})}
    record.cell["key_parts"] = {
        "weights": model,
        "task": task,
        "task_version": spec.version,
        "task_rules": "rules",
        "prompts": "prompts",
        "data": {"validation": f"{n} examples"},
        "options": {},
        "seed": seed,
        "dtype": "float32",
        **(parts or {}),
    }
    record.cell["key"] = records_key(record)
    records.write(store, record, found.outcomes)
    return record


def records_key(record: Record) -> str:
    """A key of all that the record's cell says."""
    from benchsuite.cells import digest

    return digest({"cell": {name: v for name, v in record.cell.items() if name != "key"}})


def flipped(predicted: Sequence[int], lost: int, gained: int, seed: int = 0) -> list[int]:
    """The predictions with so many right ones made wrong, and wrong ones right."""
    rng = np.random.default_rng(seed)
    values = np.array(predicted)
    right, wrong = np.flatnonzero(values == 0), np.flatnonzero(values == 1)
    values[rng.choice(right, lost, replace=False)] = 1
    values[rng.choice(wrong, gained, replace=False)] = 0
    return [int(value) for value in values]


N = 1000
BASE = credits(N, 700)


def compare(stores: tuple[Path, Path], lost: int, gained: int, **options: Any) -> CheckResult:
    """Check a candidate that has lost and gained so many of the baseline's thousand examples."""
    store_record(stores[1], flipped(BASE, lost, gained))
    return check(*stores, **options)


def seeded(store: Path, rights: list[int], first: int = 0) -> None:
    """Store seeds of a trained regime with so many right answers each."""
    for number, right in enumerate(rights):
        said = flipped(credits(N, right), 20, 20, seed=first + number)
        store_record(store, said, regime="lora", seed=first + number)
