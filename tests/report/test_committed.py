"""Committed pages are exactly what their commands make of the committed records."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.report import defaults, write_report

OFFICIAL = Path("baselines/records/official")


@pytest.mark.parametrize("name", ["leaderboard.md", "leaderboard.html", "leaderboard.csv"])
def test_the_committed_report_is_what_the_command_makes(made: Path, name: str) -> None:
    committed = (Path("reports") / name).read_bytes()
    assert (made / name).read_bytes() == committed, (
        f"run: bench report --store {OFFICIAL} --out reports"
    )


def test_the_committed_study_is_what_the_command_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert defaults.main(["--store", "baselines/records/study"]) == 0
    assert capsys.readouterr().out == Path("docs/defaults.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh report of the committed records, without an index."""
    folder = tmp_path_factory.mktemp("official")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        write_report(OFFICIAL, folder / "out")
    return folder / "out"


def test_records_and_page_keep_to_their_size() -> None:
    files = [path for path in OFFICIAL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6 * 2**20
    assert {path.name for path in files} == {"record.json", "outcomes.parquet", "profile.json"}
    assert (Path("reports") / "leaderboard.html").stat().st_size < 2_500_000
