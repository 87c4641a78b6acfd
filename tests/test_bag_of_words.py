"""The bag of words: what it learns, against scikit-learn's own pipeline, and where it is shown."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import benchsuite
from benchsuite.metrics.bag_of_words import PENALTIES, bag_of_words
from benchsuite.report import markdown, table
from benchsuite.tasks.example import Example
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.spec import TaskSpec
from tests.training.made import made_task

WORDS = ["river", "house", "garden", "teacher", "child", "bird", "winter", "letter", "road", "song"]
MARKS = ("awful", "lovely")


def examples_of(number: int, seed: int, **given: Any) -> list[Example]:
    """Texts of random words; one word of eight gives the label away, most of the time."""
    draw = random.Random(seed)
    found = []
    for index in range(number):
        label = draw.randrange(2)
        mark = MARKS[label if draw.random() < 0.9 else 1 - label]
        text = " ".join([*draw.choices(WORDS, k=7), mark])
        fields = {"text": text, **given}
        found.append(Example(str(index), "validation", "", str(index), "", fields, label))
    return found


@pytest.fixture(scope="module")
def sst2() -> TaskSpec:
    return Registry().get("glue/sst2")


def test_it_is_scikit_learn_s_pipeline(sst2: TaskSpec) -> None:
    train, select, asked = examples_of(200, 0), examples_of(50, 1), examples_of(300, 2)
    best, chosen = -1.0, None
    for penalty in PENALTIES:
        pipeline = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),
            LogisticRegression(C=1 / penalty, max_iter=200),
        ).fit([one.fields["text"] for one in train], [one.target for one in train])
        right = pipeline.score(
            [one.fields["text"] for one in select], [one.target for one in select]
        )
        if right > best:
            best, chosen = right, pipeline
    assert chosen is not None
    expected = chosen.score([one.fields["text"] for one in asked], [one.target for one in asked])
    assert bag_of_words(sst2, train, select, asked) == pytest.approx(expected)
    assert expected > 0.85


def test_of_two_texts_it_sees_the_words_that_both_have() -> None:
    task = Registry().get("glue/stsb")
    draw = random.Random(0)

    def pairs(number: int) -> list[Example]:
        found = []
        for index in range(number):
            first = draw.sample(WORDS, 4)
            shared = draw.randrange(5)
            others = [word for word in WORDS if word not in first]
            second = [*first[:shared], *draw.sample(others, 4 - shared)]
            fields = {"text": " ".join(first), "text_pair": " ".join(second)}
            found.append(
                Example(str(index), "validation", "", str(index), "", fields, float(shared))
            )
        return found

    train, select, asked = pairs(300), pairs(60), pairs(200)
    found = bag_of_words(task, train, select, asked)
    assert found is not None and found > 0.8
    # A constant would have no correlation at all; the number itself has all of it.
    gold = [one.target for one in asked]
    assert spearmanr(gold, gold).statistic == pytest.approx(1.0)


def test_where_there_is_nothing_to_learn_there_is_no_baseline(
    sst2: TaskSpec, tmp_path: Path
) -> None:
    train = examples_of(20, 0)
    assert bag_of_words(sst2, [one for one in train if one.target == 0], [], train) is None
    assert bag_of_words(sst2, [], [], train) is None
    tagging = made_task(tmp_path, "tagging")
    learned = tagging.train().examples
    assert bag_of_words(tagging.spec, learned, [], learned) is None


def test_records_of_trained_regimes_have_it_and_tables_show_it(
    tiny_bert_folder: Path, tmp_path: Path
) -> None:
    made_task(tmp_path / "tasks", "classification", examples=40)
    settings: dict[str, Any] = {"tasks_dir": [tmp_path / "tasks"], "store": tmp_path / "store"}
    [probe] = benchsuite.run(str(tiny_bert_folder), "probe", "classification", **settings)
    value = probe.baselines["bag_of_words"]
    assert value is not None and 0 <= value <= 1
    text = markdown.render(table.build([probe]))
    assert "| bag of words | baseline |" in text
    other = probe.model_copy(deep=True)
    other.cell |= {"task": "other", "key": "other", "train_limit": 30}
    capped = other.model_copy(deep=True)
    capped.cell |= {"task": "third", "key": "third"}
    capped.labels_used = 3  # of the selection slice there are fewer: the row is that of the cap
    [board] = table.build([probe, other, capped])
    rows = {name: set(values) for name, values in board.references}
    assert rows["bag of words"] == {"classification"}
    assert rows["bag of words (30 training examples)"] == {"other", "third"}
    made_task(tmp_path / "tasks", "span")
    [span] = benchsuite.run(str(tiny_bert_folder), "probe", "span", **settings)
    assert "bag_of_words" not in span.baselines


def test_labels_at_random_teach_it_nothing(
    sst2: TaskSpec,
) -> None:
    noise = examples_of(100, 5)
    shuffled = [
        Example(one.id, one.split, "", one.id, "", one.fields, target)
        for one, target in zip(
            noise, np.random.default_rng(0).integers(0, 2, len(noise)).tolist(), strict=True
        )
    ]
    found = bag_of_words(sst2, shuffled, [], examples_of(400, 6))
    assert found is not None and abs(found - 0.5) < 0.2
