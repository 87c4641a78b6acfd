"""Two stores: a baseline with one record, and where the candidate's go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.made import BASE, store_record


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    """The baseline's folder, and the candidate's, which is not there yet."""
    store_record(tmp_path / "base", BASE)
    return tmp_path / "base", tmp_path / "new"
