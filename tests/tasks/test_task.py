"""The selection slice, splits and their sources, and official counts on real data."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.errors import DataUnavailable, InputError, NotApplicable
from benchsuite.tasks.task import SplitData, Task, load_task, official_rows
from tests.tasks.tables import (
    Columns,
    hub_dataset,
    hub_of,
    make_spec,
    write_csv,
    write_jsonl,
    write_parquet,
)


def race(rows: int, per_passage: int = 3, name: str = "") -> Columns:
    """A table in RACE's columns with a passage of `per_passage` questions after another."""
    return {
        "example_id": [f"{name}{row // per_passage}.txt" for row in range(rows)],
        "article": [f"{name} passage {row // per_passage}" for row in range(rows)],
        "question": [f"question {row}" for row in range(rows)],
        "options": [["a", "b"]] * rows,
        "answer": ["A"] * rows,
    }


def glue(rows: int, label: int = 0) -> Columns:
    """A table in MNLI's columns."""
    return {
        "premise": [f"premise {row}" for row in range(rows)],
        "hypothesis": ["hypothesis"] * rows,
        "label": [label] * rows,
        "idx": list(range(rows)),
    }


def ids(data: SplitData) -> list[str]:
    return [one.id for one in data.examples]


def clusters(data: SplitData) -> set[str]:
    return {one.cluster for one in data.examples}


# What of a specification is in a cell's key


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["contradiction", "neutral", "entailment"]},
        {"fields": {"id": "idx", "text": "hypothesis", "text_pair": "premise", "label": "label"}},
        {"labels": ["no", "yes"], "similarity": True},
        {"cluster": "premise"},
        {"metrics": ["f1", "accuracy"]},
        {"truncation": {"shorten": "text_pair"}},
    ],
)
def test_rules_are_what_numbers_depend_on(change: dict[str, Any]) -> None:
    rules = Task(make_spec("classification", hub_dataset())).rules()
    assert Task(make_spec("classification", hub_dataset(), **change)).rules() != rules
    told = {"description": "another", "licence": "another"}
    assert Task(make_spec("classification", hub_dataset(), **told)).rules() == rules


# The selection slice


@pytest.mark.parametrize(
    ("rows", "expected"), [(10, 1), (99, 9), (500, 50), (9_990, 999), (20_000, 1000)]
)
def test_the_selection_is_a_tenth_and_at_most_a_thousand(rows: int, expected: int) -> None:
    hub = hub_of({("owner/name", "config", "train"): glue(rows)})
    task = Task(make_spec("classification", hub_dataset()), load_dataset=hub)
    selection, train = task.selection(), task.train()
    assert len(selection.examples) == expected
    assert selection.rows == train.rows == rows
    assert sorted(map(int, ids(selection) + ids(train))) == list(range(rows))


