"""The search for a rate: halving by hand, and whole cells that search."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import benchsuite
from benchsuite.errors import CellFailed, Diverged, InputError
from benchsuite.regimes import trained
from benchsuite.regimes.lora import LoRA
from benchsuite.tasks.task import Task
from benchsuite.training import checkpoint, tuning
from benchsuite.training.tuning import Trial, successive_halving
from tests.training.made import made_task


def test_the_better_half_is_tried_for_longer() -> None:
    asked = []

    def attempt(rate: float, share: float) -> tuple[float, float]:
        asked.append((rate, share))
        # 3 is ahead at first, 2 in the end.
        return {(2.0, 0.5): (0.9, 0.0)}.get((rate, share), (rate / 10, 0.0))

    best, trials = successive_halving([0.5, 1.0, 2.0, 3.0], attempt)
    assert best == 2.0
    assert asked == [(0.5, 0.25), (1.0, 0.25), (2.0, 0.25), (3.0, 0.25), (3.0, 0.5), (2.0, 0.5)]
    assert [(one.lr, one.share) for one in trials] == asked


def test_equal_metrics_are_told_apart_by_confidence() -> None:
    best, _ = successive_halving([1.0, 2.0], lambda rate, share: (0.0, -rate))
    assert best == 1.0


def test_a_rate_that_diverges_loses() -> None:
    def attempt(rate: float, share: float) -> tuple[float, float]:
        if rate > 1:
            raise Diverged("the training loss is not finite")
        return 0.1 if rate == 1 else math.nan, 0.0

    best, trials = successive_halving([0.5, 1.0, 2.0], attempt)
    assert best == 1.0
    assert [one.metric for one in trials[:3]] == [None, 0.1, None]


def test_an_undefined_metric_is_no_divergence() -> None:
    """As the correlation of equal predictions: what it says of the answers still counts."""
    best, trials = successive_halving([1.0, 2.0], lambda rate, share: (-math.inf, rate))
    assert best == 2.0 and not trials[0].diverged


def test_another_failure_ends_the_search() -> None:
    def attempt(rate: float, share: float) -> tuple[float, float]:
        raise CellFailed("one text does not fit the memory of cpu")

    with pytest.raises(CellFailed, match="does not fit the memory"):
        successive_halving([1.0, 2.0], attempt)


def test_where_all_diverge_the_cell_fails() -> None:
    def attempt(rate: float, share: float) -> tuple[float, float]:
        raise Diverged("not finite")

    with pytest.raises(CellFailed, match=r"diverged at every rate tried \(1, 2\)"):
        successive_halving([1.0, 2.0], attempt)


def test_trials_that_are_done_are_not_repeated() -> None:
    asked: list[float] = []

    def attempt(rate: float, share: float) -> tuple[float, float]:
        asked.append(rate)
        return rate, 0.0

    best, trials = successive_halving([1.0, 2.0], attempt, [Trial(2.0, 0.25, 9.0, 0.0)])
    assert best == 2.0 and asked == [1.0, 2.0, 1.0]
    assert trials[1].metric == 9.0


def test_trials_come_back_from_disk_of_the_same_run_alone(tmp_path: Path) -> None:
    trials = [Trial(0.1, 0.25, 0.5, -1.0), Trial(0.3, 0.25, None, None)]
    tuning.save(tmp_path, "one", trials, 12.5)
    assert tuning.load(tmp_path, "one") == (trials, 12.5)
    assert tuning.load(tmp_path, "another") == ([], 0.0)
    (tmp_path / tuning.FILE).write_text('{"run": "one", "tri')
    assert tuning.load(tmp_path, "one") == ([], 0.0)


@pytest.fixture
def settings(tmp_path: Path, one_thread: None) -> dict[str, Any]:
    made_task(tmp_path / "tasks", "classification", examples=60)
    return {"tasks_dir": [tmp_path / "tasks"], "store": tmp_path / "store"}


def test_a_cell_takes_the_best_of_its_trials(
    tiny_bert_folder: Path, settings: dict[str, Any]
) -> None:
    [record] = benchsuite.run(
        str(tiny_bert_folder), "lora:epochs=8", "classification", tune=True, **settings
    )
    assert record.status == "done", record.reason
    notes = record.provenance["chosen"][""]
    trials = [Trial(**one) for one in notes["tuning"]]
    default = LoRA.default_lr["encoder"]
    assert [one.lr for one in trials[:4]] == [default * factor for factor in tuning.FACTORS]
    last = trials[4:]
    assert {one.lr for one in last} == {
        one.lr for one in sorted(trials[:4], key=lambda one: one.score, reverse=True)[:2]
    }
    assert notes["lr"] == max(last, key=lambda one: one.score).lr
    assert notes["epochs"] == 8
    assert not list(settings["store"].rglob(tuning.FILE))
    assert not list(settings["store"].rglob("training.pt"))


def test_a_search_that_was_killed_goes_on(
    tiny_bert_folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = (str(tiny_bert_folder), "lora:epochs=4", "classification")
    [whole] = benchsuite.run(*call, tune=True, **settings)
    rates: list[float] = []
    train = trained._Run.train

    def count(self: Any, rate: float, scratch: Path, share: float = 1.0) -> Any:
        if len(rates) == 3:
            raise KeyboardInterrupt
        rates.append(rate)
        return train(self, rate, scratch, share)

    monkeypatch.setattr(trained._Run, "train", count)
    with pytest.raises(KeyboardInterrupt):
        benchsuite.run(*call, tune=True, force=True, **settings)
    rates.clear()
    [file] = settings["store"].rglob(tuning.FILE)
    search = json.loads(file.read_text())
    assert search["seconds"] > 0
    file.write_text(json.dumps({**search, "seconds": 1000.0}))
    monkeypatch.setattr(
        trained._Run,
        "train",
        lambda self, rate, scratch, share=1.0: (
            rates.append(rate) or train(self, rate, scratch, share)
        ),
    )
    [again] = benchsuite.run(*call, tune=True, force=True, **settings)
    assert len(rates) == 4  # one of the first rung, two of the second, the whole run
    assert again.provenance["chosen"][""]["tuning"] == whole.provenance["chosen"][""]["tuning"]
    assert again.headline == whole.headline
    assert again.cost["fit_s"] > 1000 > whole.cost["fit_s"]  # with what the killed search took


def test_a_trial_of_as_many_epochs_as_an_earlier_one_is_no_continuation(
    tiny_bert_folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its seconds would count twice."""
    monkeypatch.setattr("benchsuite.training.checkpoint.INTERVAL", 0.0)
    resumed = []
    load = checkpoint.load
    monkeypatch.setattr(
        checkpoint, "load", lambda *given: resumed.append(load(*given)) or resumed[-1]
    )
    call = (str(tiny_bert_folder), "lora:epochs=1", "classification")
    [record] = benchsuite.run(*call, tune=True, **settings)
    assert record.status == "done", record.reason
    assert len(resumed) == 7 and resumed == [None] * 7


