"""Published figures: every key is told what it is, and each row says where it comes from."""

from __future__ import annotations

from benchsuite.report import table
from benchsuite.report.published import (
    ABOUT,
    PARTS,
    TASKS,
    WITHOUT_TASK,
    published_rows,
    read_published,
)
from benchsuite.tasks.registry import Registry
from tests.made import made_record


def test_every_key_is_a_score_of_a_task_or_said_to_be_none() -> None:
    used = {key for source in read_published() for row in source["rows"] for key in row}
    assert used == {*TASKS, *WITHOUT_TASK, *ABOUT}
    known = set(Registry().suite("all").tasks)
    assert set(TASKS.values()) <= known and set(PARTS) <= set(TASKS)


def test_rows_are_of_the_tasks_on_the_board_with_source_and_split() -> None:
    boards = table.build([made_record(task=task) for task in ("glue/sst2", "glue/mnli", "blimp")])
    found = published_rows(boards)
    assert found is not None and set(found.tasks) == {"glue/sst2", "glue/mnli", "blimp"}
    bert = next(row for row in found.rows if row.model == "BERT-base")
    assert bert.scores == {"glue/sst2": "93.5", "glue/mnli": "84.6 m / 83.4 mm"}
    assert (bert.split, bert.regime) == ("test", "full") and "Devlin" in bert.source
    baby = [row for row in found.rows if "BabyLM" in row.source]
    assert {"10 M words" in row.source for row in baby} == {True, False}
    assert published_rows(table.build([made_record(task="mini/sentiment")])) is None
