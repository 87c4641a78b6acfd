"""What is refused before anything runs, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.api import prepare
from benchsuite.errors import InputError

SCORED_ON_ITS_LABELS = "takes labels from the split it would be scored on, "


@pytest.fixture(scope="module")
def model(tiny_gpt2_folder: Path) -> str:
    """A tiny decoder on disk."""
    return str(tiny_gpt2_folder)


@pytest.mark.parametrize(
    ("regime", "task"),
    [
        ("fewshot:4", "mini/sentiment"),
        ("fewshot:4", "mini/tagging"),
        ("zeroshot:threshold=tuned", "mini/acceptability"),
    ],
)
@pytest.mark.parametrize("split", ["train", "validation,train"])
def test_labels_are_not_taken_from_a_split_that_is_scored(
    model: str, regime: str, task: str, split: str
) -> None:
    with pytest.raises(InputError, match=SCORED_ON_ITS_LABELS + "train") as caught:
        prepare(model, regime, task, split=split)
    assert task in str(caught.value) and "\n" not in str(caught.value)
    assert prepare(model, regime, task).cells


def test_one_cell_however_its_regime_is_spelled(model: str) -> None:
    spelled = "fewshot,fewshot:4,fewshot:k=4+balanced=false,fewshot:balanced=true,fewshot:8"
    cells = prepare(model, spelled, "mini/sentiment", seeds=[0, 1]).cells
    assert [(str(one.regime), one.seed) for one in cells] == [
        (regime, seed)
        for regime in ("fewshot", "fewshot:balanced=true", "fewshot:8")
        for seed in (0, 1)
    ]


@pytest.mark.parametrize("layer", [3, -4, 99])
@pytest.mark.parametrize("folder", ["tiny_gpt2_folder", "tiny_bert_folder", "tiny_t5_folder"])
def test_a_layer_the_model_has_not_is_refused(
    request: pytest.FixtureRequest, folder: str, layer: int
) -> None:
    path = str(request.getfixturevalue(folder))
    says = f"layer={layer}: .* has 2 layers; write 0 .* to 2, or -1 .* to -3"
    with pytest.raises(InputError, match=says):
        prepare(path, f"zeroshot,embed:layer={layer}", "mini/choice")
    assert len(prepare(path, "embed:layer=2,embed:layer=-3", "mini/choice").cells) == 2


def folder_of(files: str, folder: Path) -> list[Path]:
    """A folder with the task `made`, whose dataset is `files` in YAML."""
    rows = "text,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(40))
    (folder / "all.csv").write_text(rows)
    (folder / "made.yaml").write_text(
        f"version: 1\nkind: classification\ndescription: d\ndataset: {{{files}}}\n"
        "fields: {text: text, label: label}\nlabels: [a, b]\nmetrics: [accuracy]\n"
        'prompts: [{name: p, method: cloze, template: "{{ text }}",'
        ' verbalizers: {a: " a", b: " b"}}]\n'
    )
    return [folder]


def test_the_training_split_under_another_name_is_the_training_split(
    model: str, tmp_path: Path
) -> None:
    tasks_dir = folder_of("files: {train: all.csv, validation: all.csv}", tmp_path)
    with pytest.raises(InputError, match=SCORED_ON_ITS_LABELS + "validation"):
        prepare(model, "fewshot", "made", tasks_dir=tasks_dir)
    assert prepare(model, "zeroshot", "made", tasks_dir=tasks_dir).cells


def test_an_only_split_that_is_called_train_is_no_training_split(
    model: str, tmp_path: Path
) -> None:
    # As BLiMP's, whose cells are not applicable for want of a training split.
    only = "files: {train: all.csv}, eval_splits: [train], train_split: null"
    assert prepare(model, "fewshot", "made", tasks_dir=folder_of(only, tmp_path)).cells


def test_what_takes_no_labels_is_scored_on_the_training_split(model: str) -> None:
    assert prepare(model, "zeroshot", "mini/sentiment", split="train").cells
    # The median looks at no label.
    assert prepare(model, "zeroshot", "mini/acceptability", split="train").cells
