"""Sections of the card against records and outcomes worked out by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchsuite.errors import InputError
from benchsuite.paths import baselines_root
from benchsuite.pretrain.checkpoint import KEYS
from benchsuite.pretrain.evidence import (
    blimp_section,
    harness_section,
    scaling_section,
    trials_section,
)
from benchsuite.records import Headline, Record, Result, write


def _record(model: str, weights: str, value: float) -> Record:
    def row(subset: str, value: float) -> Result:
        return Result(
            split="train",
            subset=subset,
            prompt="sentence",
            metric="accuracy",
            score="sum",
            norm="none",
            value=value,
            low=value - 0.1,
            high=value + 0.1,
            n=4,
            clusters=4,
            primary=True,
        )

    return Record(
        cell={
            "model": model,
            "task": "blimp",
            "regime": "zeroshot",
            "seed": None,
            "key": f"{weights:0<64}",
            "key_parts": {"weights": weights, "prompts": "p"},
        },
        status="done",
        results=[row("", value), row("island", 0.25), row("group:syntax_semantics", 0.3)],
        headline=Headline(
            split="train",
            metric="accuracy",
            score="sum",
            norm="none",
            value=value,
            spread=None,
            low=value - 0.1,
            high=value + 0.1,
            n=4,
        ),
        counts={"examples": 4},
        cost={"examples_per_s": 1.0, "parameters_total": 2, "parameters_trainable": 0},
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    outcomes = pd.DataFrame(
        {
            "split": "train",
            "subset": "island",
            "group": "syntax",
            "id": ["0", "1", "2", "3"],
            "credit": [1.0, 0.0, 0.5, 1.0],
            "tied": [0, 0, 2, 0],
            "primary": True,
        }
    )
    write(tmp_path / "store", _record("gpt", "aa", 0.6), outcomes)
    write(tmp_path / "store", _record("gpt:untrained", "cc", 0.5), outcomes)
    return tmp_path / "store"


def test_blimp_by_field(store: Path) -> None:
    section = blimp_section("gpt", "aa", "cc", store)
    assert "by `sum` over 4 pairs" in section
    assert "| mean over 67 paradigms | 60.0 [50.0, 70.0] | 50.0 [40.0, 60.0] |" in section
    assert "| syntax and semantics | 30.0 [20.0, 40.0] | 30.0 [20.0, 40.0] |" in section
    assert "| field | accuracy | untrained |" in section
    assert "island" not in section


def test_fewer_pairs_of_the_untrained_model_are_told(store: Path) -> None:
    fewer = _record("gpt:untrained", "dd", 0.5)
    assert fewer.headline
    fewer.headline.n = 2
    write(store, fewer, pd.DataFrame({"credit": [1.0]}))
    assert "| accuracy | untrained, 2 pairs |" in blimp_section("gpt", "aa", "dd", store)


def test_records_of_other_weights_are_not_the_models(store: Path) -> None:
    with pytest.raises(InputError, match="no record of gpt on blimp; run `bench run --model gpt"):
        blimp_section("gpt", "bb", "cc", store)
    with pytest.raises(InputError, match="no record of gpt:untrained on blimp"):
        blimp_section("gpt", "aa", "dd", store)


def test_scores_at_equal_cost_are_those_of_the_steps_records(store: Path) -> None:
    text = scaling_section(baselines_root() / "records" / "scaling")
    tokens, flops = text.split("## At equal FLOPs")
    assert tokens.startswith("## At equal tokens\n")
    for table in (tokens, flops):
        for name in ("gpt", "bert", "t5"):
            assert f"\n| {name}" in table
    # what a token costs differs, so that not all are at their end
    assert "@" in flops
    with pytest.raises(InputError, match="no zero-shot records of checkpoints of two models"):
        scaling_section(store)


def test_ties_are_set_apart_from_both(store: Path, tmp_path: Path) -> None:
    # Pair 2 ties here, pair 3 there, where the first option wins a tie; 4 is beyond the record's
    # cap; 0 and 1 are left.
    answers = [(-1.0, -2.0), (-1.0, -2.0), (-2.0, -1.0), (-1.0, -1.0), (-2.0, -1.0)]
    folder = tmp_path / "harness" / "model"
    folder.mkdir(parents=True)
    (folder / "samples_blimp_island_2026-01-01T00-00-00.jsonl").write_text(
        "".join(
            json.dumps({"doc_id": at, "filtered_resps": [[good, True], [bad, False]]}) + "\n"
            for at, (good, bad) in enumerate(answers)
        )
    )
    section = harness_section("gpt", "aa", store, tmp_path / "harness")
    assert section.splitlines()[-1] == "| island | 4 | 2 | 100.0 | 50.0 |"
    (folder / "samples_blimp_passive_1_2026-01-01T00-00-00.jsonl").write_text(
        json.dumps({"doc_id": 0, "filtered_resps": [[-1.0, True], [-2.0, False]]}) + "\n"
    )
    with pytest.raises(InputError, match="passive_1.*no pair of it is in the record of gpt"):
        harness_section("gpt", "aa", store, tmp_path / "harness")


def test_trials_are_read_off_their_runs(tmp_path: Path) -> None:
    recipe = {
        "optimizer": {"name": "muon", "lr": 0.01, "adamw_lr": 0.003},
        "schedule": {"shape": "linear", "decay": 0.3},
        "batch_tokens": 4096,
        "architecture": {"position_table": "sinusoidal"},
    }
    with pytest.raises(InputError, match="holds no run"):
        trials_section([tmp_path])
    content = {"recipe": recipe} | dict.fromkeys(KEYS - {"recipe"})
    torch.save(content, tmp_path / "checkpoint.pt")
    log = tmp_path / "log.jsonl"
    step = {"step": 2, "tokens": 8192, "loss": 5.0, "seconds": 90.0}
    log.write_text(json.dumps(step) + "\n")
    with pytest.raises(InputError, match="not finished; resume it"):
        trials_section([tmp_path])
    closing = {"step": 2, "tokens": 8192, "validation_loss_64": 4.5}
    log.write_text(f"{json.dumps(step)}\n{json.dumps(closing)}\n")
    assert trials_section([tmp_path]).splitlines()[-1] == (
        "| muon | 0.01 | 0.003 | linear over the last 30% | 4,096 | sinusoidal | 8,192 | 1.5 "
        "| 4.500 at 64 |"
    )
