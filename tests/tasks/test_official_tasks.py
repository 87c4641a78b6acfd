"""The bundled official tasks against their sources: cards, lm-eval's task files, the mirror."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from benchsuite.paths import tasks_root
from benchsuite.tasks.data import columns_in_use, table_path
from benchsuite.tasks.describe import describe, listing
from benchsuite.tasks.registry import Registry, validate_dir
from benchsuite.tasks.spec import TaskSpec
from benchsuite.tasks.task import Task, official_rows

MIRROR = os.environ.get("BENCHSUITE_DATA")
needs_mirror = pytest.mark.skipif(not MIRROR, reason="BENCHSUITE_DATA is not set")

REGISTRY = Registry()
OFFICIAL = [task for task in REGISTRY.ids() if not task.startswith("mini/")]

# From the datasets' cards and papers: (scored split -> rows), rows of train, metrics.
CARDS: dict[str, tuple[dict[str, int], int | None, list[str]]] = {
    "glue/cola": ({"validation": 1043}, 8551, ["matthews", "accuracy"]),
    "glue/sst2": ({"validation": 872}, 67349, ["accuracy"]),
    "glue/mrpc": ({"validation": 408}, 3668, ["f1", "accuracy"]),
    "glue/stsb": ({"validation": 1500}, 5749, ["pearson", "spearman"]),
    "glue/qqp": ({"validation": 40430}, 363846, ["f1", "accuracy"]),
    "glue/mnli": (
        {"validation_matched": 9815, "validation_mismatched": 9832},
        392702,
        ["accuracy"],
    ),
    "glue/qnli": ({"validation": 5463}, 104743, ["accuracy"]),
    "glue/rte": ({"validation": 277}, 2490, ["accuracy"]),
    "glue/wnli": ({"validation": 71}, 635, ["accuracy"]),
    "glue/ax": ({"test": 1104}, None, ["matthews"]),
    "squad/v1": ({"validation": 10570}, 87599, ["f1", "em"]),
    "squad/v2": ({"validation": 11873}, 130319, ["f1", "em"]),
    "ner/conll2003": ({"test": 3453}, 14041, ["entity_f1"]),
    "race/middle": ({"test": 1436}, 25421, ["accuracy"]),
    "race/high": ({"test": 3498}, 62445, ["accuracy"]),
    "race/all": ({"test": 4934}, 87866, ["accuracy"]),
    "blimp": ({"train": 67000}, None, ["accuracy"]),
}


def test_every_bundled_file_is_sound() -> None:
    assert validate_dir(tasks_root()) == []


def test_all_official_tasks_are_there() -> None:
    assert set(OFFICIAL) == set(CARDS)


@pytest.mark.parametrize("task_id", CARDS)
def test_splits_rows_and_metrics_are_those_of_the_cards(task_id: str) -> None:
    scored, train, metrics = CARDS[task_id]
    spec = REGISTRY.get(task_id)
    dataset = spec.dataset
    assert {split: official_rows(dataset, split) for split in dataset.eval_splits} == scored
    assert spec.metrics == metrics
    if train is None:
        assert dataset.train_split is None
    else:
        assert dataset.train_split is not None
        assert official_rows(dataset, dataset.train_split) == train
    assert spec.citation
    assert spec.licence
    assert spec.prompts


def test_special_sources() -> None:
    ax, blimp = REGISTRY.get("glue/ax").dataset, REGISTRY.get("blimp")
    assert ax.train_from == "glue/mnli"
    assert REGISTRY.get("glue/ax").labels == REGISTRY.get("glue/mnli").labels
    assert REGISTRY.get("race/all").dataset.concat == "pool"
    assert blimp.dataset.concat == "mean"
    assert blimp.group == "field"
    assert REGISTRY.get("ner/conll2003").dataset.revision == "refs/convert/parquet"
    for task_id in OFFICIAL:
        assert REGISTRY.get(task_id).dataset.revision_label.endswith("(unverified)")
    for task_id in ("squad/v1", "squad/v2", "race/middle", "race/high", "race/all"):
        assert REGISTRY.get(task_id).cluster == "context"


def test_suites_hold_what_they_are_named_for() -> None:
    assert set(REGISTRY.suite("glue").tasks) == {t for t in OFFICIAL if t.startswith("glue/")}
    assert set(REGISTRY.suite("all").tasks) == set(OFFICIAL)
    assert REGISTRY.suite("core").tasks == [
        "glue/cola",
        "glue/sst2",
        "glue/mrpc",
        "glue/stsb",
        "glue/rte",
        "glue/qnli",
        "squad/v1",
        "ner/conll2003",
        "race/middle",
        "blimp",
    ]
    for name in ("glue", "core", "all"):
        assert REGISTRY.suite(name).limit is not None


@pytest.mark.parametrize("task_id", OFFICIAL)
def test_alternatives_of_a_prompt_begin_with_a_space(task_id: str) -> None:
    for prompt in REGISTRY.get(task_id).prompts:
        for words in prompt.verbalizers.values():
            for word in [words] if isinstance(words, str) else words:
                assert re.fullmatch(r" \S.*\S", word)
        assert all(re.fullmatch(r" \S+", word) for word in prompt.ratings)


def _lm_eval_tasks() -> Path:
    lm_eval = pytest.importorskip("lm_eval")
    return Path(lm_eval.__file__).parent / "tasks"


class _Plain(yaml.SafeLoader):
    """Reads lm-eval's files without running what they name."""


