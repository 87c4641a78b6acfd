"""The task files of the mini suite against the schema and against their data."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchsuite.tasks.spec import Suite, TaskSpec

TASKS = Path(__file__).resolve().parents[2] / "tasks"
FILES = sorted((TASKS / "mini").glob("*.yaml"))


def read(file: Path) -> TaskSpec:
    return TaskSpec.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_the_suite_names_every_task_once() -> None:
    text = (TASKS / "suites" / "mini.yaml").read_text(encoding="utf-8")
    suite = Suite.model_validate(yaml.safe_load(text))
    assert sorted(suite.tasks) == [f"mini/{file.stem}" for file in FILES]


def test_every_kind_and_both_forms_of_classification_are_there() -> None:
    forms = sorted((spec.kind, spec.is_pair) for spec in map(read, FILES))
    assert forms == [
        ("choice", False),
        ("classification", False),
        ("classification", False),
        ("classification", True),
        ("minimal_pair", False),
        ("regression", True),
        ("span", False),
        ("tagging", False),
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_are_those_of_the_files(file: Path) -> None:
    spec = read(file)
    counted = {
        split: len((file.parent / name).read_text(encoding="utf-8").splitlines())
        for split, name in spec.dataset.files.items()
    }
    assert spec.dataset.rows == counted
    assert set(spec.dataset.eval_splits) <= set(counted)


def test_the_branches_that_the_suite_exercises() -> None:
    specs = {file.stem: read(file) for file in FILES}
    assert specs["span"].cluster == specs["choice"].cluster == "context"
    assert len(specs["entailment"].dataset.eval_splits) == 2
    assert specs["minimal_pairs"].group == "phenomenon"
    assert len(specs["sentiment"].prompts) >= 2
    verbalizers = [v for prompt in specs["sentiment"].prompts for v in prompt.verbalizers.values()]
    assert any(len(str(words).split()) > 1 for words in verbalizers)
    assert any(prompt.no_answer for prompt in specs["span"].prompts)
