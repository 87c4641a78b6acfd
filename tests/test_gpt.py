"""What the committed `gpt` must be worth: better than its untrained self, interval included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import benchsuite
from benchsuite import records
from benchsuite.results import tables_of
from benchsuite.stats import paired_difference


@pytest.mark.parametrize(
    ("name", "limit", "points"),
    [
        ("mini/minimal_pairs", None, 0.0),
        pytest.param(
            "blimp",
            40,
            3.0,
            marks=pytest.mark.skipif(
                "BENCHSUITE_DATA" not in os.environ, reason="BENCHSUITE_DATA is not set"
            ),
        ),
    ],
)
def test_gpt_beats_its_untrained_self(
    name: str, limit: int | None, points: float, tmp_path: Path
) -> None:
    """Paired over the same pairs; on BLiMP by more than 3 points with the whole interval."""
    found = benchsuite.run("gpt,gpt:untrained", "zeroshot", name, limit=limit, store=tmp_path)
    assert [record.status for record in found] == ["done", "done"]
    trained, floor = (
        tables_of(records.read_columns(tmp_path / records.folder_name(record.cell)))
        for record in found
    )
    spec = benchsuite.load_task(name).spec
    difference = paired_difference(spec, spec.headline_metric, trained, floor)
    assert difference.low is not None and 100 * difference.low > points
