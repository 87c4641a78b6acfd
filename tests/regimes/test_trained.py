"""What all regimes share that are trained: data, keys, failures, the epoch that is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchsuite
from benchsuite.errors import InputError
from benchsuite.models.registry import load_model
from benchsuite.records import folder_name
from benchsuite.regimes import support
from benchsuite.regimes.full import Full
from benchsuite.tasks.spec import TaskSpec
from benchsuite.training import settings
from benchsuite.training.predictor import Selection, _confidence
from benchsuite.training.settings import has_bfloat16
from tests.tiny import tiny_bert
from tests.training.made import made_cell, made_task


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bert(tmp_path_factory.mktemp("trained") / "bert", max_positions=128))


def run(bert: str, regime: str, kind: str, folder: Path, **settings: Any) -> benchsuite.Record:
    given = {"tasks_dir": [folder / "tasks"], "store": folder / "store", **settings}
    [record] = benchsuite.run(bert, regime, kind, **given)
    return record


def test_answers_that_are_nowhere_fail_the_cell(bert: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "span")
    file = tmp_path / "tasks" / "train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    lost = [{**row, "answers": {"text": ["nowhere"]}} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in lost))
    for regime in ("full:epochs=1", "probe"):
        record = run(bert, regime, "span", tmp_path)
        assert record.status == "failed"
        assert "no training example has anything to learn" in (record.reason or "")


def test_a_task_without_training_examples_is_unavailable(bert: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "classification")
    file = tmp_path / "tasks" / "classification.yaml"
    file.write_text(
        file.read_text()
        .replace("train: train.jsonl, ", "")
        .replace("}\n", "}\n  train_split: null\n", 1)
    )
    suites = tmp_path / "tasks" / "suites"
    suites.mkdir()
    (suites / "one.yaml").write_text("description: one\ntasks: [classification]\n")
    for regime in ("full", "probe"):
        [record] = benchsuite.run(
            bert, regime, suite="one", tasks_dir=[tmp_path / "tasks"], store=tmp_path / "store"
        )
        assert record.status == "unavailable"
        assert "nothing to train on" in (record.reason or "")


def test_the_key_has_what_the_weights_depend_on_and_no_more(bert: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "classification")
    keys = {
        name: run(bert, "full:epochs=1", "classification", tmp_path, **settings).key
        for name, settings in {
            "plain": {},
            "seed": {"seeds": [1]},
            "passes": {"batch_tokens": 64},
            "train": {"train_limit": 8},
            "score": {"score": "all"},
        }.items()
    }
    assert keys["score"] == keys["plain"]
    assert len(set(keys.values())) == 4
    assert (
        len({run(bert, "probe", "classification", tmp_path, batch_tokens=n).key for n in (64, 128)})
        == 1
    )


def test_numbers_come_back_in_their_own_unit(bert: str, tmp_path: Path) -> None:
    """A regression learns targets of mean 0 and deviation 1; correlations could not tell."""
    task = made_task(tmp_path / "tasks", "regression")
    call = "full:lr=0.005+epochs=60+batch=8+keep=last"
    record = run(bert, call, "regression", tmp_path, keep_artifacts=True)
    folder = tmp_path / "store" / folder_name(record.cell)
    predictor = benchsuite.load_predictor(folder, [tmp_path / "tasks"])
    examples = task.evaluation("validation").examples
    [variant] = predictor.predict(examples)
    found = np.array([one.value for one in variant.predictions])
    targets = np.array([one.target for one in examples])
    assert abs(found.mean() - targets.mean()) < 0.5
    assert found.std() > 0.4 * targets.std()


@pytest.mark.parametrize("regime", ["full:pooling=first+epochs=1", "probe:pooling=first"])
@pytest.mark.parametrize("kind", ["tagging", "span"])
def test_a_choice_that_nothing_reads_is_refused(
    kind: str, regime: str, bert: str, tmp_path: Path
) -> None:
    made_task(tmp_path / "tasks", kind)
    record = run(bert, regime, kind, tmp_path)
    assert record.status == "not_applicable" and "pooling" in (record.reason or "")
    assert "pooling" in support.CONDITIONS[regime.partition(":")[0]]


@pytest.mark.parametrize("kind", ["classification", "choice"])
def test_orders_are_for_texts_of_equal_rank(kind: str, bert: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", kind)
    record = run(bert, "full:orders=both+epochs=1", kind, tmp_path)
    assert record.status == "not_applicable" and "orders" in (record.reason or "")
    assert "orders" in support.CONDITIONS["full"]


def test_the_second_order_is_trained_on_and_has_a_key_of_its_own(bert: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "regression")
    plain, one, both = (
        run(bert, f"full:{orders}epochs=1", "regression", tmp_path)
        for orders in ("", "orders=one+", "orders=both+")
    )
    assert len({plain.key, one.key, both.key}) == 3
    tokens = [r.provenance["chosen"][""]["training_tokens"] for r in (plain, one, both)]
    assert tokens == [tokens[0], tokens[0], 2 * tokens[0]]
    # Keys of before there was the option stand.
    assert "orders" not in plain.cell["options"] and both.cell["options"]["orders"] == "both"


def test_an_encoder_decoder_s_head_reads_one_state(tiny_t5_folder: Path, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "classification")
    with pytest.raises(InputError, match="pooling: the head reads the first state of"):
        run(str(tiny_t5_folder), "full:pooling=mean", "classification", tmp_path)


def test_written_answers_have_no_orders(tiny_t5_folder: Path, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "regression")
    with pytest.raises(InputError, match="orders: with head=text"):
        run(str(tiny_t5_folder), "full:orders=both+head=text", "regression", tmp_path)


def test_what_is_counted_and_noted(bert: str, tmp_path: Path) -> None:
    made_task(tmp_path / "tasks", "classification")
    record = run(bert, "full:epochs=3+lr=0.001", "classification", tmp_path, train_limit=8)
    assert record.labels_used == 8 + 1
    notes = record.provenance["chosen"][""]
    assert (notes["lr"], notes["epochs"], notes["steps"]) == (0.001, 3, 3)
    assert len(notes["selection"]) == len(notes["loss"]) == 3
    # The masked-language-model head is not the task's.
    body = sum(p.numel() for p in load_model(bert).network.base_model.parameters())
    assert record.cost["parameters_trainable"] == body + 16 * 2 + 2


@pytest.mark.parametrize(
    ("option", "dtype", "tokens", "fast", "expected"),
    [
        ("auto", "float32", 128, True, "bfloat16"),
        ("auto", "float32", 127, True, "float32"),
        ("auto", "float32", 9000, False, "float32"),
        ("auto", "bfloat16", 1, False, "bfloat16"),
        ("float32", "float32", 9000, True, "float32"),
        ("bfloat16", "float32", 1, False, "bfloat16"),
    ],
)
def test_passes_are_made_in_bfloat16_where_it_pays(
    option: Any,
    dtype: str,
    tokens: int,
    fast: bool,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "has_bfloat16", lambda device: fast)
    assert settings.pass_precision(option, dtype, "cpu", tokens) == expected


@pytest.mark.parametrize(
    ("flags", "gain", "expected"),
    [
        (("avx2", "avx512_bf16"), 1.9, True),
        (("avx2", "avx512_bf16"), 0.57, False),  # Intel's instructions where AMX is hidden
        (("avx2",), 9.0, False),  # in emulation nothing is to be gained: not even measured
    ],
)
def test_instructions_alone_are_no_gain(
    flags: tuple[str, ...], gain: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "processor", lambda: ("any", flags))
    monkeypatch.setattr(settings, "_gain", lambda: gain)
    has_bfloat16.cache_clear()
    assert has_bfloat16("cpu") is expected
    has_bfloat16.cache_clear()


def test_the_gain_is_a_ratio_of_times() -> None:
    assert 0.01 < settings._gain() < 100


def test_the_machine_s_part_in_the_precision_is_in_the_key(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_task(tmp_path / "tasks", "classification")
    keys = set()
    for fast in (False, True):
        monkeypatch.setattr(settings, "has_bfloat16", lambda device, fast=fast: fast)
        record = run(bert, "full:epochs=1+batch=4", "classification", tmp_path)
        keys.add(record.key)
        # 4 short texts are no 128 tokens: here it changes nothing.
        assert record.provenance["chosen"][""]["precision"] == "float32"
    assert len(keys) == 2


def test_the_default_rate_is_in_the_key_where_it_counts(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_task(tmp_path / "tasks", "classification")
    keys: dict[str, set[str]] = {"full:epochs=1": set(), "full:epochs=1+lr=0.01": set()}
    for rate in (0.001, 0.002):
        monkeypatch.setitem(Full.default_lr, "encoder", rate)
        for call, found in keys.items():
            found.add(run(bert, call, "classification", tmp_path).key)
    assert [len(found) for found in keys.values()] == [2, 1]


def test_epochs_at_zero_are_told_apart_by_probability(bert: str, tmp_path: Path) -> None:
    """Entity F1 and EM can stand at 0 for epochs in which a model learns."""
    for kind in ("tagging", "span"):
        task, model = made_task(tmp_path / kind, kind), load_model(bert)
        cell = made_cell(task, "full", bert)
        predictor, _ = Full()._build(model, task, cell, Full.options())
        selection = Selection(predictor, task.train().examples, unanswerable=False)
        first = selection.score()
        item = next(item for item in selection.items if item.target)
        scores = predictor.scores([item])[0]
        _, before = first
        better = scores.copy()
        for place in _answers(task.spec, item.target):
            better[place] += 1.0
        assert _confidence(task.spec, [item], [better]) > _confidence(task.spec, [item], [scores])
        # By hand: the mean log-probability of the answers.
        axis = 1 if kind == "tagging" else 0
        normal = scores - np.log(np.exp(scores).sum(axis=axis, keepdims=True))
        expected = np.mean([normal[place] for place in _answers(task.spec, item.target)])
        assert _confidence(task.spec, [item], [scores]) == pytest.approx(expected)
        assert before < 0


def _answers(task: TaskSpec, target: tuple[int, ...]) -> list[tuple[int, int]]:
    """Places of an item's answers in its scores."""
    if task.kind == "tagging":
        return list(enumerate(target))
    return [(target[0], 0), (target[1], 1)]
