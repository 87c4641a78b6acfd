"""The committed figures are what the command makes of the committed records."""

from __future__ import annotations

from pathlib import Path

from benchsuite.paths import baselines_root
from benchsuite.report.figures.__main__ import main


def test_the_committed_figures(tmp_path: Path) -> None:
    stores = [baselines_root() / "records" / name for name in ("figures", "official")]
    given = [word for store in stores for word in ("--store", str(store))]
    assert main([*given, "--out", str(tmp_path)]) == 0
    committed = baselines_root().parent / "docs" / "figures"
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in committed.iterdir()}
