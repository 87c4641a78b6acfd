"""A page of made records: three families, four regimes, two tasks, two seeds of what is trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchsuite import records
from benchsuite.records import Record
from benchsuite.report import write_report
from tests.check.made import flipped, store_record
from tests.made import made_record
from tests.report.html.made import cell_record, page_of, plotted_store

FAMILIES = {"bert": "encoder", "gpt": "decoder", "t5": "encoder-decoder"}
REGIMES = {"zeroshot": 0, "lora": 50_000, "bitfit": 17_000, "full": 7_000_000}
TASKS = ("mini/minimal_pairs", "mini/choice")
HOSTILE = "<script>alert(1)</script>\"'|`*_[x](y)" + "é" * 300


def made_store(store: Path) -> Path:
    """Write the records, and one of a hostile name, one that failed."""
    for number, (model, family) in enumerate(FAMILIES.items()):
        for step, (regime, trainable) in enumerate(REGIMES.items()):
            for task in TASKS:
                for seed in (0, 1) if trainable else (None,):
                    right = 100 + 12 * step + 5 * number + (seed or 0)
                    base = [0] * right + [1] * (200 - right)
                    said = flipped(base, 7, 7, seed=17 * step + 3 * number + (seed or 0))
                    record = store_record(
                        store, said, model=model, regime=regime, task=task, seed=seed,
                        cell={"family": family}, parts={"regime": regime},
                    )  # fmt: skip
                    edit(store, record, trainable)
    records.write(
        store, made_record(model=HOSTILE, task=TASKS[0], status="failed", reason=HOSTILE), None
    )
    return store


def edit(store: Path, record: Record, trainable: int) -> None:
    """What training cost, and who made it."""
    outcomes = records.read_outcomes(store / records.folder_name(record.cell))
    record.cost |= {"parameters_total": 7_100_000, "parameters_trainable": trainable}
    record.cost["fit_s"] = trainable / 1e5
    record.provenance["command"] = f"bench run --model {record.cell['model']} <made>"
    records.write(store, record, outcomes)


def report_in(folder: Path, made: Callable[[Path], Path]) -> Path:
    """The folder of the report of the store that `made` writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        write_report(made(folder / "store"), folder / "out")
    return folder / "out"


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of the made store."""
    return report_in(tmp_path_factory.mktemp("report"), made_store)


@pytest.fixture(scope="session")
def plotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of records and profiles of which there is every plot."""
    return report_in(tmp_path_factory.mktemp("plotted"), plotted_store) / "leaderboard.html"


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a table of 70 rows and 10 tasks, with means and ranks."""
    found = [
        cell_record(
            f"some-model-{number}",
            value=0.3 + number / 200,
            task=f"glue/a_task_of_quite_a_long_name_{at}",
        )
        for number in range(70)
        for at in range(10)
    ]
    path = tmp_path_factory.mktemp("wide") / "leaderboard.html"
    path.write_text(page_of(found), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium; skipped where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium here: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=program)
        yield opened
        opened.close()
