"""Where tasks are found, and what a clash or a stray path is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.errors import InputError
from benchsuite.tasks.registry import Registry, load_spec, validate_dir

LOCAL = """\
version: 1
kind: classification
description: Moods of sentences.
dataset:
  files: {train: train.csv, validation: test.csv}
fields: {text: sentence, label: mood}
labels: [sad, glad]
metrics: [accuracy]
"""
ROWS = "sentence,mood\nrain again,sad\nthe sun is out,glad\n"


def folder_with(root: Path, name: str = "moods", text: str = LOCAL) -> Path:
    """A user's folder with one task and its data."""
    path = root / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for file in ("train.csv", "test.csv"):
        (path.parent / file).write_text(ROWS, encoding="utf-8")
    return root


def test_bundled_tasks_and_suites_are_there() -> None:
    registry = Registry()
    assert {"glue/sst2", "squad/v2", "ner/conll2003", "race/all", "blimp"} <= set(registry.ids())
    assert {"core", "glue", "all"} <= set(registry.suites())
    assert not any(task.startswith("suites") for task in registry.ids())
    assert registry.get("glue/sst2").id == "glue/sst2"
    assert registry.get("glue/sst2") is registry.get("glue/sst2")


def test_user_folders_are_added(tmp_path: Path) -> None:
    registry = Registry([folder_with(tmp_path, "mine/moods")])
    assert "mine/moods" in registry.ids()
    spec = registry.get("mine/moods")
    assert spec.id == "mine/moods"
    assert Path(spec.source) == tmp_path / "mine" / "moods.yaml"
    assert validate_dir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [("glue/sst", "glue/sst2"), ("sst2", "glue/sst2"), ("race/midle", "race/middle")],
)
def test_unknown_tasks_are_told_with_a_suggestion(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"unknown task `{name}`; did you mean .*`{near}`"):
        Registry().get(name)
    with pytest.raises(InputError, match="^unknown task `qwertz` "):
        Registry().get("qwertz")


def test_unknown_suites_are_told_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="unknown suite `cor`; did you mean `core`"):
        Registry().suite("cor")


def test_ids_may_not_clash(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "glue/sst2")
    with pytest.raises(InputError, match=r"id `glue/sst2` is already taken by .*; rename"):
        Registry([folder])
    (line,) = validate_dir(folder)
    assert "a bundled task is already called `glue/sst2`; rename the file" in line
    other = folder_with(tmp_path / "other")
    with pytest.raises(InputError, match="id `moods` is already taken"):
        Registry([other, folder_with(tmp_path / "third")])
    suites = tmp_path / "fourth" / "suites"
    suites.mkdir(parents=True)
    (suites / "core.yaml").write_text("description: d\ntasks: [blimp]\n")
    with pytest.raises(InputError, match="suite `core` is already defined"):
        Registry([tmp_path / "fourth"])
    (line,) = validate_dir(tmp_path / "fourth")
    assert "a bundled suite is already called `core`" in line


def test_missing_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tasks folder .* does not exist"):
        Registry([tmp_path / "nowhere"])
    assert validate_dir(tmp_path / "nowhere") == [f"{tmp_path / 'nowhere'} is not a folder"]
    assert validate_dir(tmp_path) == [f"{tmp_path} has no task files (NAME.yaml)"]


