"""The committed curves are what the command makes of the committed records."""

from __future__ import annotations

from pathlib import Path

from benchsuite.paths import baselines_root
from benchsuite.report.scaling.__main__ import main


def test_the_committed_curves(tmp_path: Path) -> None:
    store = baselines_root() / "records" / "scaling"
    assert main(["--store", str(store), "--out", str(tmp_path)]) == 0
    for name in ("scaling.md", "scaling.svg"):
        committed = baselines_root().parent / "docs" / "curves" / name
        assert (tmp_path / name).read_bytes() == committed.read_bytes()
