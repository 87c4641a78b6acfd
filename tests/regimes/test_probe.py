"""The regime `probe`: its choices, its artifact and its limits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.models.bert.modeling_bert import BertEmbeddings

import benchsuite
from benchsuite.cells import parse_regime
from benchsuite.errors import CellFailed, InputError
from benchsuite.metrics import compute, outcome_columns
from benchsuite.models.registry import load_model
from benchsuite.regimes.probe import Probe
from benchsuite.regimes.registry import canonical
from benchsuite.tasks.task import load_task
from benchsuite.training import probing, settings
from benchsuite.training.probing import PENALTIES
from tests.regimes import probes
from tests.regimes.probes import FAMILIES, fit, scores
from tests.training.made import KINDS, made_cell, made_task

pytestmark = pytest.mark.usefixtures("one_thread")
folders = probes.folders

WIDTH = 16


@pytest.mark.parametrize("kind", KINDS)
def test_the_penalty_is_the_best_on_the_selection_slice(
    kind: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = made_task(tmp_path, kind, 200)
    predictor, _ = fit(folders["encoder"], task, train_limit=60)
    values = predictor.notes["selection"]
    assert len(values) == len(PENALTIES) == 7 and list(PENALTIES) == sorted(PENALTIES)[::-1]
    assert len(set(values)) > 1
    best = values.index(max(values))  # the first of equals: the strongest
    assert predictor.notes["penalty"] == PENALTIES[best]
    examples = task.selection().examples
    assert len(examples) == 20
    columns = outcome_columns(task.spec, examples, predictor.predict(examples)[0].predictions)
    assert compute(task.spec, task.spec.headline_metric, columns) == pytest.approx(values[best])
    # Alone a fit begins elsewhere, and ends about there.
    monkeypatch.setattr(probing, "PENALTIES", (PENALTIES[2],))
    alone, _ = fit(folders["encoder"], task, train_limit=60)
    assert alone.notes["selection"] == pytest.approx([values[2]], abs=0.051)


def test_each_text_goes_through_the_network_once(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many penalties are tried."""
    task = made_task(tmp_path, "classification", 40)
    passed: list[int] = []
    counted = BertEmbeddings.forward

    def forward(self: BertEmbeddings, input_ids: torch.Tensor, **rest: object) -> object:
        passed.append(len(input_ids))
        return counted(self, input_ids, **rest)

    monkeypatch.setattr(BertEmbeddings, "forward", forward)
    predictor, _ = fit(folders["encoder"], task)
    assert len(predictor.notes["selection"]) == len(PENALTIES)
    texts = len(task.train().examples) + len(task.selection().examples)
    assert texts <= sum(passed) <= texts + 2  # two short ones tell the network's shape