@pytest.mark.parametrize("name", ["lm-eval:arc", "a,b", "two words", "moods@2", ".hidden"])
def test_ids_that_the_command_line_cannot_spell_are_refused(tmp_path: Path, name: str) -> None:
    folder = folder_with(tmp_path, name)
    with pytest.raises(InputError, match="may hold letters, digits and"):
        load_spec(folder / f"{name}.yaml", folder)


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/outside.csv", "data/../../outside.csv"])
def test_data_files_stay_beside_their_task(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.csv").write_text(ROWS)
    folder = folder_with(tmp_path / "tasks", text=LOCAL.replace("test.csv", name))
    with pytest.raises(InputError, match=r":5: key `dataset.files.validation`: .* leads out of"):
        Registry([folder]).get("moods")


def test_links_do_not_lead_out_either(tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text(ROWS)
    folder = folder_with(tmp_path / "tasks")
    (folder / "test.csv").unlink()
    (folder / "test.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(InputError, match="leads out of the folder"):
        Registry([folder]).get("moods")


def test_data_files_must_exist_and_be_of_a_known_type(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, text=LOCAL.replace("test.csv", "tset.csv"))
    with pytest.raises(InputError, match="`tset.csv` does not exist beside the task file"):
        Registry([folder]).get("moods")
    folder = folder_with(tmp_path, text=LOCAL.replace("test.csv", "test.txt"))
    with pytest.raises(InputError, match="is not one of .csv, .jsonl, .parquet"):
        Registry([folder]).get("moods")


def test_validation_lists_every_fault(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, text=LOCAL.replace("metrics", "metric") + "cluter: a\n")
    folder_with(tmp_path / "sub", "other", LOCAL + "truncation: {shorten: label}\n")
    folder_with(tmp_path / "sub", "badly", LOCAL.replace("text: sentence", "text: sentnce"))
    (folder / "third.yml").write_text("version: 1\n")
    (folder / "suites").mkdir()
    (folder / "suites" / "own.yaml").write_text("description: d\ntasks:\n  - blmp\n  - moods\n")
    lines = validate_dir(folder)
    said = [line.removeprefix(f"{tmp_path}/") for line in lines]
    assert len(lines) == 8
    assert all("\n" not in line for line in lines)
    for expected in (
        "moods.yaml:8: unknown key `metric`; did you mean `metrics`?",
        "moods.yaml:9: unknown key `cluter`; did you mean `cluster`?",
        "moods.yaml:1: key `metrics` is missing",
        "sub/other.yaml:9: key `truncation.shorten`: `label` cannot be shortened, only text",
        "suites/own.yaml:3: unknown task `blmp`; did you mean `blimp`? (`bench tasks` lists them)",
        "third.yml: a task file ends in .yaml; rename it",
    ):
        assert expected in said
    of_data = [line for line in said if line.startswith("sub/badly.yaml")]
    assert len(of_data) == 2  # one a file
    for line in of_data:
        assert "has no column 'sentnce'" in line
        assert "did you mean 'sentence'?" in line


def test_the_task_trained_from_must_exist(tmp_path: Path) -> None:
    text = LOCAL.replace("  files:", "  train_from: glue/mnly\n  train_split: null\n  files:")
    folder = folder_with(tmp_path, text=text)
    (line,) = validate_dir(folder)
    assert line.startswith(f"{folder}/moods.yaml:5: unknown task `glue/mnly`; did you mean")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[sad, glad]", "[glad, sad]", "`labels` is ['glad', 'sad'] here and ['sad', 'glad'] in"),
        ("[sad, glad]", "[sad, glad, both]", "`labels` is ['sad', 'glad', 'both'] here"),
        ("fields: {", "fields: {text_pair: sentence, ", "`fields` is ['label', 'text', 'text_p"),
    ],
)
def test_the_task_trained_from_must_be_learned_alike(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    folder = folder_with(tmp_path, text=LOCAL)
    other = LOCAL.replace("  files:", "  train_from: moods\n  train_split: null\n  files:")
    (folder / "more.yaml").write_text(other)
    assert validate_dir(folder) == []
    assert other.count(old) == 1
    (folder / "more.yaml").write_text(other.replace(old, new))
    (line,) = validate_dir(folder)
    assert line.startswith(f"{folder}/more.yaml:5: key `dataset.train_from`: {said}")
    with pytest.raises(InputError, match="they must be the same"):
        Registry([folder]).get("more")


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from benchsuite.tasks.registry import Registry; Registry().suite('all');"
        "Registry().get('blimp');"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'pyarrow', 'sklearn', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
