"""Made records for tests of what reads them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchsuite.cells import digest
from benchsuite.records import Headline, Record, Result


def made_record(
    model: str = "gpt",
    task: str = "glue/sst2",
    regime: str = "zeroshot",
    value: float | None = 0.6,
    status: str = "done",
    n: int = 100,
    seed: int | None = None,
    **changes: Any,
) -> Record:
    """A record as execute writes them; `changes` override its parts."""
    cell = {
        "model": model,
        "task": task,
        "regime": regime,
        "seed": seed,
        "limit": None,
        "dtype": "float32",
        "device": "cpu",
        "key": digest({"parts": [model, task, regime, n, status, seed]}),
    }
    parts: dict[str, Any] = {
        "cell": cell,
        "status": status,
        "provenance": {
            "hardware": "made hardware",
            "time": "2026-01-01T00:00:00+00:00",
            "data": {
                "evaluation": {
                    "validation": {"source": "mirror", "rows": 100, "official": 100, "used": n},
                },
                "training": {},
            },
        },
    }
    if status == "done":
        row = {"value": value, "low": 0.5, "high": 0.7, "n": n}
        parts["results"] = [
            Result(
                split="validation",
                subset="",
                prompt="p",
                metric="accuracy",
                score="cloze",
                norm="none",
                clusters=n,
                **row,
            )
        ]
        parts["headline"] = Headline(
            split="validation", metric="accuracy", score="cloze", norm="none", spread=None, **row
        )
        parts["baselines"] = {"chance": 0.5, "majority": 0.55}
        parts["cost"] = {
            "fit_s": 0.0,
            "predict_s": 1.5,
            "summarize_s": 0.5,
            "tokens": 10,
            "examples_per_s": 66.7,
            "parameters_total": 1000,
            "parameters_trainable": 0,
            "artifact_bytes": None,
        }
    else:
        parts["reason"] = "because"
    parts.update(changes)
    return Record(**parts)


def made_outcomes(n: int = 4) -> pd.DataFrame:
    """A small outcomes table."""
    return pd.DataFrame(
        {"id": [str(i) for i in range(n)], "credit": [1.0, 0.0] * (n // 2), "primary": True}
    )
