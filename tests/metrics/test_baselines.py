"""What no model at all would get."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from benchsuite.metrics import baselines
from tests.metrics.made import CHOICE, CLASSES, PAIRS, REGRESSION, SPAN, TAGGING
from tests.outcomes import make_examples, make_task


class TestBaselines:
    """What no model at all would get."""

    def test_majority_is_of_train_where_there_is_one(self) -> None:
        examples = make_examples([0, 0, 0, 1])
        task = make_task("classification", ["accuracy"])
        assert baselines(task, examples) == {"majority": 0.75, "chance": 0.5}
        assert baselines(task, examples, [1, 1, 0])["majority"] == 0.25

    def test_f1_and_matthews(self) -> None:
        examples = make_examples([1, 1, 1, 0])
        f1 = baselines(make_task("classification", ["f1"]), examples)
        assert f1["majority"] == pytest.approx(2 * 0.75 / 1.75)
        assert f1["all_positive"] == f1["majority"]
        assert f1["chance"] == pytest.approx(2 * 0.75 * 0.5 / 1.25)
        rare = baselines(make_task("classification", ["f1"]), make_examples([1, 0, 0, 0]))
        gold, ones = [1, 0, 0, 0], [1, 1, 1, 1]
        assert rare["majority"] == 0.0
        assert rare["all_positive"] == pytest.approx(sklearn.metrics.f1_score(gold, ones))
        matthews = baselines(make_task("classification", ["matthews"]), examples)
        assert matthews == {"majority": 0.0, "chance": 0.0}

    def test_chance_of_f1_is_what_random_guesses_get(self) -> None:
        rng = np.random.default_rng(0)
        gold = rng.random(100_000) < 0.3
        guessed = sklearn.metrics.f1_score(gold, rng.random(100_000) < 0.5)
        examples = make_examples([1] * 3 + [0] * 7)
        found = baselines(make_task("classification", ["f1"]), examples)["chance"]
        assert found == pytest.approx(guessed, abs=0.01)

    def test_choice_with_different_numbers_of_options(self) -> None:
        examples = make_examples([3, 3], options=4) + make_examples([1], options=2, subset="two")
        found = baselines(CHOICE, examples)
        assert found["chance"] == pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3)
        assert found["majority"] == pytest.approx(2 / 3)

    def test_the_other_kinds(self) -> None:
        assert baselines(REGRESSION, make_examples([1.0, 2.0])) == {"chance": 0.0}
        assert baselines(TAGGING, make_examples([(0, 1), (0, 0)])) == {"all_o": 0.0}
        assert baselines(SPAN, make_examples([("x",), ("y",)])) == {"no_answer": 0.0}
        assert baselines(SPAN, make_examples([("x",), ()])) == {"no_answer": 0.5}
        assert baselines(PAIRS, make_examples([0, 0])) == {"chance": 0.5}

    def test_undefined_ones_are_left_out(self) -> None:
        assert baselines(CLASSES, make_examples([None, None])) == {}
        assert baselines(TAGGING, make_examples([(0, 0)])) == {}