@pytest.mark.parametrize("regime", ["frozen:1", "frozen:0.5"])
@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_frozen_is_searched_like_the_others(
    family: str, regime: str, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """Its states are kept on disk, and each trial has a network of its own."""
    folder = str(request.getfixturevalue(f"tiny_{family}_folder"))
    call = f"{regime}+epochs=4"
    [record] = benchsuite.run(folder, call, "classification", tune=True, **settings)
    assert record.status == "done", record.reason
    rate = record.provenance["chosen"][""]["lr"]
    [alone] = benchsuite.run(folder, f"{call}+lr={rate}", "classification", **settings)
    assert alone.provenance["chosen"][""]["loss"] == record.provenance["chosen"][""]["loss"]


def test_a_search_that_failed_begins_anew(
    tiny_bert_folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = (str(tiny_bert_folder), "lora:epochs=4", "classification")
    train = trained._Run.train

    def diverge(*given: Any, **named: Any) -> Any:
        raise Diverged("not finite")

    monkeypatch.setattr(trained._Run, "train", diverge)
    [failed] = benchsuite.run(*call, tune=True, **settings)
    assert failed.status == "failed" and "every rate tried" in (failed.reason or "")
    monkeypatch.setattr(trained._Run, "train", train)
    [record] = benchsuite.run(*call, tune=True, **settings)
    assert record.status == "done", record.reason


def test_regimes_without_a_rate_alone_are_refused(
    tiny_bert_folder: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="none of the regimes has a rate"):
        benchsuite.run(str(tiny_bert_folder), "probe", "classification", tune=True, **settings)


def test_a_tuned_cell_is_another_cell_but_not_of_regimes_without_a_rate(
    tiny_bert_folder: Path, settings: dict[str, Any]
) -> None:
    plans = {
        tune: benchsuite.api.prepare(
            str(tiny_bert_folder), "probe,lora", "classification", tune=tune, **settings
        ).cells
        for tune in (False, True)
    }
    assert [cell.tune for cell in plans[True]] == [False, True]
    assert plans[True][0] == plans[False][0]


def test_a_rate_that_is_given_is_not_searched(
    tiny_bert_folder: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="lora:lr=0.1 names one"):
        benchsuite.run(
            str(tiny_bert_folder), "lora:lr=0.1", "classification", tune=True, **settings
        )


def test_without_a_selection_slice_there_is_nothing_to_search_on(
    tiny_bert_folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = Task.selection
    monkeypatch.setattr(Task, "selection", lambda self: replace(selection(self), examples=[]))
    [record] = benchsuite.run(
        str(tiny_bert_folder), "lora:epochs=4", "classification", tune=True, **settings
    )
    assert record.status == "failed"
    assert "compared on a selection slice" in (record.reason or "")
