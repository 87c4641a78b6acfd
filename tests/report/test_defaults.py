"""The page of the study of learning rates, from made records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchsuite import records
from benchsuite.records import Record
from benchsuite.regimes.lora import LoRA
from benchsuite.report import defaults
from tests.made import made_outcomes, made_record


def tuned(task: str, taken: float, tried: dict[float, float | None], **cell: Any) -> Record:
    """A record as a search leaves it."""
    record = made_record(task=task, regime="lora", seed=0)
    record.cell |= {"family": "encoder", "regime_name": "lora", "train_limit": 500, "tune": True}
    record.cell |= cell
    trials = [
        {"lr": rate, "share": 0.25, "metric": metric, "confidence": -1.0}
        for rate, metric in tried.items()
    ]
    trials.append({"lr": taken, "share": 0.5, "metric": 0.9, "confidence": -1.0})
    record.provenance["chosen"] = {"": {"lr": taken, "tuning": trials}}
    return record


def test_the_rate_between_the_winners_is_recommended() -> None:
    tried = {0.0003: 0.5, 0.001: 0.6, 0.003: 0.7, 0.01: None}
    found = defaults.searches([tuned("glue/sst2", 0.003, tried), tuned("glue/cola", 0.0003, tried)])
    assert [one.record.cell["task"] for one in found] == ["glue/cola", "glue/sst2"]
    assert defaults.recommended(found) == 0.001
    assert defaults.recommended(found[1:]) == 0.003


def test_a_winner_at_an_end_is_marked() -> None:
    tried = {0.0003: 0.5, 0.001: 0.6, 0.003: 0.7, 0.01: None}
    page = defaults.page([tuned("a", 0.0003, tried), tuned("b", 0.001, tried)])
    assert "| 0.0003 lowest |" in page and "| 0.001 |" in page
    assert "| 0.01 highest |" in defaults.page([tuned("a", 0.01, {0.003: 0.1, 0.01: 0.2})])


def test_the_evaluation_split_has_no_say() -> None:
    """Whatever it says of a task, its winner counts; of two rates as near the lower is taken."""
    tried = {0.0003: 0.5, 0.001: 0.6, 0.003: 0.7, 0.01: None}
    good, lost = (tuned(task, 0.003, tried) for task in ("glue/sst2", "glue/cola"))
    lost.provenance["chosen"][""]["lr"] = 0.0003
    lost.cost["parameters_trainable"] = 7
    assert lost.headline is not None and lost.headline.low is not None
    lost.baselines = {"majority": lost.headline.low}
    assert defaults.recommended(defaults.searches([good, lost])) == 0.001
    assert f" {100 * (lost.headline.value or 0):.1f}\\* | " in defaults.page([good, lost])
    steps = {0.001: 0.6, 0.003: 0.7, 0.009: 0.8}
    even = [tuned("glue/sst2", 0.003, steps), tuned("glue/cola", 0.009, steps)]
    assert defaults.recommended(defaults.searches(even)) == 0.003


def test_the_page_shows_what_was_tried_and_what_the_code_has() -> None:
    tried = {0.0003: 0.5, 0.003: 0.71, 0.01: None}
    text = defaults.page([tuned("glue/sst2", 0.003, tried), made_record(regime="lora")])
    assert (
        "| encoder | gpt | glue/sst2 | 0.0003: 50.0, 0.003: 71.0, 0.01: diverged | 0.003 |" in text
    )
    default = LoRA.default_lr["encoder"]
    said = "the default" if default == 0.003 else f"the default is {default:g}"
    assert f"- encoder: 0.003 ({said})" in text
    assert "Training examples: 500." in text


def test_the_studys_rate_is_shown_over_its_seeds() -> None:
    search = tuned("glue/sst2", 0.003, {0.0003: 0.5, 0.003: 0.71})
    plain = []
    for seed, rate, value in ((0, 0.003, 0.6), (1, 0.003, 0.8), (2, 0.01, 0.1), (2, 0.003, 0.7)):
        record = made_record(task="glue/sst2", regime="lora", seed=seed, value=value)
        record.cell |= {
            "family": "encoder",
            "regime_name": "lora",
            "train_limit": 500,
            "options": {"lr": rate},
        }
        record.provenance["chosen"] = {"": {"lr": rate}}
        plain.append(record)
    assert "| 70.0 ±10.0 over 3 |" in defaults.page([search, *plain])
    assert "| 60.0 over 1 |" in defaults.page([search, plain[0]])
    plain[0].cell["train_limit"] = 1000
    assert " over " not in defaults.page([search, plain[0]]).split("| encoder")[1]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert defaults.main(["--store", str(tmp_path)]) == 2
    assert "no records here" in capsys.readouterr().err
    records.write(tmp_path, made_record(), made_outcomes())
    assert defaults.main(["--store", str(tmp_path)]) == 2
    assert "no record of `bench run --tune`" in capsys.readouterr().err
    records.write(tmp_path, tuned("glue/sst2", 0.003, {0.003: 0.7}), made_outcomes())
    assert defaults.main(["--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("# Default learning rates\n")
