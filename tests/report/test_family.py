"""The family report of made records, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.profiles import Inference, Profile, Training
from benchsuite.records import Record
from benchsuite.report import table
from benchsuite.report.family import compare_families, equality_lines, to_markdown
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


def test_what_is_kept_of_full_and_at_which_cost() -> None:
    found = {(one.model, one.regime): one for one in compare_families(table.build(RECORDS))}
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
    found = compare_families(table.build(RECORDS), profiles)
    shares = {(one.model, one.regime): one.flops for one in found}
    assert shares["gpt", "lora"] == pytest.approx(2 / 3) and shares["bert", "lora"] is None


def test_other_data_and_other_machines_do_not_compare() -> None:
    full, lora = (cell("bert", regime, 0.8, 10.0, seed=0) for regime in ("full", "lora"))
    gpt = cell("gpt", "lora", 0.8, seed=0)
    lora.provenance["hardware"] = "another"
    rows = {one.model: one for one in compare_families(table.build([full, lora, gpt]))}
    assert rows["bert"].kept == 1.0 or rows["bert"].regime == "lora"
    found = [one for one in compare_families(table.build([full, lora, gpt])) if one.kept]
    assert all(one.time is None for one in found if one.regime == "lora")
    full.cell["key_parts"] = {"data": {"validation": "capped"}}
    found = compare_families(table.build([full, lora, gpt]))
    assert all(one.kept is None for one in found if one.regime == "lora")


def test_one_family_alone_has_no_report() -> None:
    assert compare_families(table.build([cell("gpt", "full", 0.8, seed=0)])) == []
    assert to_markdown([]) == []


def test_the_report_opens_with_what_is_equal() -> None:
    found = compare_families(table.build(RECORDS))
    lines = "\n".join(to_markdown(found, equality_lines(found)))
    assert lines.index("tokenizer") < lines.index("| lora | bert |")
    assert "| full | bert | encoder | 1 | 82.0 | 100% | 100% | - | 100% |" in lines
