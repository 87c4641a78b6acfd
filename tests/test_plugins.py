"""A toy package with a model, a regime and a metric, found through its entry points."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import benchsuite
from benchsuite.errors import InputError
from tests.tiny import tiny_gpt2

MODULE = '''\
"""A toy plugin: always answers with the first label."""

from benchsuite.regimes.base import Options, Variant
from benchsuite.tasks.example import Prediction


def model():
    return {folder!r}


class FirstOptions(Options):
    index: int = 0


class First:
    name = "first"
    version = 1
    summary = "answers with one label"
    trains = "nothing"
    source = "tests"
    options = FirstOptions
    positional = "index"
    randomized = False

    def reason_not_applicable(self, task, family):
        return None if task.spec.kind == "classification" else "classification only"

    def labels_used(self, task, cell):
        return 0

    def train_data(self, task, cell):
        return {{}}

    def fit(self, model, task, cell, scratch):
        self.index = cell.regime.options.get("", 0)
        return self

    def predict(self, examples):
        said = [Prediction(value=self.index) for _ in examples]
        return [Variant(prompt="", score="head", norm="none", predictions=said)]

    def state(self):
        return {{}}


class Errors:
    """Share of wrong answers."""

    kinds = ("classification",)

    def value(self, columns, counts):
        return 1 - float((columns["credit"] * counts).sum() / counts.sum())


ERRORS = Errors()
'''

TASK = """\
version: 1
kind: classification
description: a made task
dataset: {files: {validation: v.jsonl}, train_split: null}
fields: {text: text, label: label}
labels: [bad, good]
metrics: [accuracy, "plugin:errors"]
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that looks like an installed distribution; a task beside it."""
    site = tmp_path / "site"
    info = site / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    folder = tiny_gpt2(tmp_path / "checkpoint")
    (site / "toy_benchsuite.py").write_text(MODULE.format(folder=str(folder)))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[benchsuite.models]\ntoy = toy_benchsuite:model\n"
        "[benchsuite.regimes]\nfirst = toy_benchsuite:First\n"
        "[benchsuite.metrics]\nerrors = toy_benchsuite:ERRORS\n"
    )
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "made.yaml").write_text(TASK)
    rows = [f'{{"text": "text {i}", "label": {int(i < 3)}}}' for i in range(10)]
    (tasks / "v.jsonl").write_text("\n".join(rows) + "\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "toy_benchsuite", raising=False)
    return tasks


def test_a_toy_plugin_runs(plugin: Path, tmp_path: Path) -> None:
    found = benchsuite.run(
        "toy", "first,first:1", "made", tasks_dir=[plugin], store=tmp_path / "store"
    )
    assert [record.reason for record in found] == [None, None]
    shares = {
        (record.cell["regime"], row.metric): row.value
        for record in found
        for row in record.results
        if row.subset == ""
    }
    assert shares == {
        ("first", "accuracy"): pytest.approx(0.7),
        ("first", "plugin:errors"): pytest.approx(0.3),
        ("first:1", "accuracy"): pytest.approx(0.3),
        ("first:1", "plugin:errors"): pytest.approx(0.7),
    }
    [other] = benchsuite.run("toy", "first", "mini/similarity", limit=2, store=tmp_path / "store")
    assert other.status == "not_applicable" and other.reason == "classification only"


def test_without_the_plugin_its_names_are_unknown(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first"):
        benchsuite.run("gpt", "first", "mini/sentiment", store=tmp_path / "store")
    with pytest.raises(InputError, match="toy"):
        benchsuite.run("toy", "zeroshot", "mini/sentiment", store=tmp_path / "store")
