"""The installed wheel works outside the checkout: bundled tasks, bundled model, a user's task."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "adding-a-task.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder the wheel is installed into, without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    python = [sys.executable, "-m"]
    quiet = {"check": True, "capture_output": True, "cwd": ROOT}
    build = ["build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([*python, *build], **quiet)
    [wheel] = folder.glob("*.whl")
    install = ["pip", "install", "--no-deps", "--no-index", "--target", str(folder / "site")]
    subprocess.run([*python, *install, str(wheel)], **quiet)
    return folder / "site"


def bench(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed `bench` in another folder, with no mirror and no hub."""
    environment = {k: v for k, v in os.environ.items() if k != "BENCHSUITE_DATA"}
    environment |= {"PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "benchsuite", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_tasks_and_models_come_from_the_wheel(site: Path, tmp_path: Path) -> None:
    found = bench(site, tmp_path, "doctor", "--json")
    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["tasks"].startswith(str(site)) and "gpt" in facts["models"].split()
    assert facts["commit"] == "not a checkout"


def test_twenty_lines_of_yaml_and_a_csv_run(site: Path, tmp_path: Path) -> None:
    """The task that `docs/adding-a-task.md` walks through, as a newcomer would run it."""
    [task] = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)[:1]
    assert len(task.strip().splitlines()) <= 20
    train, test = re.findall(r"```csv\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)[:2]
    folder = tmp_path / "mytasks"
    folder.mkdir()
    for name, text in (("moods.yaml", task), ("train.csv", train), ("test.csv", test)):
        (folder / name).write_text(text)
    arguments = ["--task", "moods", "--tasks-dir", str(folder), "--store", str(tmp_path / "store")]
    found = bench(site, tmp_path, "run", *arguments)
    assert found.returncode == 0, found.stderr
    [record] = [json.loads(p.read_text()) for p in (tmp_path / "store").glob("*/record.json")]
    assert record["status"] == "done" and record["cell"]["model"] == "gpt"
    assert record["provenance"]["commit"] is None
    assert "moods" in (tmp_path / "store" / "report" / "leaderboard.md").read_text()
