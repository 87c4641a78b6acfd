"""The schema of task files: what it refuses, and how it says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from benchsuite.errors import InputError
from benchsuite.metrics.measures import MEASURES
from benchsuite.tasks.kinds import CANONICAL_FIELDS, METHODS, METRICS
from benchsuite.tasks.registry import load_spec, load_suite, validate_dir
from benchsuite.tasks.spec import Dataset, Prompt, Suite, TaskSpec, Truncation
from benchsuite.tasks.task import load_task

SOUND = """\
version: 1
kind: classification
description: Moods of sentences.
dataset:
  path: somebody/moods
  configs: [default]
fields:
  text: sentence
  label: mood
labels: [sad, glad]
metrics: [accuracy]
prompts:
  - name: feels
    method: cloze
    template: "{{ text }} It feels"
    verbalizers: {sad: " bad", glad: " good"}
"""

# Prompt and labels of every kind, in their smallest form.
KINDS: dict[str, dict[str, Any]] = {
    "classification": {
        "fields": {"text": "a", "label": "b"},
        "labels": ["x", "y"],
        "metrics": ["matthews"],
        "prompts": [{"name": "p", "method": "threshold", "template": "{{ text }}"}],
    },
    "regression": {
        "fields": {"text": "a", "text_pair": "b", "label": "c"},
        "range": [0, 5],
        "metrics": ["pearson", "spearman"],
        "prompts": [
            {
                "name": "p",
                "method": "rating",
                "template": "{{ text }} {{ text_pair }}",
                "ratings": {" low": 0, " high": 5},
            }
        ],
    },
    "tagging": {
        "fields": {"tokens": "a", "tags": "b"},
        "labels": ["O", "B-X", "I-X", "B-Y"],
        "metrics": ["entity_f1"],
        "prompts": [
            {
                "name": "p",
                "method": "entity",
                "template": "{{ sentence }} {{ tokens | length }} {{ span }} is",
                "verbalizers": {"X": " x", "Y": [" y", " z"], "O": " nothing"},
            }
        ],
    },
    "span": {
        "fields": {"context": "a", "question": "b", "answers": "c", "title": "d"},
        "metrics": ["f1", "em"],
        "prompts": [
            {
                "name": "p",
                "method": "generate",
                "template": "{{ title }} {{ context }}",
                "stop": ["."],
            }
        ],
    },
    "choice": {
        "fields": {"question": "a", "options": "b", "label": "c"},
        "metrics": ["accuracy"],
        "prompts": [
            {
                "name": "p",
                "method": "choice",
                "template": "{{ question }}",
                "continuation": " {{ option }}",
                "norm": "byte",
            }
        ],
    },
    "minimal_pair": {
        "fields": {"good": "a", "bad": "b"},
        "metrics": ["accuracy"],
        "prompts": [{"name": "p", "method": "pair", "template": "{{ text }}"}],
    },
}


def task_file(folder: Path, text: str) -> Path:
    path = folder / "moods.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str) -> str:
    """What is said of a task file, after its path."""
    path = task_file(folder, text)
    with pytest.raises(InputError) as caught:
        load_spec(path, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


def test_sound_file_is_read(tmp_path: Path) -> None:
    spec = load_spec(task_file(tmp_path, SOUND), tmp_path)
    assert spec.id == "moods"
    assert spec.source == str(tmp_path / "moods.yaml")
    assert spec.dataset.eval_splits == ["validation"]
    assert spec.headline_metric == "accuracy"
    assert spec.positive_index == 1
    assert spec.prompts[0].verbalizers == {"sad": " bad", "glad": " good"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_smallest_sound_file(tmp_path: Path, kind: str) -> None:
    dataset = {"path": "somebody/thing", "configs": ["default"]}
    data = {"version": 1, "kind": kind, "description": "d", "dataset": dataset, **KINDS[kind]}
    spec = load_spec(task_file(tmp_path, yaml.safe_dump(data)), tmp_path)
    assert spec.kind == kind
    for field in KINDS[kind]["fields"]:
        smaller = {**data, "fields": {k: v for k, v in data["fields"].items() if k != field}}
        if field in ("title", "text_pair"):
            continue
        assert f"needs a column for `{field}`" in fault(tmp_path, yaml.safe_dump(smaller))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("description:", "descripton:", "3: unknown key `descripton`; did you mean `description`?"),
        ("configs:", "config:", "6: unknown key `dataset.config`; did you mean `configs`?"),
        (
            "    method",
            "    methode",
            "14: unknown key `prompts[0].methode`; did you mean `method`?",
        ),
        ("labels: [sad", "labels: [bad", "16: key `prompts[0].verbalizers`: verbalizers must name"),
        ("version: 1\n", "", "1: key `version` is missing"),
        ("version: 1", "version: one", "1: key `version`: input should be a valid integer"),
        ("version: 1", "version: 0", "1: key `version`: input should be greater than"),
        ("version: 1", "version: 1\nid: mine", "2: unknown key `id`"),
        ("[accuracy]", "[f2]", "11: key `metrics[0]`: metric `f2` is not one of accuracy"),
        ("[accuracy]", "[f1, f1]", "11: key `metrics`: a metric is named twice"),
        ("[accuracy]", "[]", "11: key `metrics`: "),
        ("  label: mood", "  lable: mood", "9: key `fields.lable`: field `lable` is not one"),
        ("classification", "clasification", "2: key `kind`: `clasification` is not one of"),
        ("classification", "generation", "2: key `kind`: kind `generation` is reserved"),
        ("cloze", "rating", "14: key `prompts[0].method`: method rating is not one of kind"),
        (
            "{{ text }} It",
            "{{ txt }} It",
            "15: key `prompts[0].template`: the template names `txt`",
        ),
        ("{{ text }} It", "{{ text It", "15: key `prompts[0].template`: the template is not valid"),
        ("{{ text }} It", "{{ text | foo }} It", "15: key `prompts[0].template`: the template is"),
        ("It feels", "It feels ", "15: key `prompts[0].template`: the template ends with white"),
        ('" bad"', '"bad"', "16: key `prompts[0].verbalizers.sad`: the continuation `bad` runs"),
        ('" bad"', '" "', "16: key `prompts[0].verbalizers.sad`: a continuation may not be empty"),
        ('" bad"', "[]", "16: key `prompts[0].verbalizers.sad`: label `sad` has no continuation"),
        ('" bad"', '" good"', "16: key `prompts[0].verbalizers.glad`: the continuation ` good`"),
        (
            "[sad, glad]",
            "[yes, no]",
            "10: key `labels[0]`: input should be a valid string, not true",
        ),
        ("[sad, glad]", "[sad]", "10: key `labels`: kind classification needs at least two"),
        ("[sad, glad]", "[sad, glad]\npositive: mad", "11: key `positive`: positive `mad` is not"),
        (
            "[sad, glad]",
            "[sad, glad]\nsimilarity: true",
            "11: key `similarity`: `similarity` goes with pairs",
        ),
        ("[sad, glad]", "[sad, glad]\nrange: [0, 1]", "11: key `range`: `range: [low, high]` goes"),
        ("  configs: [default]\n", "", "4: key `dataset`: a hub dataset needs `configs`"),
        ("[default]", "[one, two]", "6: key `dataset.configs`: several `configs` need `concat"),
        ("  path: somebody/moods\n", "", "4: key `dataset`: name either `path`"),
        ("[default]", "[default]\n  train_split: validation", "7: key `dataset.train_split`: a"),
        ("[default]", "[default]\n  eval_splits: []", "7: key `dataset.eval_splits`: at least one"),
        ("[default]", "[default]\n  verified: true", "7: key `dataset.verified`: only a commit"),
        (
            "[default]",
            "[default]\n  train_from: blimp",
            "7: key `dataset.train_from`: `train_from`",
        ),
        ("[default]", "[default]\n  rows: {test: {x: 1}}", "7: key `dataset.rows.test.x`: `x` is"),
        (
            "  path: somebody/moods",
            "  files: {train: a.csv, validation: b.csv}",
            "6: key `dataset.configs`: `configs` goes with a hub dataset",
        ),
        ("prompts:", "truncation: {shorten: label}\nprompts:", "12: key `truncation.shorten`"),
        ("    method: cloze", "    method: cloze\n    stop: [x]", "15: key `prompts[0].stop`"),
        (
            "cloze",
            "cloze\n    score: pmi",
            "15: key `prompts[0].score`: score pmi needs a `premise`",
        ),
        ("cloze", "cloze\n    premise: 'It '", "15: key `prompts[0].premise`: a premise is not"),
        ("cloze", "cloze\n    premise: ''", "15: key `prompts[0].premise`: a premise is not empty"),
        (
            "cloze",
            "cloze\n    premise: '{{ text }}'",
            "15: key `prompts[0].premise`: a premise is p",
        ),
        (
            "cloze",
            "cloze\n    score: calibrated\n    norm: byte",
            "16: key `prompts[0].norm`: score calibrated is divided by nothing",
        ),
        ("cloze", 'cloze\n    why: "a\\nb"', "15: key `prompts[0].why`: a reason is one line"),
    ],
)
def test_faults_name_line_key_and_near_miss(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SOUND
    assert fault(tmp_path, SOUND.replace(old, new)).startswith(said)


@pytest.mark.parametrize(
    "key", [key for key in TaskSpec.model_fields if key not in ("id", "source")]
)
def test_a_letter_lost_from_any_key_is_suggested(tmp_path: Path, key: str) -> None:
    wrong = key[:-2] + key[-1]
    message = fault(tmp_path, SOUND + f"{wrong}: 1\n")
    assert f"unknown key `{wrong}`; did you mean `{key}`?" in message


@pytest.mark.parametrize("key", [key for key in Prompt.model_fields if key != "name"])
def test_a_letter_lost_from_any_prompt_key_is_suggested(tmp_path: Path, key: str) -> None:
    wrong = key[:-2] + key[-1]
    message = fault(tmp_path, SOUND.replace("    method:", f"    {wrong}: 1\n    method:"))
    assert f"unknown key `prompts[0].{wrong}`; did you mean `{key}`?" in message


def test_a_repeated_key_is_refused(tmp_path: Path) -> None:
    message = fault(tmp_path, SOUND + "version: 2\n")
    assert message == "17: key `version` repeats the one of line 1"
    message = fault(tmp_path, SOUND.replace('sad: " bad"', 'sad: " bad", sad: " poor"'))
    assert message == "16: key `sad` repeats the one of line 16"


def test_malformed_yaml_is_one_line_with_line_and_column(tmp_path: Path) -> None:
    message = fault(tmp_path, SOUND.replace("labels: [sad, glad]", "labels: [sad, glad"))
    assert message == "11:8: malformed YAML: expected ',' or ']', but got ':'"
    assert fault(tmp_path, "version: !!python/object:os.system 1\n").startswith("1:10: malformed")
    assert fault(tmp_path, "version: \x07").startswith("1: malformed YAML: unacceptable character")
    assert fault(tmp_path, "- version").startswith("1: must be a mapping")
    assert fault(tmp_path, "").startswith("1: must be a mapping")


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "moods.yaml"
    path.write_bytes(b"version: \xff")
    with pytest.raises(InputError, match="not UTF-8"):
        load_spec(path, tmp_path)


def test_the_first_fault_counts_the_others(tmp_path: Path) -> None:
    text = SOUND.replace("version: 1", "version: one").replace("description", "descripton")
    message = fault(tmp_path, text)
    assert message.startswith("3: unknown key `descripton`; did you mean `description`?")
    assert message.endswith(f"(and 2 more: `bench tasks --validate {tmp_path}`)")


def test_tags_must_be_iob2(tmp_path: Path) -> None:
    dataset = {"path": "somebody/thing", "configs": ["default"]}
    data = {"version": 1, "kind": "tagging", "description": "d", "dataset": dataset}
    data |= KINDS["tagging"]
    for tags, said in (
        (["O", "X"], "tag `X` is not IOB2"),
        (["O", "I-X"], "lacks its `B-X`"),
        (["B-X", "I-X"], "the tags need `O`"),
        (["O", "B-X", "B-X"], "a label is named twice"),
    ):
        assert said in fault(tmp_path, yaml.safe_dump({**data, "labels": tags}))


def test_revisions_are_marked_until_they_are_verified(tmp_path: Path) -> None:
    def dataset(lines: str) -> Any:
        text = SOUND.replace("[default]", "[default]" + lines)
        return load_spec(task_file(tmp_path, text), tmp_path).dataset

    commit = "0123456789" * 4
    assert dataset("").revision_label == "unverified"
    assert dataset("").hub_revision is None
    found = dataset(f"\n  revision: '{commit}'")
    assert (found.revision_label, found.hub_revision) == (f"{commit} (unverified)", commit)
    assert dataset("\n  revision: refs/convert/parquet").revision_label.endswith(" (unverified)")
    assert dataset(f"\n  revision: '{commit}'\n  verified: true").revision_label == commit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("description: d\ntasks: [a, a]\n", "2: key `tasks`: a task is named twice"),
        ("description: d\ntasks: []\n", "2: key `tasks`: "),
        ("description: d\ntasks: [a]\nlimit: 0\n", "3: key `limit`: "),
        ("description: d\ntasks: [a]\nlimits: {b: 5}\n", "3: key `limits.b`: `b` is not a task of"),
        ("description: d\ntask: [a]\n", "2: unknown key `task`; did you mean `tasks`?"),
    ],
)
def test_faults_of_suites(tmp_path: Path, text: str, said: str) -> None:
    path = task_file(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_suite(path)
    assert str(caught.value).removeprefix(f"{path}:").startswith(said)


DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-task.md"


def test_the_documented_task_is_sound(tmp_path: Path) -> None:
    blocks = re.findall(r"```(csv|yaml)\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert [language for language, _ in blocks] == ["csv", "csv", "yaml", "yaml"]
    names = ("train.csv", "test.csv", "moods.yaml", "suites/quick.yaml")
    (tmp_path / "suites").mkdir()
    for name, (_, text) in zip(names, blocks, strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert validate_dir(tmp_path) == []
    assert len(blocks[2][1].splitlines()) <= 21
    examples = load_task("moods", [tmp_path]).evaluation("validation").examples
    assert [example.target for example in examples] == [0, 1, 0, 1]


@pytest.mark.parametrize("model", [TaskSpec, Dataset, Truncation, Prompt, Suite])
def test_every_key_is_documented(model: type[BaseModel]) -> None:
    documented = DOCUMENT.read_text("utf-8")
    for key in model.model_fields:
        if (model, key) not in [(TaskSpec, "id"), (TaskSpec, "source"), (Suite, "id")]:
            assert f"`{key}`" in documented


def test_documented_kinds_and_methods_are_those_of_the_schema() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    for kind in CANONICAL_FIELDS:
        (cells,) = [cells for name, cells in rows if name == kind and cells.count("|") == 3]
        required, optional, answer = CANONICAL_FIELDS[kind]
        fields, answers, metrics, methods = cells.split("|")
        assert set(re.findall("`(.*?)`", fields)) == {*required, *optional}
        assert answer is None or f"`{answer}`" in answers
        assert tuple(re.findall("`(.*?)`", metrics)) == METRICS[kind]
        assert tuple(re.findall("`(.*?)`", methods)) == METHODS[kind]


def test_metrics_of_the_schema_are_those_that_can_be_computed() -> None:
    assert {kind: set(names) for kind, names in MEASURES.items()} == {
        kind: set(names) for kind, names in METRICS.items()
    }


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        # The options of a choice vary: there is no label whose bias could be divided out.
        ("choice", "calibrated is not one of method choice: likelihood, pmi"),
        ("minimal_pair", "method pair does not read `score`"),
        ("span", "method generate does not read `score`"),
        ("classification", "method threshold does not read `score`"),
    ],
)
def test_no_calibration_without_fixed_labels(tmp_path: Path, kind: str, message: str) -> None:
    keys = KINDS[kind]
    [prompt] = keys["prompts"]
    task = {
        "version": 1,
        "kind": kind,
        "description": "made",
        "dataset": {"path": "somebody/something", "configs": ["default"]},
        **keys,
        "prompts": [prompt | {"score": "calibrated"}],
    }
    assert message in fault(tmp_path, yaml.safe_dump(task, sort_keys=False))
