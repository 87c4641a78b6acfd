"""A record's costs come from profiles of its own model, regime, task, precision and device."""

from __future__ import annotations

import pytest

from benchsuite.report import table
from benchsuite.report.costs import inference_costs, place_of
from benchsuite.report.html.cells import Cell, cells_of
from benchsuite.report.html.plots import FLOPS, cost_svg, latency_of
from tests.report.html.made import cell_record, profile

GPT, BERT = cell_record("gpt"), cell_record("bert")
FAST = cell_record("gpt", dtype="bfloat16", device="cuda")
MEASURED = [
    profile("gpt", latency=0.010, flops=1e9),
    profile("gpt", latency=0.002, flops=0.9e9, dtype="bfloat16", device="cuda", hardware="gpu"),
    profile("gpt", latency=0.030, flops=1e9, dtype="float32", device="cpu", hardware="other"),
    profile("bert", latency=0.020, flops=2e9),
    profile("t5", latency=0.020, flops=3e9),
]


def cells() -> dict[str, Cell]:
    found = cells_of(table.build([GPT, BERT, FAST]), MEASURED)
    return {cell.model: cell for cell in found}


def test_another_precision_or_device_is_another_cost() -> None:
    found = cells()
    assert found["gpt"].flops == 1e9
    assert found["gpt"].latency == {"box": 0.010, "other": 0.030}
    fast = found["gpt (bfloat16, cuda)"]
    assert (fast.flops, fast.latency) == (0.9e9, {"gpu": 0.002})


def test_what_is_not_said_is_float32_on_a_processor() -> None:
    assert place_of({"model": "m", "regime": "r", "task": "t"}) == place_of(
        {"model": "m", "regime": "r", "task": "t", "dtype": "float32", "device": "cpu"}
    )


def test_of_two_profiles_of_one_place_the_less_disturbed_counts() -> None:
    quiet, noisy = profile("gpt", latency=0.01, a=1), profile("gpt", latency=0.09, b=1)
    noisy.busy = {"before": 0.7}
    for both in ([quiet, noisy], [noisy, quiet]):
        assert inference_costs(both)[place_of(GPT.cell)].latency == {"box": 0.01}


def test_failed_profiles_and_those_without_inference_say_nothing() -> None:
    failed, empty = profile("gpt"), profile("gpt")
    failed.status, empty.inference = "failed", None
    assert inference_costs([failed, empty]) == {}


def test_latencies_are_of_the_hardware_of_the_most_cells() -> None:
    found = list(cells().values())
    hardware, latency = latency_of(found)
    assert hardware == "box"
    assert {cell.model: latency.get(cell) for cell in found} == {
        "gpt": pytest.approx(10),
        "bert": pytest.approx(20),
        "gpt (bfloat16, cuda)": None,
    }
    assert cost_svg(found, latency)[1] == ["1 scores without this cost"]
    assert cost_svg(found, FLOPS)[1] == []


def test_without_profiles_there_is_no_picture() -> None:
    found = cells_of(table.build([GPT, BERT]), [])
    for cost in (FLOPS, latency_of(found)[1]):
        assert cost_svg(found, cost)[0] is None