_Plain.add_constructor("!function", lambda loader, node: node.value)


def _lm_eval_task(name: str) -> dict[str, Any]:
    text = (_lm_eval_tasks() / name).read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=_Plain))


# lm-eval's words, in the hub's coding of labels -> the direction of ours.
_POLARITY = {
    "positive": "good",
    "negative": "bad",
    "great": "good",
    "terrible": "bad",
    "true": "good",
    "yes": "good",
    "false": "bad",
    "no": "bad",
    "neither": "middle",
    "maybe": "middle",
}


@pytest.mark.parametrize("task", ["sst2", "mrpc", "qqp", "mnli", "qnli", "rte", "wnli"])
def test_label_coding_agrees_with_lm_eval(task: str) -> None:
    theirs = _lm_eval_task(f"glue/{task}/default.yaml")
    assert theirs["dataset_path"] == REGISTRY.get(f"glue/{task}").dataset.path
    assert [theirs["dataset_name"]] == REGISTRY.get(f"glue/{task}").dataset.configs
    expected = [_POLARITY[word.lower()] for word in theirs["doc_to_choice"]]
    spec = REGISTRY.get(f"glue/{task}")
    for prompt in spec.prompts:
        words = [str(prompt.verbalizers[label]).strip().lower() for label in spec.labels]
        assert [_POLARITY[word] for word in words] == expected


def test_paradigms_of_blimp_agree_with_lm_eval() -> None:
    files = [path.name for path in (_lm_eval_tasks() / "blimp").glob("*.yaml")]
    theirs = {_lm_eval_task(f"blimp/{name}")["dataset_name"] for name in files if name[0] != "_"}
    assert set(REGISTRY.get("blimp").dataset.configs) == theirs
    assert len(theirs) == 67


def _mirrored(spec: TaskSpec) -> list[Path]:
    """Tables of a task that are in the mirror."""
    splits = dict.fromkeys([*spec.dataset.eval_splits, "train"])
    paths = [table_path(spec, config, s) for config in spec.dataset.configs for s in splits]
    return [path for path in (Path(str(MIRROR)) / path for path in paths) if path.is_file()]


@needs_mirror
@pytest.mark.parametrize("task_id", OFFICIAL)
def test_mapped_columns_are_in_the_data(task_id: str) -> None:
    spec = REGISTRY.get(task_id)
    tables = _mirrored(spec)
    if not tables:
        pytest.skip(f"the mirror has nothing of {task_id}")
    for table in tables:
        assert set(columns_in_use(spec)) <= set(pq.read_schema(table).names)


@needs_mirror
@pytest.mark.parametrize("task_id", OFFICIAL)
def test_scored_splits_hold_the_official_rows(task_id: str) -> None:
    spec = REGISTRY.get(task_id)
    for split, rows in CARDS[task_id][0].items():
        if any(
            not (Path(str(MIRROR)) / table_path(spec, config, split)).is_file()
            for config in spec.dataset.configs
        ):
            pytest.skip(f"the mirror lacks {task_id} {split}")
        data = Task(spec, offline=True).evaluation(split)
        assert data.rows == rows
        assert data.availability == "full"
        assert len({(one.subset, one.id) for one in data.examples}) == rows


@needs_mirror
def test_fields_of_blimp_are_the_four_of_its_paper() -> None:
    examples = Task(REGISTRY.get("blimp"), offline=True).evaluation("train", 1).examples
    # Table 2 of the paper: paradigms by field.
    counts = Counter(one.group for one in examples)
    assert set(counts) == {"morphology", "syntax", "semantics", "syntax_semantics"}
    assert sum(counts.values()) == 67


@needs_mirror
def test_clusters_are_passages() -> None:
    squad = Task(REGISTRY.get("squad/v1"), offline=True).evaluation("validation").examples
    assert len({one.cluster for one in squad}) == len({one.fields["context"] for one in squad})
    assert len({one.cluster for one in squad}) < len(squad) / 4


@needs_mirror
def test_a_task_is_shown_with_its_prompts() -> None:
    shown = describe(REGISTRY, "glue/sst2", 3)
    assert len(shown["examples"]) == 3
    for example in shown["examples"]:
        assert example["answer"] in ("negative", "positive")
        (very,) = [p for p in example["prompts"] if p["prompt"] == "very"]
        (request,) = very["requests"]
        assert request["context"] == f"{example['fields']['text'].strip()} very"
        assert request["continuations"] == [" negative", " positive"]


def test_a_task_without_data_is_shown_without_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHSUITE_DATA", raising=False)
    shown = describe(REGISTRY, "glue/ax")
    assert shown["examples"] == []
    assert "bench data pull glue/ax" in shown["unavailable"]
    assert shown["train"] == "glue/mnli"


def test_the_list_has_a_row_a_task() -> None:
    rows = {row["task"]: row for row in listing(REGISTRY)}
    assert set(rows) == set(REGISTRY.ids())
    assert rows["glue/mnli"]["examples"] == 9815 + 9832
    assert rows["blimp"]["suites"] == "all, core"
