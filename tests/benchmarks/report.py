"""How long a report of 10,000 made records takes, with its index and without.

    python -m tests.benchmarks.report [--records 10000] [--folder DIR]

250 models under 10 regimes on 4 tasks, of 100 examples each. Prints a JSON line: seconds of the
whole command in a process of its own, its peak memory, the page's size and, where Chromium is
installed, seconds until the page is ready and until a filter has changed it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchsuite import records
from tests.check.made import credits, flipped, store_record
from tests.made import made_record

TASKS = ("mini/minimal_pairs", "mini/choice", "mini/sentiment", "mini/acceptability")
REGIMES = 10
KINDS = 16
"""Sets of answers a task; records share them, for making 10,000 of them would take minutes."""


def make(store: Path, number: int) -> None:
    """Write so many records."""
    made: list[list[tuple[Any, Any]]] = []
    for task in TASKS:
        mine = []
        for kind in range(KINDS):
            said = flipped(credits(100, 55 + 2 * kind), 5, 5, seed=kind)
            with tempfile.TemporaryDirectory() as folder:
                record = store_record(Path(folder), said, task=task)
                mine.append((record, records.read_outcomes(records.store_folders(Path(folder))[0])))
        made.append(mine)
    for place in range(number):
        model, rest = divmod(place, REGIMES * len(TASKS))
        regime, task = divmod(rest, len(TASKS))
        record, outcomes = made[task][(7 * model + 3 * regime) % KINDS]
        copy = record.model_copy(deep=True)
        copy.cell |= {"model": f"model-{model:03}", "regime": f"regime-{regime}"}
        copy.cell |= {
            "regime_name": f"regime-{regime}",
            "family": ("encoder", "decoder")[model % 2],
        }
        copy.cell["key"] = made_record(f"model-{model}", TASKS[task], f"r{regime}").key
        copy.cost |= {"parameters_trainable": 10**regime, "parameters_total": 10**9}
        records.write(store, copy, outcomes)


def report(store: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak MiB of `bench report` in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchsuite", "report", "--store", str(store)]
    subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def look(page: Path) -> dict[str, float]:
    """Seconds until the page is ready, and until a filter has changed it."""
    program = shutil.which("chromium")
    if program is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program)
        opened = browser.new_page()
        began = time.perf_counter()
        opened.goto(page.as_uri())
        opened.wait_for_selector("html[data-ready=yes]", timeout=120_000)
        ready = time.perf_counter() - began
        began = time.perf_counter()
        opened.locator("#find").fill("model-007")
        opened.wait_for_function("document.querySelectorAll('#board-0 tbody tr').length == 10")
        changed = time.perf_counter() - began
        browser.close()
    return {"ready_s": round(ready, 2), "filter_s": round(changed, 2)}


def main() -> None:
    """Make the store where it is not there, report twice, open the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "made-report")
    given = parser.parse_args()
    store = given.folder / f"store-{given.records}"
    if not store.is_dir():
        make(store, given.records)
    os.environ["XDG_CACHE_HOME"] = str(given.folder / "cache")
    shutil.rmtree(given.folder / "cache", ignore_errors=True)
    without, memory = report(store, given.folder / "out")
    with_index, _ = report(store, given.folder / "out")
    page = given.folder / "out" / "leaderboard.html"
    print(
        json.dumps(
            {
                "records": given.records,
                "without_index_s": round(without, 1),
                "with_index_s": round(with_index, 1),
                "peak_mib": round(memory),
                "page_mb": round(page.stat().st_size / 1e6, 1),
                **look(page),
            }
        )
    )


if __name__ == "__main__":
    main()
