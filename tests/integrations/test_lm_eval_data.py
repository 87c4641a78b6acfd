"""lm-eval's tasks find their data in the mirror."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from benchsuite.integrations.lm_eval_data import mirror_folder, mirrored_datasets
from benchsuite.tasks.data import MIRROR_VARIABLE


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with two configurations of one data set and the only one of another."""
    root = tmp_path / "mirror"
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    for place in ("nyu-mll/glue/sst2", "nyu-mll/glue/cola", "owner/alone/default"):
        folder = root / place
        folder.mkdir(parents=True)
        for split in ("train", "validation"):
            rows = {"text": [f"{place} {split} {n}" for n in range(3)], "label": [0, 1, 0]}
            table = datasets.Dataset.from_dict(rows, features=features)
            table.to_parquet(folder / f"{split}.parquet")
    monkeypatch.setenv(MIRROR_VARIABLE, str(root))
    return root


def test_splits_columns_and_labels_are_those_of_the_hub(mirror):
    with mirrored_datasets():
        found = datasets.load_dataset("nyu-mll/glue", "sst2")
        assert list(found) == ["train", "validation"]
        assert found["train"][1] == {"text": "nyu-mll/glue/sst2 train 1", "label": 1}
        assert found["train"].features["label"].names == ["no", "yes"]
        one = datasets.load_dataset(path="glue", name="cola", split="validation")
        assert one["text"][0] == "nyu-mll/glue/cola validation 0"
        assert datasets.load_dataset("owner/alone")["train"].num_rows == 3


def test_what_the_mirror_does_not_hold_is_asked_for_elsewhere(mirror, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *names, **how: asked.append(names))
    with mirrored_datasets():
        datasets.load_dataset("nyu-mll/glue", "rte")
        datasets.load_dataset("nyu-mll/glue", "sst2", split="train[:2]")
        datasets.load_dataset("nyu-mll/glue", "sst2", data_files={"train": "x.parquet"})
    datasets.load_dataset("owner/alone")
    assert asked == [
        ("nyu-mll/glue", "rte"),
        ("nyu-mll/glue", "sst2"),
        ("nyu-mll/glue", "sst2"),
    ] + [("owner/alone",)]
    with mirrored_datasets(offline=True), pytest.raises(ConnectionError, match="not tried"):
        datasets.load_dataset("nyu-mll/glue", "rte")


def test_no_name_leads_out_of_the_mirror(mirror):
    assert mirror_folder("nyu-mll/glue", "sst2") == mirror / "nyu-mll/glue/sst2"
    for path, name in (("../mirror/owner", "alone"), (str(mirror / "owner"), "alone")):
        assert mirror_folder(path, name) is None
    assert mirror_folder("nyu-mll/glue", None) is None  # which configuration is not said
    assert mirror_folder("nyu-mll/glue", "../glue/sst2") is None


def test_without_a_mirror_nothing_changes(monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    assert mirror_folder("nyu-mll/glue", "sst2") is None