def test_without_a_selection_slice_the_default_penalty_alone_is_fitted(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    task = made_task(tmp_path, "classification", 40)
    [train, other] = [task.train().examples, task.evaluation("validation").examples]
    predictor, _ = fit(folders["encoder"], task)
    predictor.fit(train, [])
    assert predictor.notes["penalty"] == 100.0 and predictor.notes["selection"] == []
    alone = predictor.classifier.coefficients
    predictor.fit(train, [replace(one, target=None) for one in other])
    assert predictor.notes["penalty"] == 100.0
    assert np.array_equal(alone, predictor.classifier.coefficients)


def test_of_equally_good_penalties_the_strongest_is_taken(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = made_task(tmp_path, "classification", 40)
    monkeypatch.setattr(probing, "compute_on_slice", lambda *given: 0.5)
    predictor, _ = fit(folders["decoder"], task)
    assert predictor.notes["penalty"] == max(PENALTIES)
    monkeypatch.setattr(probing, "compute_on_slice", lambda *given: float("nan"))
    predictor, _ = fit(folders["decoder"], task)
    assert predictor.notes["penalty"] == max(PENALTIES)
    assert predictor.notes["selection"] == [None] * 7


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_artifact_answers_as_the_predictor_it_is_of(
    kind: str,
    family: str,
    folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A weak one, under which not all examples get one answer.
    monkeypatch.setattr(probing, "PENALTIES", (0.1,))
    task = made_task(tmp_path, kind, 40)
    predictor, _ = fit(folders[family], task)
    state = predictor.state()
    outputs = {"classification": 1, "regression": 1, "choice": 1, "tagging": 4, "span": 2}[kind]
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    threshold = shapes.pop("no_answer_threshold", None)
    assert (threshold == ()) is (kind == "span")
    assert ("no_answer_threshold" in predictor.predict([])[0].notes) is (kind == "span")
    assert shapes == {
        "coefficients": (outputs, WIDTH),
        "intercepts": (outputs,),
        "mean": (WIDTH,),
        "spread": (WIDTH,),
    }
    assert predictor.parameters_trained == outputs * (WIDTH + 1)
    model = load_model(str(folders[family]))
    cell = made_cell(task, "probe", model.name, seed=None)
    loaded = Probe().load(model, task, cell, state)
    examples = task.evaluation("validation").examples
    [ours], [theirs] = predictor.predict(examples), loaded.predict(examples)
    assert ours.predictions == theirs.predictions
    assert len({one.value for one in ours.predictions}) > 1
    assert ours.counts == {"truncated": 0} and ours.notes["penalty"] == 0.1
    with pytest.raises(CellFailed, match="not one of probe"):
        Probe().load(model, task, cell, {**state, "mean": torch.zeros(WIDTH + 1)})
    with pytest.raises(CellFailed, match="not one of probe"):
        Probe().load(model, task, cell, {"coefficients": state["coefficients"]})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_the_batch(
    kind: str, family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    task = made_task(tmp_path, kind, 40)
    many, _ = fit(folders[family], task)
    model = load_model(str(folders[family]))
    cell = made_cell(task, "probe", model.name, seed=None, batch_tokens=1)
    one = Probe().load(model, task, cell, many.state())
    examples = task.evaluation("validation").examples
    for left, right in zip(scores(one, examples), scores(many, examples), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)
    items = one.maker.make(examples)
    left, right = one.reader.matrix(items), many.reader.matrix(items)
    assert len(left) == sum(map(one.reader.count, items)) >= len(items)
    np.testing.assert_allclose(left, right, atol=1e-5)


def test_the_network_stays_as_it_was(folders: dict[str, Path], tmp_path: Path) -> None:
    model = load_model(str(folders["encoder-decoder"]))
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    task = made_task(tmp_path, "classification")
    Probe().fit(model, task, made_cell(task, "probe", model.name), tmp_path)
    after = model.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


LABELS = """\
version: 1
kind: classification
description: made
licence: Apache-2.0
dataset:
  files: {train: train.jsonl, validation: train.jsonl}
fields: {id: id, text: text, label: label}
labels: [one, two, three]
metrics: [accuracy]
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_features_in_bfloat16_are_nearly_those_in_float32(
    family: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = made_task(tmp_path, "classification", 40)
    found, keys = {}, set()
    for fast in (False, True):
        monkeypatch.setattr(settings, "has_bfloat16", lambda device, fast=fast: fast)
        predictor, examples = fit(folders[family], task)
        assert predictor.notes["precision"] == ("bfloat16" if fast else "float32")
        found[fast] = predictor.reader.matrix(predictor.maker.make(examples))
        cell = made_cell(task, "probe", str(folders[family]), seed=None)
        keys.add(Probe().key_facts(cell, family)["bfloat16"])
    assert found[True].dtype == np.float32 and keys == {False, True}
    gap = np.linalg.norm(found[True] - found[False]) / np.linalg.norm(found[False])
    assert 1e-5 < gap < 2e-2
    # What is asked for is taken, and then the machine is no part of the key.
    predictor, _ = fit(folders[family], task, "precision=float32")
    assert predictor.notes["precision"] == "float32"
    cell = made_cell(task, "probe:precision=float32", str(folders[family]), seed=None)
    assert Probe().key_facts(cell, family) == {}


@pytest.mark.parametrize("present", [[0], [2], [0, 2], [1, 2]])
def test_a_label_that_is_never_seen_is_never_given(
    present: list[int], folders: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "made.yaml").write_text(LABELS)
    rows = [
        f'{{"id": "{n}", "text": "Text number {n}", "label": {present[n % len(present)]}}}'
        for n in range(40)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")
    task = load_task("made", (tmp_path,))
    predictor, _ = fit(folders["encoder"], task)
    examples = task.evaluation("validation").examples
    said = {one.value for one in predictor.predict(examples)[0].predictions}
    assert said == set(present)


def test_no_selection_slice(folders: dict[str, Path], tmp_path: Path) -> None:
    task = made_task(tmp_path, "span", 8)
    assert not task.selection().examples[1:]
    predictor, train = fit(folders["encoder"], task)
    model = load_model(str(folders["encoder"]))
    alone = probing.ProbePredictor(task.spec, predictor.maker, predictor.reader)
    alone.fit(train, [])
    assert alone.notes["penalty"] == 100.0 and alone.notes["selection"] == []
    assert alone.threshold == 0.0  # where `no answer` scores as the answer does
    assert len(alone.predict(train)[0].predictions) == len(train)
    with pytest.raises(CellFailed, match="nothing|anything to learn"):
        alone.fit([], [])
    assert model.family == "encoder"


def test_features_beyond_their_budget_are_left_out(folders: dict[str, Path]) -> None:
    task = load_task("mini/span")
    predictor, train = fit(folders["decoder"], task, train_limit=30)
    reader = predictor.reader
    items = [item for item in predictor.maker.make(train) if item.target is not None]
    total = sum(map(reader.count, items))
    assert predictor.notes["vectors"] == total and predictor.notes["vectors_left_out"] == 0
    assert reader.within_budget(items, total * WIDTH * 4) == items

    room = 20 * len(items)
    kept = reader.within_budget(items, room * WIDTH * 4)
    assert kept == reader.within_budget(items, room * WIDTH * 4)
    assert len(kept) == len(items) and all(reader.count(item) == 20 for item in kept)
    for whole, part in zip(items, kept, strict=True):
        asked, left = whole.rows[0].positions, part.rows[0].positions
        assert left[0] == asked[0] and list(left) == sorted(left[:1]) + sorted(left[1:])
        for target, place in zip(whole.target, part.target, strict=True):
            assert left[place] == asked[target]
            assert part.spans[place] == whole.spans[target]
    # The same place of all windows would teach what a place is like, not an answer.
    assert len({part.rows[0].positions[5] for part in kept}) > 5

    few = reader.within_budget(items, 100 * WIDTH * 4)
    assert few == reader.within_budget(items, 100 * WIDTH * 4)
    assert 90 < sum(map(reader.count, few)) <= 100 and len(few) < len(items)


@pytest.mark.parametrize("kind", ["classification", "choice", "tagging"])
def test_other_kinds_leave_out_whole_items(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    task = made_task(tmp_path, kind, 40)
    predictor, train = fit(folders["decoder"], task)
    items = predictor.maker.make(train)
    kept = predictor.reader.within_budget(items, 30 * WIDTH * 4)
    assert sum(map(predictor.reader.count, kept)) in (28, 29, 30, 24, 27)
    assert [item.example for item in kept] == sorted(item.example for item in kept)
    assert all(items[item.example] == item for item in kept)


def test_thinned_windows_answer_alike(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer negatives move all scores up, and about as far: answers and margins stay."""
    task = made_task(tmp_path, "span", 200)
    whole, train = fit(folders["encoder-decoder"], task)
    reader = whole.reader
    kept = [item for item in whole.maker.make(train) if item.target is not None]
    most = sum(map(reader.count, kept)) // 2 * WIDTH * 4
    monkeypatch.setattr(reader, "within_budget", partial(reader.within_budget, most_bytes=most))
    part = probing.ProbePredictor(task.spec, whole.maker, reader)
    part.fit(train, task.selection().examples)
    left_out = part.notes["vectors_left_out"]
    assert left_out > 0.4 * whole.notes["vectors"]
    assert part.notes["vectors"] + left_out == whole.notes["vectors"]
    asked = task.selection().examples
    ours, theirs = np.concatenate(scores(part, asked)), np.concatenate(scores(whole, asked))
    assert (ours - theirs).mean(0).min() > 0.5
    for column in range(2):
        assert np.corrcoef(ours[:, column], theirs[:, column])[0, 1] > 0.9


def test_spelling_and_refusals(folders: dict[str, Path], tmp_path: Path) -> None:
    assert str(canonical(parse_regime("probe:layer=-1+pooling=mean"))) == "probe"
    for call, message in (
        ("probe:layer=3", "layer=3.* has 2 layers"),
        ("probe:layer=-4", "layer=-4"),
        ("probe:layer=first-last", "layer=first-last"),
        ("probe:pooling=max", "pooling=max"),
        ("probe:2", "takes no value of its own"),
    ):
        with pytest.raises(InputError, match=message):
            benchsuite.run(str(folders["encoder"]), call, "mini/sentiment", store=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_record(folders: dict[str, Path], tmp_path: Path) -> None:
    settings = {"limit": 20, "train_limit": 30, "store": tmp_path, "keep_artifacts": True}
    [record] = benchsuite.run(str(folders["decoder"]), "probe", "mini/sentiment", **settings)
    assert record.status == "done" and record.cell["seed"] is None
    assert record.labels_used == 30 + len(load_task("mini/sentiment").selection().examples)
    assert record.cost["parameters_trainable"] == WIDTH + 1
    assert record.cost["tokens"] > 0 and record.cost["artifact_bytes"] > 0
    assert record.provenance["chosen"][""]["layer"] == 2
    assert record.results[0].score == "head"
    [again] = benchsuite.run(
        str(folders["decoder"]), "probe", "mini/sentiment", seeds=[0, 1], force=True, **settings
    )
    assert again.key == record.key and again.headline == record.headline
