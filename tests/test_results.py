"""Result rows, headline, counts and outcomes of made predictions."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchsuite import records
from benchsuite.regimes.base import Variant
from benchsuite.results import headline, summarize, tables_of
from benchsuite.stats import bootstrap, estimate, paired_difference
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.task import load_task
from tests.outcomes import columns_of, make_examples, make_task

CLASSES = make_task("classification", ["f1", "accuracy"])
REGRESSION = make_task("regression", ["pearson", "spearman"])
BLIMP = make_task(
    "minimal_pair",
    ["accuracy"],
    group="field",
    dataset={"path": "o/d", "configs": ["p1", "p2", "p3"], "concat": "mean"},
)


def variant(values: list[Any], prompt: str = "p", score: str = "cloze", **keys: Any) -> Variant:
    predictions = [v if isinstance(v, Prediction) else Prediction(v) for v in values]
    return Variant(prompt, score, keys.pop("norm", "none"), predictions, **keys)


def blimp() -> tuple[list[Example], list[int]]:
    """Three paradigms in two fields, right in 8 of 8, 6 of 8 and 1 of 2."""
    examples = [
        *make_examples([0] * 8, subset="p1", group="syntax"),
        *make_examples([0] * 8, subset="p2", group="syntax"),
        *make_examples([0] * 2, subset="p3", group="semantics"),
    ]
    return examples, [0] * 8 + [0] * 6 + [1] * 2 + [0, 1]


def test_rows_of_metrics_subsets_and_groups() -> None:
    examples, said = blimp()
    found = summarize(BLIMP, {"validation": (examples, [variant(said, score="sum")])})
    values = {row["subset"]: row["value"] for row in found.results}
    assert values == pytest.approx(
        {
            "": (1 + 0.75 + 0.5) / 3,
            "p1": 1.0,
            "p2": 0.75,
            "p3": 0.5,
            "group:syntax": 0.875,
            "group:semantics": 0.5,
        }
    )
    assert {row["subset"]: (row["n"], row["clusters"]) for row in found.results} == {
        "": (18, 18),
        "p1": (8, 8),
        "p2": (8, 8),
        "p3": (2, 2),
        "group:syntax": (16, 16),
        "group:semantics": (2, 2),
    }
    assert found.headline["value"] == values[""]
    assert found.baselines == {"chance": 0.5}
    for row in found.results:
        assert row["low"] <= row["value"] <= row["high"]


def test_one_config_has_no_subset_rows() -> None:
    found = summarize(CLASSES, {"validation": (make_examples([0, 1, 1]), [variant([0, 1, 0])])})
    assert [(row["subset"], row["metric"]) for row in found.results] == [
        ("", "f1"),
        ("", "accuracy"),
    ]


def test_rows_and_headline_fit_the_record() -> None:
    found = summarize(CLASSES, {"validation": (make_examples([0, 1, 1]), [variant([0, 1, 0])])})
    for row in found.results:
        records.Result(**row)
    shown = records.Headline(**found.headline)
    assert shown.metric == "f1" and shown.value == pytest.approx(2 / 3)
    assert shown.spread is None and shown.undefined_reason is None


def test_the_headline_is_the_mean_of_prompts_and_splits_never_the_best() -> None:
    task = make_task(
        "classification",
        ["accuracy"],
        dataset={"path": "o/d", "configs": ["c"], "eval_splits": ["m", "mm"]},
    )
    splits = {
        "m": (
            make_examples([0, 0, 1, 1], split="m"),
            [variant([0, 0, 1, 1], "good"), variant([1, 1, 0, 1], "bad", "head", norm="token")],
        ),
        "mm": (
            make_examples([0, 1], split="mm"),
            [variant([0, 1], "good"), variant([0, 0], "bad", "head", norm="token")],
        ),
    }
    found = summarize(task, splits)
    by_prompt = [(1 + 1) / 2, (0.25 + 0.5) / 2]
    assert found.headline["split"] == "m+mm"
    assert found.headline["value"] == pytest.approx(np.mean(by_prompt))
    assert found.headline["spread"] == pytest.approx(np.std(by_prompt, ddof=1))
    assert (found.headline["score"], found.headline["norm"]) == ("mixed", "mixed")
    assert found.headline["n"] == 6
    assert len(found.results) == 4
    assert found.baselines == {"majority": 0.5, "chance": 0.5}


def test_the_headlines_interval_is_the_rows_where_there_is_one_prompt() -> None:
    rng = np.random.default_rng(0)
    gold, said = rng.integers(0, 2, 100).tolist(), rng.integers(0, 2, 100).tolist()
    found = summarize(CLASSES, {"validation": (make_examples(gold), [variant(said)])})
    row = found.results[0]
    assert (row["low"], row["high"]) == (found.headline["low"], found.headline["high"])


def test_an_undefined_prompt_leaves_the_headline_undefined() -> None:
    examples = make_examples([1.0, 2.0, 4.0])
    variants = [variant([1.0, 2.0, 3.0], "varied"), variant([3.0, 3.0, 3.0], "constant")]
    found = summarize(REGRESSION, {"validation": (examples, variants)})
    rows = {(row["prompt"], row["metric"]): row for row in found.results}
    assert rows["varied", "pearson"]["value"] == pytest.approx(0.9819805)
    undefined = rows["constant", "pearson"]
    assert undefined["value"] is undefined["low"] is undefined["high"] is None
    assert undefined["undefined_reason"] == "constant predictions"
    assert found.headline["value"] is found.headline["spread"] is found.headline["low"] is None
    assert found.headline["undefined_reason"] == "constant: constant predictions"


def test_nothing_scorable_is_a_reason_not_a_failure() -> None:
    found = summarize(CLASSES, {"test": (make_examples([None, None]), [variant([0, 1])])})
    assert found.headline["value"] is None
    assert found.headline["undefined_reason"] == "p: no scorable examples"
    assert found.baselines == {}
    assert found.counts["unscorable"] == 2
    assert found.outcomes["prediction"].tolist() == [0, 1]


def test_counts() -> None:
    examples = make_examples([0, None, 1])
    tie = Prediction(0, (0, 1))
    variants = [
        variant([tie, tie, 0], "a", counts={"truncated": 1}),
        variant([0, 0, tie], "b", counts={"truncated": 2}),
    ]
    found = summarize(CLASSES, {"validation": (examples, variants)})
    assert found.counts == {"examples": 3, "unscorable": 1, "ties": 2, "truncated": 3}


def arrays(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Columns as `records.read_columns` gives them."""
    return {name: outcomes[name].to_numpy() for name in outcomes}


