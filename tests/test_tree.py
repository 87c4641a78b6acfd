"""What a clone brings with it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT = 60 * 2**20
"""Bytes: weights, records and reports are committed once they are accepted, not at every try."""


def test_the_tracked_tree_stays_under_60_mib() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout of git")
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    tracked = [ROOT / name for name in listed.split("\0") if name]
    assert len(tracked) > 100
    assert sum(path.stat().st_size for path in tracked if path.is_file()) < LIMIT
