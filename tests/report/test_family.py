"""The family report of made records, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats

from benchsuite.profiles import Inference, Profile, Training
from benchsuite.records import Record
from benchsuite.report import table
from benchsuite.report.family import families_of, to_markdown
from benchsuite.report.kept import Kept, compare_families
from benchsuite.report.table import Board
from tests.made import made_record


def cell(
    model: str,
    regime: str,
    value: float,
    seconds: float = 0.0,
    task: str = "glue/sst2",
    **more: Any,
) -> Record:
    """A done record whose family follows from its model's name."""
    record = made_record(model, task, regime, value, **more)
    family = {"bert": "encoder", "gpt": "decoder", "t5": "encoder-decoder"}
    record.cell |= {"family": family[model.split("@")[0].split(":")[0]], "regime_name": regime}
    trained = {"full": 1000, "lora": 20, "zeroshot": 0}[regime]
    record.cost |= {"fit_s": seconds, "parameters_trainable": trained}
    if "@" in model:
        record.provenance["pretraining"] = {"tokens": 64}
    return record


RECORDS = [
    cell("bert", "full", 0.80, 100.0, seed=0),
    cell("bert", "full", 0.84, 140.0, seed=1),
    cell("bert", "lora", 0.779, 60.0, seed=0),
    cell("gpt", "full", 0.75, 90.0, seed=0),
    cell("gpt", "lora", 0.75, 45.0, seed=0),
    cell("gpt", "zeroshot", 0.5),
    cell("gpt", "zeroshot", 0.6, task="blimp"),
    cell("bert", "zeroshot", 0.5),
    cell("gpt@64", "zeroshot", 0.9),
    cell("gpt:untrained", "full", 0.9, seed=0),
]


def kept_of(boards: Sequence[Board], profiles: Sequence[Profile] = ()) -> list[Kept]:
    """The rows of the report, without what is left out."""
    return compare_families(boards, profiles)[0]


def test_what_is_kept_of_full_and_at_which_cost() -> None:
    found = {(one.model, one.regime): one for one in kept_of(table.build(RECORDS))}
    assert [key for key in found if key[1] == "lora"] == [("bert", "lora"), ("gpt", "lora")]
    bert = found["bert", "lora"]
    assert bert.kept == pytest.approx(0.779 / 0.82) and bert.share == 0.02
    assert bert.time == pytest.approx(60 / 120) and bert.flops is None
    assert found["bert", "full"].kept == 1.0
    zero = found["gpt", "zeroshot"]
    assert zero.tasks == ("glue/sst2",)  # blimp is gpt's alone
    assert zero.kept == pytest.approx(0.5 / 0.75) and zero.time is None
    assert not {"gpt@64", "gpt:untrained"} & {model for model, _ in found}


def test_flops_come_from_profiles() -> None:
    profiles = [
        Profile(
            cell={"model": "gpt", "regime": regime, "task": "glue/sst2", "hardware": "any"},
            status="done",
            training=Training(examples=1, epochs=1, examples_per_s=[1.0], flops_per_example=flops),
            inference=Inference(
                examples=1, examples_per_s=[1.0], latency_s=[1.0], flops_per_example=1.0
            ),
        )
        for regime, flops in (("full", 300.0), ("lora", 200.0))
    ]
    found = kept_of(table.build(RECORDS), profiles)
    shares = {(one.model, one.regime): one.flops for one in found}
    assert shares["gpt", "lora"] == pytest.approx(2 / 3) and shares["bert", "lora"] is None


def test_other_data_and_other_machines_do_not_compare() -> None:
    full, lora = (cell("bert", regime, 0.8, 10.0, seed=0) for regime in ("full", "lora"))
    gpt = cell("gpt", "lora", 0.8, seed=0)
    lora.provenance["hardware"] = "another"
    rows = {one.model: one for one in kept_of(table.build([full, lora, gpt]))}
    assert rows["bert"].kept == 1.0 or rows["bert"].regime == "lora"
    found = [one for one in kept_of(table.build([full, lora, gpt])) if one.kept]
    assert all(one.time is None for one in found if one.regime == "lora")
    full.cell["key_parts"] = {"data": {"validation": "capped"}}
    found = kept_of(table.build([full, lora, gpt]))
    assert all(one.kept is None for one in found if one.regime == "lora")


def test_one_family_alone_has_no_report() -> None:
    assert kept_of(table.build([cell("gpt", "full", 0.8, seed=0)])) == []
    assert to_markdown(families_of([], [])) == []


