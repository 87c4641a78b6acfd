"""Points, panels and equal budgets against numbers worked out by hand."""

from __future__ import annotations

import itertools

import pytest

from benchsuite.report.scaling import Checkpoint, Score, collect, latest_within
from tests.report.scaling.made import scored

# T in millions, FLOPs in 1e12: 40 a token for gpt, 20 for t5; bert's are unknown.
TRIO = [
    ("gpt@64", 1, 40),
    ("gpt@128", 2, 80),
    ("gpt@256", 4, 160),
    ("gpt", 10, 400),
    ("t5@64", 1, 20),
    ("t5@256", 4, 80),
    ("t5", 5, 100),
    ("bert@128", 2, None),
    ("bert", 6, None),
]


def checkpoints(rows: list[tuple[str, float, float | None]] = TRIO) -> list[Checkpoint]:
    return [
        Checkpoint(
            model=model,
            series=model.partition("@")[0],
            family="decoder",
            tokens=round(tokens * 10**6),
            flops=None if flops is None else flops * 1e12,
        )
        for model, tokens, flops in rows
    ]


def models(within: dict[str, Checkpoint | None]) -> dict[str, str | None]:
    return {series: one and one.model for series, one in within.items()}


def test_equal_tokens_end_where_the_most_modest_model_ends() -> None:
    """t5 ends at 5 million: gpt's latest before that is at 4 million, bert's at 2."""
    budget, within = latest_within(checkpoints(), "tokens")
    assert budget == 5_000_000
    assert models(within) == {"gpt": "gpt@256", "t5": "t5", "bert": "bert@128"}


def test_equal_flops_end_where_the_most_modest_model_ends() -> None:
    """t5 ends at 100e12: gpt's latest before that is 80e12; bert's FLOPs are not known."""
    budget, within = latest_within(checkpoints(), "flops")
    assert budget == 100e12
    assert models(within) == {"gpt": "gpt@128", "t5": "t5"}


def test_the_order_of_checkpoints_does_not_matter() -> None:
    for few in itertools.permutations(checkpoints()[2:7], 5):
        assert models(latest_within(few, "tokens")[1]) == {"gpt": "gpt@256", "t5": "t5"}


def test_runs_of_one_budget_that_end_within_a_step_are_equal() -> None:
    rows = [("gpt@64", 50, None), ("gpt", 104.9, None), ("t5@64", 50, None), ("t5", 100, None)]
    assert models(latest_within(checkpoints(rows), "tokens")[1]) == {"gpt": "gpt", "t5": "t5"}
    rows[1] = ("gpt", 105.1, None)
    assert models(latest_within(checkpoints(rows), "tokens")[1]) == {"gpt": "gpt@64", "t5": "t5"}


def test_a_model_whose_first_checkpoint_is_beyond_the_budget_has_none() -> None:
    rows = [("gpt", 10, 400), ("t5@64", 1, 20), ("t5", 5, 100)]
    assert models(latest_within(checkpoints(rows), "tokens")[1]) == {"gpt": None, "t5": "t5"}
    assert latest_within([], "flops") == (0.0, {})


def test_a_final_model_that_is_a_step_goes_by_its_own_name() -> None:
    rows = [("t5", 4, 80), ("t5@1024", 4, 80), ("gpt", 4, 160)]
    for order in (rows, rows[::-1]):
        assert models(latest_within(checkpoints(order), "tokens")[1])["t5"] == "t5"


