"""Seeds summed up: by hand, by simulation, and as tables show them."""

import math

import numpy as np
import pytest
from scipy import stats

from benchsuite.records import Record
from benchsuite.report import markdown, table
from benchsuite.report.seeds import over_seeds
from tests.made import made_record


def trained(value: float | None, half: float = 0.04, **changes: object) -> Record:
    """A trained cell's record with an interval of `half` to both sides; majority is 0.55."""
    record = made_record(regime="lora", value=value, labels_used=10, **changes)
    if record.headline is not None:
        record.cost["parameters_trainable"] = 7
        if value is not None:
            record.headline.low, record.headline.high = value - half, value + half
    return record


def seeds_of(*values: float, half: float = 0.04) -> list[Record]:
    return [trained(value, half, seed=seed) for seed, value in enumerate(values)]


def test_one_seed_keeps_the_interval_of_its_examples() -> None:
    found = over_seeds(seeds_of(0.8))
    assert (found.value, found.spread, found.seeds) == (0.8, None, 1)
    assert (found.low, found.high) == pytest.approx((0.76, 0.84))


def test_mean_spread_and_interval_by_hand() -> None:
    found = over_seeds(seeds_of(0.70, 0.74, 0.78))
    assert found.value == pytest.approx(0.74) and found.spread == pytest.approx(0.04)
    of_examples = (0.04 / 1.959964) ** 2
    of_seeds = 0.04**2 / 3
    bound = of_seeds * 2 / stats.chi2.ppf(0.25, 2)  # what the seeds' variance hardly exceeds
    freedom = (of_examples + bound) ** 2 / (bound**2 / 2)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(of_examples + of_seeds)
    assert (found.low, found.high) == pytest.approx((0.74 - half, 0.74 + half), abs=1e-6)


def test_without_an_examples_part_it_is_student_s_interval() -> None:
    values = [0.61, 0.66, 0.7, 0.64]
    found = over_seeds(seeds_of(*values, half=0.0))
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_equal_seeds_have_the_interval_of_one() -> None:
    found = over_seeds(seeds_of(0.7, 0.7, 0.7))
    assert (found.low, found.high) == pytest.approx((0.66, 0.74), abs=1e-6)


def test_the_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    """Seeds that share their examples: both parts vary from run to run."""
    generator = np.random.default_rng(0)
    examples, seeds, covered, runs = 0.02, 0.02, 0, 400
    for shift in generator.normal(0, examples, runs):
        values = 0.7 + shift + generator.normal(0, seeds, 3)
        found = over_seeds(seeds_of(*values, half=1.959964 * examples))
        covered += found.low <= 0.7 <= found.high
    assert 0.92 <= covered / runs <= 0.99


def test_a_seed_whose_score_is_undefined_leaves_the_mean_undefined() -> None:
    found = over_seeds([trained(0.7, seed=0), trained(None, seed=1)])
    assert found.value is None and found.low is None


def test_seeds_that_are_at_the_trivial_answer_are_counted() -> None:
    assert over_seeds(seeds_of(0.8, 0.57, 0.5)).collapsed == 2
    untrained = [made_record(value=0.5, seed=seed) for seed in (0, 1)]
    assert over_seeds(untrained).collapsed == 0


def test_a_table_has_one_row_of_all_seeds() -> None:
    text = markdown.render(table.build(seeds_of(0.70, 0.74, 0.56)))
    rows = [line for line in text.splitlines() if line.startswith("| gpt | lora |")]
    assert len(rows) == 2  # its score and its cost
    assert "66.7" in rows[0] and "±9.5 over 3 seeds" in rows[0]
    assert "unstable 1/3" in rows[0]


def test_a_single_seed_says_so() -> None:
    assert "1 seed" in markdown.render(table.build(seeds_of(0.7))).split("baseline")[0]


def test_seeds_under_other_conditions_are_not_summed_up() -> None:
    found = seeds_of(0.70, 0.74, 0.90)
    found[2].cell["key_parts"] = {"data": {"validation": "another"}}
    text = markdown.render(table.build(found))
    assert "±2.8 over 2 seeds" in text
    assert "1 other record" in text


def test_a_seed_that_failed_is_told_of_beside_the_mean_of_the_others() -> None:
    failed = made_record(regime="lora", status="failed", seed=2)
    text = markdown.render(table.build([*seeds_of(0.70, 0.74), failed]))
    assert "over 2 seeds" in text
    assert "gpt lora glue/sst2 seed 2: failed: because" in text


def test_an_undefined_seed_of_a_trained_cell_collapsed() -> None:
    found = [trained(0.8, seed=0), trained(None, seed=1)]
    assert over_seeds(found).collapsed == 1
    text = markdown.render(table.build(found))
    assert "| undefined unstable 1/2" in text


def test_of_numbers_chance_is_the_trivial_answer() -> None:
    found = seeds_of(0.85, 0.02)
    for record in found:
        record.baselines = {"chance": 0.0, "bag_of_words": 0.3}
    assert over_seeds(found).collapsed == 1


def test_an_interval_does_not_leave_the_metric() -> None:
    found = over_seeds(seeds_of(0.5, 0.9))
    assert (found.low, found.high) == (0.0, 1.0)
    correlated = seeds_of(0.0, 0.9)
    for record in correlated:
        assert record.headline is not None
        record.headline.metric = "matthews"
    assert over_seeds(correlated).low == -1.0


def test_seeds_that_trained_on_other_data_are_no_seeds_of_one_cell() -> None:
    found = seeds_of(0.7, 0.8)
    for record, train in zip(found, ("part", "whole"), strict=True):
        record.cell["key_parts"] = {"train": {"train": train}}
    assert "1 seed" in markdown.render(table.build(found)).split("baseline")[0]
    for record in found:  # demonstrations are drawn by the seed
        record.cell["regime_name"] = "fewshot"
    assert "over 2 seeds" in markdown.render(table.build(found))


def test_training_sizes_are_rows_of_their_own() -> None:
    found = seeds_of(0.7, 0.8)
    for record, limit in zip(found, (100, 1000), strict=True):
        record.cell |= {"train_limit": limit, "regime_name": "lora"}
    text = markdown.render(table.build(found))
    assert "gpt (100 training examples)" in text and "gpt (1,000 training examples)" in text