def test_the_report_opens_with_what_is_equal() -> None:
    found = families_of(table.build(RECORDS), RECORDS)
    lines = "\n".join(to_markdown(found))
    assert lines.index("tokenizer") < lines.index("| lora | bert |")
    assert "| full | bert | encoder | 1 | 82.0 | 55.0 | 100% | 100% | - | 100% |" in lines
    others = [
        with_settings(record.model_copy(deep=True), model=f"hf:{number}")
        for number, record in enumerate(RECORDS)
    ]
    assert not families_of(table.build(others), others).equality


def with_settings(record: Record, **settings: Any) -> Record:
    """The record under other settings, which the row's name tells."""
    record.cell |= settings
    return record


def test_one_row_more_takes_no_regime_away() -> None:
    tasks = ("glue/cola", "glue/sst2", "glue/rte")
    found = [
        cell(model, regime, 0.7, 10.0, task=task, seed=0)
        for model in ("bert", "gpt", "t5")
        for regime in ("full", "lora")
        for task in tasks
    ]
    whole = kept_of(table.build(found))
    assert len(whole) == 6 and all(one.tasks == tuple(sorted(tasks)) for one in whole)
    window = with_settings(cell("gpt", "full", 0.7, task="glue/qnli", seed=0), max_length=128)
    short = with_settings(cell("gpt", "lora", 0.7, task="glue/cola", seed=0), dtype="bfloat16")
    few = cell("gpt", "full", 0.7, task="glue/qnli", seed=0)
    few.cell["model"] = "hf:x/gpt@main"  # a revision is no checkpoint of ours
    boards = table.build([*found, window, short, few])
    assert kept_of(boards) == whole
    assert compare_families(boards)[1] == [
        "gpt (bfloat16) lora: no other family has these settings",
        "gpt (window 128) full: no other family has these settings",
        "hf:x/gpt@main full: lacks glue/cola, glue/rte, glue/sst2",
    ]


def test_zero_shot_stands_beside_full_finetuning_on_a_cap() -> None:
    capped = [
        with_settings(cell(model, regime, 0.8, 10.0, seed=0), train_limit=500)
        for model in ("bert", "gpt")
        for regime in ("full", "lora")
    ]
    zero = [cell(model, "zeroshot", 0.6) for model in ("bert", "gpt")]
    families = families_of(table.build([*capped, *zero]), [])
    found = families.kept
    assert [(one.name, one.regime, one.kept) for one in found] == [
        (model, regime, pytest.approx(kept))
        for regime, kept in (("full", 1.0), ("lora", 1.0), ("zeroshot", 0.75))
        for model in ("bert", "gpt")
    ]
    assert found[0].model == "bert (500 training examples)"
    assert families.equality
    # Of records that tell of another training than the installed models' nothing can be said.
    zero[0].provenance["pretraining"] = {"step": 1, "tokens": 2, "flops": 3, "recipe": "x"}
    families = families_of(table.build([*capped, *zero]), zero)
    assert not families.equality
    assert "bert: the installed model is of another training" in families.left


def test_what_is_kept_is_of_the_tasks_that_full_has_too() -> None:
    """The probe's second task, of which full finetuning has no score, is no part of the share."""
    found = [
        cell(model, regime, value, 10.0, task=task, seed=0)
        for model in ("bert", "gpt")
        for regime, task, value in (
            ("full", "glue/sst2", 0.8),
            ("lora", "glue/sst2", 0.6),
            ("lora", "glue/rte", 0.9),
        )
    ]
    rows = {(one.name, one.regime): one for one in kept_of(table.build(found))}
    lora = rows["gpt", "lora"]
    assert lora.tasks == ("glue/rte", "glue/sst2") and lora.score == pytest.approx(0.75)
    assert lora.shared == ("glue/sst2",) and lora.kept == pytest.approx(0.75)
    assert lora.cells()[6] == "75% on 1" and lora.cells()[9] == "100% on 1"
    assert rows["gpt", "full"].cells()[6] == "100%"


def test_wnli_and_ax_are_not_in_the_mean() -> None:
    found = kept_of(
        table.build(
            [
                cell(model, "zeroshot", value, task=task)
                for model in ("bert", "gpt")
                for task, value in (("glue/sst2", 0.6), ("glue/wnli", 0.1), ("glue/ax", 0.1))
            ]
        )
    )
    assert [(one.tasks, one.score) for one in found] == [(("glue/sst2",), 0.6)] * 2


def test_what_is_no_better_than_trivial_is_no_measure_of_the_rest() -> None:
    found = kept_of(
        table.build(
            [
                cell(model, regime, value, 1.0, seed=0)
                for model in ("bert", "gpt")
                for regime, value in (("full", 0.55), ("lora", 0.6))
            ]
        )
    )
    assert {one.kept for one in found} == {None} and {one.trivial for one in found} == {0.55}


