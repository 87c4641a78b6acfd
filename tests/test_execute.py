"""The main job on made tasks and tiny models: records, reuse, failures, interruption."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

import benchsuite
from benchsuite import execute, records
from benchsuite.errors import InputError, NotApplicable
from benchsuite.records import Record
from benchsuite.report import table
from tests.tiny import tiny_bert, tiny_gpt2

TASK = """\
version: 1
kind: classification
description: a made task
licence: Apache-2.0
dataset:
  files: {train: train.csv, validation: validation.csv}
fields: {text: sentence, label: label}
labels: [bad, good]
metrics: [accuracy]
prompts:
  - name: very
    method: cloze
    template: "{{ text }} It was very"
    verbalizers: {bad: " bad", good: " good"}
  - name: plain
    method: cloze
    template: "{{ text }}"
    verbalizers: {bad: " no", good: " yes"}
"""


@pytest.fixture
def tasks_dir(tmp_path: Path) -> Path:
    """A folder with one task outside the repository."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "made.yaml").write_text(TASK)
    rows = [("The soup was cold.", "bad"), ("The sun came up.", "good"), ("Nobody came.", "bad")]
    lines = ["sentence,label"] + [f"{text} {i},{label}" for i in range(9) for text, label in rows]
    for split in ("train", "validation"):
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def run(tmp_path: Path, tasks_dir: Path) -> Callable[..., list[records.Record]]:
    """`benchsuite.run` on the made task with a tiny decoder and a store of its own."""
    model = tiny_gpt2(tmp_path / "model")

    def call(**settings: object) -> list[records.Record]:
        known = {
            "model": str(model),
            "task": "made",
            "tasks_dir": [tasks_dir],
            "store": tmp_path / "store",
        }
        return benchsuite.run(**{**known, **settings})

    return call