def test_points_floors_and_chance_come_from_records() -> None:
    found = [
        scored("gpt", 0.64, 10_000_000, 4e14),
        scored("gpt@256", 0.55, 1_000_000, 4e13),
        scored("gpt:untrained", 0.49),
        scored("gpt@1024", 0.58, 4_000_000),
        scored("t5@256", 0.51, 1_000_000, 2e13),
    ]
    scaling = collect(found)
    [panel] = scaling.panels
    assert [
        (p.checkpoint.model, p.checkpoint.tokens, p.checkpoint.flops, p.score) for p in panel.points
    ] == [
        ("gpt@256", 1_000_000, 4e13, Score(0.55, 0.5, 0.7)),
        ("gpt@1024", 4_000_000, None, Score(0.58, 0.5, 0.7)),
        ("gpt", 10_000_000, 4e14, Score(0.64, 0.5, 0.7)),
        ("t5@256", 1_000_000, 2e13, Score(0.51, 0.5, 0.7)),
    ]
    assert {point.checkpoint.series for point in panel.points} == {"gpt", "t5"}
    assert panel.floors == {"gpt": Score(0.49, 0.5, 0.7)} and panel.chance == 0.5
    assert panel.title == "blimp, accuracy, n = 100"
    assert scaling.notes == ["gpt@1024: FLOPs unknown, so by tokens alone"]
    assert collect(found[::-1]) == scaling


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"data": {"validation": "e" * 64}}, "data"),
        ({"prompts": "q" * 64}, "prompts qqqqqqqqqqqq"),
        ({"dtype": "bfloat16"}, "dtype bfloat16"),
    ],
)
def test_other_conditions_are_another_panel(change: dict, word: str) -> None:
    panels = collect([scored("gpt@1", 0.5, 1), scored("gpt@2", 0.6, 2, **change)]).panels
    assert [len(panel.points) for panel in panels] == [1, 1]
    assert any(word in panel.title for panel in panels)
    assert len({panel.title for panel in panels}) == 2


def test_weights_and_device_share_a_panel() -> None:
    found = [scored("gpt@1", 0.5, 1), scored("gpt@2", 0.6, 2, device="cuda", tokenizer="other")]
    assert len(collect(found).panels) == 1


def test_only_done_zero_shot_scores_are_points() -> None:
    probe = scored("gpt@2", 0.9, 2, 1e6)
    probe.cell |= {"regime": "fewshot:4", "regime_name": "fewshot"}
    failed = scored("gpt@4", 0.9, 4, 1e6)
    failed.status, failed.headline = "failed", None
    undefined = scored("gpt@8", None, 8, 1e6)
    scaling = collect([scored("gpt@1", 0.5, 1, 1e6), probe, failed, undefined])
    assert [one.model for one in scaling.checkpoints] == ["gpt@1"]
    assert scaling.notes == ["gpt@8 zeroshot blimp: no score (undefined)"]
    assert collect([scored("gpt:untrained", 0.5)]).panels == []


def test_the_newest_of_several_records_is_taken() -> None:
    old, new = (
        scored("gpt@1", 0.5, 1, 1e6, weights="old"),
        scored("gpt@1", 0.6, 1, 1e6, weights="new"),
    )
    new.provenance["time"] = "2026-02-01T00:00:00+00:00"
    for order in ([old, new], [new, old]):
        scaling = collect(order)
        assert [point.score.value for point in scaling.panels[0].points] == [0.6]
        assert scaling.notes == [
            "blimp, accuracy, n = 100: 1 older record(s) of the same models left out"
        ]


def test_points_that_are_not_of_one_run_are_told() -> None:
    other_recipe = [scored("gpt@1", 0.5, 1, 1e6), scored("gpt", 0.6, 2, 1e6, recipe="s")]
    [note] = collect(other_recipe).notes
    assert note.startswith("gpt: the checkpoints are of 2 recipes")
    other_weights = [
        scored("gpt@1", 0.5, 1, 1e6, weights="a"),
        scored("gpt@1", 0.6, 1, 1e6, weights="b", task="glue/cola"),
    ]
    [note] = collect(other_weights).notes
    assert note.startswith("gpt@1: the scores are of 2 different weights")
    [note] = collect([scored("gpt@1", 0.5, 1, 1e6), scored("hf:x/y", 0.6)]).notes
    assert note.startswith("hf:x/y: left out")