def test_trivial_is_on_the_scale_of_the_mean() -> None:
    """MRPC's majority has an F1 of 81.2: full finetuning at 83 is better, whatever its accuracy."""
    found = [
        cell(model, regime, value, 1.0, task="glue/mrpc", seed=0)
        for model in ("bert", "gpt")
        for regime, value in (("full", 0.83), ("lora", 0.82))
    ]
    for one in found:
        [row] = one.results
        row.metric = "f1"
        one.results.append(row.model_copy(update={"metric": "accuracy", "value": 0.7}))
        one.baselines = {"majority": 0.812}
    rows = kept_of(table.build(found))
    assert {(one.trivial, one.score) for one in rows} == {(0.812, 0.83), (0.812, 0.82)}
    assert {one.kept for one in rows} == {1.0, 0.82 / 0.83}


def test_times_beside_other_work_are_no_shares() -> None:
    found = [
        cell(model, regime, 0.8, 1.0, seed=0)
        for model in ("bert", "gpt")
        for regime in ("full", "lora")
    ]
    for one in found:
        one.provenance |= {"hardware": "any, 2 cores, avx2", "load": 2.4}
    assert {one.time for one in kept_of(table.build(found))} == {1.0}
    found[1].provenance["load"] = 2.6  # bert's
    times = {(one.name, one.regime): one.time for one in kept_of(table.build(found))}
    assert times["bert", "lora"] is None and times["gpt", "lora"] == 1.0
    [board] = table.build(found)
    rows = board.costs["any, 2 cores, avx2"]
    assert [row[:2] for row in rows if "(busy)" in row[3]] == [("bert", "lora")]


def test_intervals_are_those_of_the_replicates() -> None:
    generator = np.random.default_rng(0)
    found = [
        cell(model, regime, value, 1.0, task=task, seed=0)
        for task in ("glue/sst2", "glue/rte")
        for model in ("bert", "gpt")
        for regime, value in (("full", 0.8), ("lora", 0.7))
    ]
    drawn = {
        one.key: value + 0.02 * generator.standard_normal(4_000)
        for one in found
        if (value := one.headline.value if one.headline else None) is not None
    }
    (lora,) = [
        one
        for one in kept_of(table.build(found, drawn))
        if (one.name, one.regime) == ("gpt", "lora")
    ]
    half = 1.96 * 0.02 / np.sqrt(2)
    assert lora.ends == pytest.approx((0.7 - half, 0.7 + half), abs=2e-3)
    ratio = 0.875 * half * np.sqrt(0.7**-2 + 0.8**-2)  # the delta method
    assert lora.kept_ends == pytest.approx((0.875 - ratio, 0.875 + ratio), abs=3e-3)
    assert "[" in lora.cells()[4] and "[" in lora.cells()[6]


def test_seeds_widen_as_on_the_board_and_their_order_is_nothing() -> None:
    values = {"full": (0.8, 0.9, 0.85), "lora": (0.7, 0.6, 0.65)}
    found = [
        cell(model, regime, value, 1.0, seed=seed)
        for model in ("bert", "gpt")
        for regime, all_values in values.items()
        for seed, value in enumerate(all_values)
    ]
    drawn = {one.key: np.full(100, one.headline.value) for one in found if one.headline}
    lora = kept_of(table.build(found, drawn))[-1]
    half = scipy.stats.t.ppf(0.975, 2) * 0.05 / np.sqrt(3)
    assert lora.ends == pytest.approx((0.65 - half, 0.65 + half), abs=1e-6)
    again = [
        cell(model, regime, value, 1.0, seed=seed)
        for model in ("bert", "gpt")
        for regime, all_values in values.items()
        for seed, value in enumerate(all_values[::-1] if regime == "full" else all_values)
    ]
    drawn = {one.key: np.full(100, one.headline.value) for one in again if one.headline}
    assert kept_of(table.build(again, drawn))[-1].kept_ends == lora.kept_ends


def test_what_has_no_place_is_named_even_where_nothing_has() -> None:
    apart = [cell("bert", "lora", 0.7, task="glue/rte", seed=0), cell("gpt", "lora", 0.7, seed=0)]
    found = families_of(table.build(apart), apart)
    assert not found.kept and len(found.left) == 2
    assert "no task that every family has done" in "\n".join(to_markdown(found))
    unknown = cell("gpt", "lora", 0.7, task="glue/cola", seed=0)
    unknown.cell |= {"model": "hf:x/y", "family": None}
    both = [cell(model, "lora", 0.7, seed=0) for model in ("bert", "gpt")]
    assert len(kept_of(table.build([*both, unknown]))) == 2