def test_a_record_says_how_far_its_model_was_trained(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of one run have records of their own, even where the weights are the same."""
    monkeypatch.chdir(tmp_path)
    steps = {64: 262_144, 128: 524_288}
    for step, tokens in steps.items():
        folder = Path(shutil.copytree(tmp_path / "model", f"trained/step-{step}"))
        metadata = {"steps": step, "tokens": tokens, "flops_per_token": 2.0, "recipe": {"seed": 0}}
        (folder / "benchsuite.json").write_text(json.dumps(metadata))
    names = [f"./trained@{step}" for step in steps]
    found = run(model=[*names, "./model"], limit=2)
    said = [record.provenance["pretraining"] for record in found]
    assert [(one["step"], one["tokens"], one["flops"]) for one in said[:2]] == [
        (64, 262_144, 524_288),
        (128, 524_288, 1_048_576),
    ]
    assert said[2] is None
    folders = [folder.name for folder in records.store_folders(tmp_path / "store")]
    assert len(folders) == 3 and all(re.fullmatch("[a-z0-9-]+", name) for name in folders)
    assert sum("trained-64-zeroshot" in name for name in folders) == 1
    [refused] = run(model=names[0], task="mini/span", regime="embed", limit=2)
    assert refused.status == "not_applicable" and refused.provenance["pretraining"] == said[0]


def test_a_record_holds_what_the_design_says(run: Callable, tmp_path: Path) -> None:
    [record] = run()
    assert record.status == "done" and record.reason is None
    assert {(row.prompt, row.metric, row.split) for row in record.results} == {
        ("very", "accuracy", "validation"),
        ("plain", "accuracy", "validation"),
    }
    head = record.headline
    values = [row.value for row in record.results]
    assert head is not None and head.n == 27
    assert head.value == pytest.approx(np.mean(values))
    assert head.low <= head.value <= head.high
    assert set(record.baselines) >= {"majority", "chance"}
    assert record.labels_used == 0
    assert record.cost["parameters_trainable"] == 0 and record.cost["parameters_total"] > 0
    assert record.cost["tokens"] > 0
    facts = record.provenance["data"]["evaluation"]["validation"]
    assert facts == {"source": "files", "rows": 27, "official": None, "used": 27}
    folder = tmp_path / "store" / records.folder_name(record.cell)
    assert records.read(folder) == record
    outcomes = records.read_outcomes(folder)
    assert len(outcomes) == 2 * 27
    for prompt, rows in outcomes.groupby("prompt"):
        value = next(row.value for row in record.results if row.prompt == prompt)
        assert rows["credit"].mean() == pytest.approx(value)
    text = outcomes.select_dtypes(exclude="number").astype(str).to_numpy().ravel()
    assert not any("soup" in cell or "Nobody" in cell for cell in text)


def test_a_second_run_reuses_and_force_redoes(run: Callable) -> None:
    [first] = run()
    [second] = run()
    assert second.provenance["time"] == first.provenance["time"] and second == first
    [third] = run(force=True)
    assert third.key == first.key and third.headline == first.headline


@pytest.mark.parametrize("cap", ["limit", "train_limit"])
def test_a_cap_that_cuts_nothing_is_none(run: Callable, tmp_path: Path, cap: str) -> None:
    """Its key is that of the whole: whoever asks for the whole then gets no record of a cap."""
    [capped] = run(regime="probe", **{cap: 10_000})
    assert capped.cell["limit"] is None and capped.cell["train_limit"] is None
    [whole] = run(regime="probe")
    assert whole == capped
    # Nor does a record of before that was so keep its cap.
    folder = tmp_path / "store" / records.folder_name(whole.cell)
    whole.cell[cap] = 10_000
    records.rewrite(folder, whole)
    assert run(regime="probe")[0] == capped == records.read(folder)
    [fewer] = run(regime="probe", **{cap: 5})
    assert fewer.cell[cap] == 5 and fewer.key != whole.key


@pytest.mark.parametrize(
    "changed",
    [{"limit": 5}, {"prompt": "very"}, {"score": "all"}, {"dtype": "bfloat16"}, {"max_length": 20}],
)
def test_every_setting_that_matters_changes_the_key(run: Callable, changed: dict) -> None:
    assert run()[0].key != run(**changed)[0].key


def test_batch_size_changes_neither_key_nor_scores(run: Callable) -> None:
    [one], [other] = run(), run(batch_tokens=16, force=True)
    assert one.key == other.key
    assert [row.value for row in one.results] == [row.value for row in other.results]


def test_edited_data_and_edited_weights_are_another_cell(
    run: Callable, tasks_dir: Path, tmp_path: Path
) -> None:
    [before] = run()
    path = tasks_dir / "validation.csv"
    path.write_text(path.read_text().replace("cold", "warm"))
    [after] = run()
    assert before.key != after.key
    weights = tmp_path / "model" / "model.safetensors"
    tensors = load_file(weights)
    tensors["transformer.wte.weight"] += 0.5
    save_file(tensors, weights, metadata={"format": "pt"})
    assert run()[0].key not in (before.key, after.key)


def test_a_nan_score_fails_the_cell_and_the_others_go_on(
    run: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tiny_gpt2(tmp_path / "broken")
    weights = broken / "model.safetensors"
    tensors = load_file(weights)
    tensors["transformer.ln_f.weight"][:] = math.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    failed, done = run(model=[str(broken), str(tmp_path / "model")])
    assert failed.status == "failed" and "nan" in (failed.reason or "").lower()
    assert failed.headline is None and not failed.results
    assert done.status == "done"
    # A failed record is never reused.
    again, reused = run(model=[str(broken), str(tmp_path / "model")])
    assert again.status == "failed"
    assert reused.provenance["time"] == done.provenance["time"]


def test_an_unforeseen_error_is_a_failed_cell_with_its_traceback(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **settings: object) -> None:
        raise ZeroDivisionError("a defect\nof two lines")

    monkeypatch.setattr("benchsuite.results.summarize", broken)
    [record] = run()
    assert record.status == "failed"
    assert "ZeroDivisionError: a defect" in (record.reason or "") and "\n" not in record.reason
    folder = tmp_path / "store" / records.folder_name(record.cell)
    assert "Traceback" in (folder / "error.txt").read_text()
    monkeypatch.undo()
    [record] = run()
    assert record.status == "done" and not (folder / "error.txt").exists()


def test_numbers_that_no_record_can_hold_fail_their_cell_alone(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug-in's metric, or the notes of its regime, may hold anything."""
    real = execute._measure
    calls = iter([math.inf, np.float32(1.0), 1.0])

    def with_notes(record: Record, *arguments: Any) -> Any:
        outcomes = real(record, *arguments)
        record.provenance["odd"] = next(calls)
        return outcomes

    monkeypatch.setattr(execute, "_measure", with_notes)
    for _ in range(2):
        [record] = run()
        folder = tmp_path / "store" / records.folder_name(record.cell)
        assert record.status == "failed" and "cannot be written" in (record.reason or "")
        assert records.read(folder).status == "failed"
        assert not (folder / "outcomes.parquet").exists() and (folder / "error.txt").exists()
    [record] = run()
    assert record.status == "done" and not (folder / "error.txt").exists()
    assert record.provenance["threads"] >= 1


def test_what_the_support_table_refuses_is_not_applicable(run: Callable, tmp_path: Path) -> None:
    encoder = tiny_bert(tmp_path / "encoder")
    [record] = run(model=str(encoder), task="mini/span")
    assert record.status == "not_applicable" and record.reason == "an encoder generates no text"
    assert record.headline is None


@pytest.mark.parametrize(
    ("condition", "status"),
    [("no training split", "not_applicable"), ("", "failed"), ("window", "failed")],
)
def test_not_applicable_needs_a_ground_of_the_support_table(
    run: Callable, monkeypatch: pytest.MonkeyPatch, condition: str, status: str
) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise NotApplicable("no wish to", condition)

    monkeypatch.setattr("benchsuite.regimes.zeroshot.ZeroShot.fit", refuse)
    [record] = run()
    assert record.status == status and "no wish to" in (record.reason or "")
    monkeypatch.setattr("benchsuite.regimes.zeroshot.ZeroShot.train_data", refuse)
    assert run()[0].status == status


def test_a_user_s_task_has_a_board_of_its_own_also_without_a_number(
    run: Callable, tmp_path: Path, tasks_dir: Path
) -> None:
    path = tasks_dir / "made.yaml"
    path.write_text(
        path.read_text().replace("  files: {train: train.csv, validation", "  files: {validation")
    )
    path.write_text(path.read_text().replace(".csv}\n", ".csv}\n  train_split: null\n", 1))
    (tasks_dir / "hub.yaml").write_text(
        path.read_text().replace(
            "files: {validation: validation.csv}", "path: made-up/nowhere\n  configs: [default]"
        )
    )
    suites = tasks_dir / "suites"
    suites.mkdir()
    (suites / "mine.yaml").write_text("description: d\ntasks: [made, hub, mini/sentiment]\n")
    found = run(task=None, suite="mine", regime="fewshot:1", limit=2, offline=True)
    assert [one.status for one in found[:2]] == ["not_applicable", "unavailable"]
    assert [one.provenance["task_file"] for one in found] == ["local", "local", "bundled"]
    mini, own = table.build(found)
    assert mini.columns == ["mini/sentiment"] and own.columns == ["hub", "made"]
    assert own.title == "Tasks of local files"


def test_interrupted_runs_keep_what_is_finished(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchsuite import execute

    measure = execute._measure

    def interrupted(record: records.Record, *rest: object) -> pd.DataFrame:
        if "untrained" in record.cell["model"]:
            raise KeyboardInterrupt
        return measure(record, *rest)

    monkeypatch.setattr(execute, "_measure", interrupted)
    model = str(tmp_path / "model")
    with pytest.raises(KeyboardInterrupt):
        run(model=[model, model + ":untrained"])
    found = records.read_store(tmp_path / "store")
    assert [record.cell["model"] for record in found] == [model]


@pytest.mark.parametrize("template", ["{{ text.__class__ }}", "{{ text[99] }}", "{{ 1 / 0 }}"])
def test_a_template_that_no_example_can_take_stops_a_run(
    run: Callable, tasks_dir: Path, tmp_path: Path, template: str
) -> None:
    path = tasks_dir / "made.yaml"
    path.write_text(path.read_text().replace('"{{ text }}"', f'"{template}"'))
    with pytest.raises(InputError, match="task made: prompt 'plain' cannot be rendered"):
        run()
    assert not (tmp_path / "store").exists()


def test_missing_data_stops_an_explicit_task_before_anything_runs(
    run: Callable, tasks_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCHSUITE_DATA", raising=False)
    with pytest.raises(InputError, match="bench data pull"):
        run(task=["made", "glue/sst2"], offline=True)
    assert not (tmp_path / "store").exists()


def test_missing_data_in_a_suite_is_an_unavailable_row(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCHSUITE_DATA", raising=False)
    found = run(task=None, suite="core", limit=2, offline=True)
    assert {record.status for record in found} == {"unavailable"}
    assert all("bench data pull" in (record.reason or "") for record in found)


def test_what_was_chosen_is_recorded(run: Callable, tasks_dir: Path) -> None:
    path = tasks_dir / "made.yaml"
    head, _, _ = path.read_text().partition("prompts:")
    prompt = '- {name: s, method: threshold, template: "{{ text }}"}'
    path.write_text(f"{head}prompts:\n  {prompt}\n")
    [median], [tuned] = run(), run(regime="zeroshot:threshold=tuned")
    for record, labels in ((median, 0), (tuned, 2)):
        assert record.status == "done", record.reason
        assert record.provenance["chosen"]["s"]["threshold"] < 0
        assert record.labels_used == labels
        assert record.provenance["data"]["training"]["selection"]["used"] == 2
    assert median.key != tuned.key


def test_untrained_is_a_floor_of_its_own(run: Callable, tmp_path: Path) -> None:
    model = str(tmp_path / "model")
    [trained], [floor] = run(), run(model=model + ":untrained")
    assert trained.key != floor.key
    assert run(model=model + ":untrained", force=True)[0].headline == floor.headline


def test_the_record_is_json_without_nan(run: Callable, tmp_path: Path) -> None:
    [record] = run()
    path = tmp_path / "store" / records.folder_name(record.cell) / "record.json"
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert torch.is_grad_enabled()  # scoring leaves no global switch behind
