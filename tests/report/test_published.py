"""Published figures: every key is told what it is, and each row says where it comes from."""

from __future__ import annotations

from benchsuite.report import table
from benchsuite.report.published import (
    ABOUT,
    METRICS,
    OTHER_METRICS,
    PARTS,
    TASKS,
    WITHOUT_TASK,
    metric_of,
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


def test_every_score_has_a_metric_and_every_exception_a_source() -> None:
    assert set(METRICS) == set(TASKS)
    sources = [source["source"] for source in read_published()]
    for start, metrics in OTHER_METRICS.items():
        told = [source for source in read_published() if source["source"].startswith(start)]
        assert told and set(metrics) <= {key for one in told for row in one["rows"] for key in row}
    assert metric_of("stsb", next(one for one in sources if "Devlin" in one)) == "Spearman r"
    for source in sources:
        # What a source says of itself in `published.yaml` is what the table says.
        for words, key, metric in (
            ("STS-B Pearson", "stsb", "Pearson r"),
            ("QQP/MRPC accuracy", "qqp", "accuracy"),
            ("MRPC and QQP F1", "mrpc", "F1"),
        ):
            assert words not in source or metric_of(key, source) == metric


def test_rows_say_their_metric_and_tasks_the_one_they_share() -> None:
    tasks = ("glue/stsb", "glue/mrpc", "glue/sst2", "squad/v1")
    found = published_rows(table.build([made_record(task=task) for task in tasks]))
    assert found is not None and found.metrics == {"glue/sst2": "accuracy"}
    rows = {(row.source.split()[0], row.model): row.metrics for row in found.rows}
    assert rows["Devlin", "BERT-base"] == {
        "glue/stsb": "Spearman r",
        "glue/mrpc": "F1",
        "glue/sst2": "accuracy",
    }
    assert rows["Hu", "RoBERTa-base"]["glue/stsb"] == "Pearson r"
    assert rows["Clark", "ELECTRA-Small"]["glue/mrpc"] == "accuracy"
    assert rows["Lan", "ALBERT-base"]["squad/v1"] == "F1 / EM"


def test_a_source_as_above_is_spelled_out() -> None:
    found = published_rows(table.build([made_record(task="blimp")]))
    assert found is not None
    baby = {row.source for row in found.rows if row.source.startswith("BabyLM")}
    assert len(baby) == 2 and all("vocabulary-filtered data" in source for source in baby)
    assert not any("as above" in row.source for row in found.rows)