def test_outcomes_hold_ids_and_numbers_only_and_give_the_values_back() -> None:
    examples, said = blimp()
    variants = [variant(said, "a", "sum"), variant(said[::-1], "b", "sum")]
    found = summarize(BLIMP, {"validation": (examples, variants)})
    texts = found.outcomes.select_dtypes(exclude=["number", "bool"]).columns
    assert set(texts) == {
        *("split", "subset", "group", "id", "cluster"),
        *("prompt", "score", "norm"),
    }
    buffer = io.BytesIO()
    found.outcomes.to_parquet(buffer, index=False)
    tables = tables_of(arrays(pd.read_parquet(buffer)))
    assert len(tables) == 2
    assert estimate(BLIMP, "accuracy", tables) == pytest.approx(found.headline["value"])
    interval = bootstrap(BLIMP, "accuracy", tables)
    assert (interval.low, interval.high) == (found.headline["low"], found.headline["high"])


def test_stored_outcomes_of_two_models_are_compared_in_pairs() -> None:
    examples = make_examples([0] * 200)
    rng = np.random.default_rng(0)
    stored = [
        summarize(
            make_task("minimal_pair", ["accuracy"]),
            {"validation": (examples, [variant((rng.random(200) < wrong).astype(int).tolist())])},
        ).outcomes
        for wrong in (0.2, 0.5)
    ]
    better, worse = (tables_of(arrays(outcomes)) for outcomes in stored)
    found = paired_difference(make_task("minimal_pair", ["accuracy"]), "accuracy", better, worse)
    assert found.value is not None and found.low is not None and found.high is not None
    assert 0 < found.low < found.value < found.high


def test_headline_of_one_split_keeps_its_name_and_path() -> None:
    columns = [{"validation": columns_of(CLASSES, [0, 1, 1], [0, 1, 1])}]
    found = headline(CLASSES, [variant([0, 1, 1], norm="byte")], columns)
    assert (found["split"], found["score"], found["norm"]) == ("validation", "cloze", "byte")


@pytest.mark.skipif("BENCHSUITE_DATA" not in os.environ, reason="BENCHSUITE_DATA is not set")
@pytest.mark.parametrize(
    ("task_id", "n", "expected"),
    [
        # 5,945 of 11,873 questions have no answer; 279 of 408 pairs are paraphrases.
        ("squad/v2", 11_873, {"no_answer": 5_945 / 11_873}),
        ("squad/v1", 10_570, {"no_answer": 0.0}),
        (
            "glue/mrpc",
            408,
            dict.fromkeys(("majority", "all_positive"), 2 * 279 / (408 + 279))
            | {"chance": 279 / (279 + 204)},
        ),
        ("glue/cola", 1_043, {"majority": 0.0, "chance": 0.0}),
    ],
)
def test_official_data(task_id: str, n: int, expected: dict[str, float]) -> None:
    """The gold answers get everything, and no model what the official counts say."""
    task = load_task(task_id)
    examples = task.evaluation("validation", None).examples
    said = [
        (e.target[0] if e.target else "") if task.spec.kind == "span" else e.target
        for e in examples
    ]
    found = summarize(task.spec, {"validation": (examples, [variant(said)])})
    assert (found.headline["value"], found.headline["n"]) == (1.0, n)
    assert found.baselines == pytest.approx(expected)