@given(st.integers(2, 300), st.integers(1, 9), st.integers(1, 400))
def test_no_passage_is_on_both_sides_and_caps_come_after(
    rows: int, per_passage: int, limit: int
) -> None:
    hub = hub_of({("owner/name", "config", "train"): race(rows, per_passage)})
    task = Task(make_spec("choice", hub_dataset()), load_dataset=hub)
    selection, whole, part = task.selection(), task.train(), task.train(limit)
    assert not clusters(selection) & clusters(whole)
    assert set(ids(part)) <= set(ids(whole))
    assert len(selection.examples) + len(whole.examples) == rows
    assert len(selection.examples) <= max(rows // 10, per_passage)
    assert bool(selection.examples) == (rows > per_passage)
    assert whole.examples


def test_the_selection_is_the_task_s_alone() -> None:
    """Neither caps, seeds nor what was asked before move it; another task has another."""
    hub = hub_of({("owner/name", "config", "train"): glue(200)})
    task = Task(make_spec("classification", hub_dataset()), load_dataset=hub)
    first = ids(task.selection())
    task.train(10, seed=3)
    assert ids(task.selection()) == first
    again = Task(make_spec("classification", hub_dataset()), load_dataset=hub)
    again.train(7)
    assert ids(again.selection()) == first
    other = make_spec("classification", hub_dataset(), name="made/other")
    assert ids(Task(other, load_dataset=hub).selection()) != first


def test_seeds_sample_train_differently_and_repeatably() -> None:
    hub = hub_of({("owner/name", "config", "train"): glue(200)})
    task = Task(make_spec("classification", hub_dataset()), load_dataset=hub)
    assert ids(task.train(20, seed=0)) == ids(task.train(20, seed=0))
    assert ids(task.train(20, seed=0)) != ids(task.train(20, seed=1))
    assert set(ids(task.train(20, seed=1))) <= set(ids(task.train(60, seed=1)))
    assert ids(task.train(None, seed=1)) == ids(task.train())


def test_unlabelled_examples_are_not_trained_on() -> None:
    table = {**glue(100), "label": [-1, 2] * 50}
    hub = hub_of({("owner/name", "config", "train"): table})
    task = Task(make_spec("classification", hub_dataset()), load_dataset=hub)
    labelled = {one.id for one in task.selection().examples if one.target == 2}
    assert {one.target for one in task.train().examples} == {2}
    assert len(task.train().examples) == 50 - len(labelled)
    assert len(task.selection().examples) == 10 > len(labelled)


# Splits and sources


def test_evaluation_leaves_train_alone() -> None:
    calls: list[dict[str, Any]] = []
    hub = hub_of({("owner/name", "config", "validation"): glue(5)}, calls)
    task = Task(make_spec("classification", hub_dataset()), load_dataset=hub)
    task.evaluation("validation")
    task.evaluation("validation", 2)
    assert [call["split"] for call in calls] == ["validation"]


def test_several_configs_are_subsets_and_caps_are_theirs() -> None:
    hub = hub_of(
        {
            ("owner/name", "middle", "test"): race(9, name="middle"),
            ("owner/name", "high", "test"): race(30, name="high"),
        }
    )
    dataset = hub_dataset(
        configs=["middle", "high"],
        concat="pool",
        eval_splits=["test"],
        rows={"test": {"middle": 9, "high": 31}},
    )
    task = Task(make_spec("choice", dataset), load_dataset=hub)
    whole = task.evaluation("test")
    assert whole.subsets == {"middle": 9, "high": 30}
    assert (whole.rows, whole.official, whole.availability) == (39, 40, "partial")
    assert task.evaluation("test", 6).subsets == {"middle": 6, "high": 6}
    assert task.evaluation("test", 10).subsets == {"middle": 9, "high": 9}


def test_ax_is_trained_from_mnli_and_unscorable() -> None:
    hub = hub_of(
        {
            ("nyu-mll/glue", "mnli", "train"): glue(100),
            ("nyu-mll/glue", "ax", "test"): glue(8, label=-1),
        }
    )
    mnli = make_spec(
        "classification", hub_dataset(path="nyu-mll/glue", configs=["mnli"]), name="glue/mnli"
    )
    dataset = hub_dataset(
        path="nyu-mll/glue",
        configs=["ax"],
        eval_splits=["test"],
        train_split=None,
        train_from="glue/mnli",
        rows={"test": 8},
    )
    train_task = Task(mnli, load_dataset=hub)
    task = Task(make_spec("classification", dataset, name="glue/ax"), train_task, load_dataset=hub)
    assert task.train(30).hash == train_task.train(30).hash
    assert task.selection().hash == train_task.selection().hash
    test = task.evaluation("test")
    assert {one.target for one in test.examples} == {None}
    assert (test.official, test.availability) == (8, "full")


def test_both_evaluation_splits_of_mnli_from_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made parquet of the official schema for splits that may be absent elsewhere."""
    monkeypatch.setenv("BENCHSUITE_DATA", str(tmp_path))
    for split, rows in (("validation_matched", 5), ("validation_mismatched", 7)):
        write_parquet(tmp_path / f"nyu-mll/glue/mnli/{split}.parquet", glue(rows, label=2))
    task = load_task("glue/mnli")
    found = [task.evaluation(split) for split in task.spec.dataset.eval_splits]
    assert [(one.rows, one.source, one.availability) for one in found] == [
        (5, "mirror", "partial"),
        (7, "mirror", "partial"),
    ]
    assert found[1].examples[0].split == "validation_mismatched"
    assert found[1].examples[0].target == task.spec.labels.index("contradiction") == 2
    with pytest.raises(DataUnavailable, match="bench data pull glue/mnli --to DIR"):
        task.train()


def test_qqp_validation_from_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_DATA", str(tmp_path))
    table = {
        "question1": ["How?", "Why?"],
        "question2": ["In what way?", "When?"],
        "label": [1, 0],
        "idx": [0, 1],
    }
    write_parquet(tmp_path / "nyu-mll/glue/qqp/validation.parquet", table)
    data = load_task("glue/qqp").evaluation("validation")
    assert [one.target for one in data.examples] == [1, 0]
    assert data.examples[0].fields == {"text": "How?", "text_pair": "In what way?"}


def test_ax_from_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_DATA", str(tmp_path))
    write_parquet(tmp_path / "nyu-mll/glue/ax/test.parquet", glue(4, label=-1))
    write_parquet(tmp_path / "nyu-mll/glue/mnli/train.parquet", glue(40, label=1))
    task = load_task("glue/ax")
    assert [one.target for one in task.evaluation("test").examples] == [None] * 4
    assert (len(task.train().examples), len(task.selection().examples)) == (36, 4)


def test_squad_v2_train_from_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_DATA", str(tmp_path))
    rows = 40
    table = {
        "id": [f"{row:024x}" for row in range(rows)],
        "title": ["Made"] * rows,
        "context": [f"passage {row // 4}" for row in range(rows)],
        "question": [f"question {row}" for row in range(rows)],
        "answers": [
            {"text": ["passage"] if row % 2 else [], "answer_start": [0] if row % 2 else []}
            for row in range(rows)
        ],
    }
    write_parquet(tmp_path / "rajpurkar/squad_v2/squad_v2/train.parquet", table)
    task = load_task("squad/v2")
    train, selection = task.train(), task.selection()
    assert (len(train.examples), len(selection.examples)) == (36, 4)
    assert not clusters(train) & clusters(selection)
    assert {one.target for one in train.examples} == {(), ("passage",)}
    assert (train.official, train.availability) == (130_319, "partial")


def test_local_files_are_all_a_task_needs(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", glue(30))
    write_jsonl(tmp_path / "test.jsonl", glue(6))
    dataset = {"files": {"train": "train.csv", "test": "test.jsonl"}, "eval_splits": ["test"]}
    task = Task(make_spec("classification", dataset, source=str(tmp_path / "task.yaml")))
    data = task.evaluation("test")
    assert (data.source, data.rows, data.official, data.availability) == ("files", 6, None, "full")
    assert (len(task.train().examples), len(task.selection().examples)) == (27, 3)


def test_a_task_without_train_says_so() -> None:
    task = Task(make_spec("minimal_pair", hub_dataset(train_split=None)))
    for call in (task.train, task.selection):
        with pytest.raises(NotApplicable, match="made/task has no training split"):
            call()


def test_an_unknown_split_is_named_with_the_near_miss() -> None:
    task = Task(make_spec("classification", hub_dataset(rows={"test": 3})))
    with pytest.raises(InputError, match=r"'validaton'; there are: validation, train, test; did"):
        task.evaluation("validaton")


def test_official_rows_of_a_config_and_of_all() -> None:
    dataset = make_spec(
        "choice",
        hub_dataset(configs=["a", "b"], concat="pool", rows={"test": {"a": 1, "b": 2}, "train": 7}),
    ).dataset
    assert official_rows(dataset, "test") == 3
    assert official_rows(dataset, "test", "b") == 2
    assert official_rows(dataset, "train") == 7
    assert official_rows(dataset, "train", "a") is None
    assert official_rows(dataset, "validation") is None


# Real data. Counts are those the data sets' papers and dataset cards give, not the task files'.

OFFICIAL = {
    "glue/cola": ("validation", 1043),
    "glue/sst2": ("validation", 872),
    "glue/mrpc": ("validation", 408),
    "glue/stsb": ("validation", 1500),
    "glue/rte": ("validation", 277),
    "glue/wnli": ("validation", 71),
    "glue/qnli": ("validation", 5463),
    "glue/mnli": ("validation_matched", 9815),
    "squad/v1": ("validation", 10570),
    "squad/v2": ("validation", 11873),
    "ner/conll2003": ("test", 3453),
    "race/middle": ("test", 1436),
    "race/high": ("test", 3498),
    "race/all": ("test", 4934),
    "blimp": ("train", 67000),
}

real = pytest.mark.skipif(
    not os.environ.get("BENCHSUITE_DATA"), reason="BENCHSUITE_DATA is not set: no real data"
)


@real
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_counts(name: str) -> None:
    split, rows = OFFICIAL[name]
    task = load_task(name)
    data = task.evaluation(split)
    assert split in task.spec.dataset.eval_splits
    assert (len(data.examples), data.rows, data.official) == (rows, rows, rows)
    assert data.availability == "full"
    assert len({(one.subset, one.id) for one in data.examples}) == rows
    assert None not in {one.target for one in data.examples}


@real
def test_real_details() -> None:
    """Facts the data sets' authors give."""
    squad = load_task("squad/v2").evaluation("validation")
    assert sum(one.target == () for one in squad.examples) == 5945
    assert len(clusters(squad)) == len({one.fields["context"] for one in squad.examples})
    blimp = load_task("blimp").evaluation("train", 5)
    assert len(blimp.subsets) == 67 and set(blimp.subsets.values()) == {5}
    conll = load_task("ner/conll2003")
    labels = conll.spec.labels
    starts = Counter(
        labels[tag][2:]
        for one in conll.evaluation("test").examples
        for tag in one.target
        if labels[tag].startswith("B-")
    )
    # Tjong Kim Sang and De Meulder 2003, table 2.
    assert starts == {"LOC": 1668, "MISC": 702, "ORG": 1661, "PER": 1617}


@real
def test_cola_and_its_selection() -> None:
    task = load_task("glue/cola")
    assert len(task.selection().examples) == 855
    assert len(task.train().examples) == 8551 - 855
    assert {one.target for one in task.selection().examples} == {0, 1}
