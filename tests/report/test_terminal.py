"""The table after a run: the longer side goes downwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchsuite import console
from benchsuite.records import Record
from benchsuite.report import readable_records, table, terminal
from tests.made import made_record


def lines_of(*records: Record) -> list[str]:
    with console.out.capture() as shown:
        terminal.show(records)
    return [" ".join(line.split()) for line in shown.get().splitlines()]


def test_many_tasks_are_rows() -> None:
    tasks = ("glue/cola", "glue/sst2", "glue/rte")
    lines = lines_of(*(made_record(task=task, value=0.61) for task in tasks))
    assert "task metric zeroshot chance trivial" in lines
    assert "glue/sst2 accuracy 61.0 [50.0, 70.0] 50.0 55.0" in lines


def test_the_readme_shows_the_table_of_the_committed_records() -> None:
    found, _ = readable_records(Path("baselines/records/mini"))
    printed = [line for line in lines_of(*(r for r in found if r.cell["model"] == "gpt")) if line]
    readme = Path("README.md").read_text(encoding="utf-8")
    shown = [" ".join(line.split()) for line in readme.splitlines()]
    assert printed and [line for line in printed if line not in shown] == []
    rows = [line for line in shown if line.startswith("mini/")]
    assert [line for line in rows if line not in printed] == []


def test_many_models_are_rows() -> None:
    lines = lines_of(
        *(
            made_record(model, regime=regime, value=0.61)
            for model in ("bert", "gpt", "t5", "[b]")
            for regime in ("zeroshot", "probe:layer=3")
        ),
    )
    assert "model regime accuracy" in lines
    assert "gpt probe:layer=3 61.0 [50.0, 70.0]" in lines
    assert "[b] zeroshot 61.0 [50.0, 70.0]" in lines
    assert "trivial 55.0" in lines


def test_the_best_is_bold_and_whole_rows_have_a_mean_and_a_rank() -> None:
    found, drawn = [], {}
    for model, value in (("a", 0.9), ("b", 0.5)):
        for task in ("glue/cola", "glue/sst2"):
            found.append(made_record(model, task, value=value))
            drawn[found[-1].key] = np.linspace(value - 0.01, value + 0.01, 100)
    with console.out.capture() as shown:
        terminal.show(found, drawn)
    lines = [" ".join(line.split()) for line in shown.get().splitlines()]
    assert "mean 90.0 50.0 - -" in lines and "rank 1.0 [1.0, 1.0] 2.0 [2.0, 2.0] - -" in lines
    (board,) = table.build(found, drawn)
    bold = {row.model: terminal._shown(row.entries["glue/sst2"]) for row in board.rows}
    assert "[bold]90.0[/bold]" in bold["a"] and "bold" not in bold["b"]


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mRED\x1b[0m", "\x1b]0;title\x07", "a\u202eb", "\x1b[2J"]
)
def test_control_sequences_never_reach_the_terminal(hostile: str) -> None:
    found = [
        made_record(hostile),
        made_record(task=f"glue/{hostile}"),
        made_record("x", regime=hostile, status="failed", reason=hostile),
    ]
    with console.out.capture() as shown:
        terminal.show(found)
    assert not {"\x1b", "\x07", "\u202e"} & {*shown.get()}
