"""The table after a run: the longer side goes downwards."""

from __future__ import annotations

from benchsuite import console
from benchsuite.records import Record
from benchsuite.report import terminal
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
