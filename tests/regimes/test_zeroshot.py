"""Zero-shot thresholds, the predictor, and the regime around them."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sklearn.metrics import matthews_corrcoef

from benchsuite.cells import Cell, parse_regime
from benchsuite.errors import CellFailed, InputError, NotApplicable
from benchsuite.regimes.scores import Way
from benchsuite.regimes.thresholds import by_threshold, tuned_threshold
from benchsuite.regimes.zeroshot import (
    CHUNK,
    ZeroShot,
    make_predictor,
    score_exactly,
)
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.scoring.types import Request, Score
from benchsuite.tasks.example import Prediction
from benchsuite.tasks.spec import Prompt
from benchsuite.tasks.task import Task
from tests.regimes.fakes import FakeScorer
from tests.regimes.made import classification, example
from tests.tasks.test_prompts import spec_of

SENTENCE = Way("sum", "sum", "token")
ACCEPTABILITY = {"name": "p", "method": "threshold", "template": "{{ text }}"}


# Thresholds -------------------------------------------------------------------------------------


def test_on_the_threshold_both_labels_are_tied() -> None:
    assert by_threshold(-2.0, -2.0) == Prediction(0, (0, 1))
    assert (by_threshold(-1.9, -2.0).value, by_threshold(-2.1, -2.0).value) == (1, 0)


def by_length(context: str, text: str) -> float:
    """A sum that makes the mean over tokens -1 for `x1 ...`, -2 for `x2 ...` and so on."""
    return -float(text.split()[0][1:]) * len(text.split())


def test_the_median_needs_no_labels_and_is_a_mean_over_tokens() -> None:
    spec = classification([ACCEPTABILITY])
    slice_ = [example(n, None, text=f"x{n}" + " y" * n) for n in (1, 2, 3, 7)]
    predictor = make_predictor(spec, spec.prompts, FakeScorer(by_length), slice_)
    assert predictor.thresholds == {("p", SENTENCE): -2.5}
    (variant,) = predictor.predict([example(n, text=f"x{n} y y") for n in (2, 3)])
    assert [one.value for one in variant.predictions] == [1, 0]
    assert (variant.score, variant.norm) == ("sum", "token")
    assert variant.notes == {"threshold": -2.5}


def test_the_tuned_threshold_is_the_best_on_the_slice() -> None:
    spec = classification([ACCEPTABILITY], metrics=["matthews"])
    labels = [1, 1, 1, 0, 1, 0, 0, 0]
    values = [-1.0, -2.0, -3.0, -3.5, -4.0, -5.0, -6.0, -7.0]
    slice_ = [example(n, label, text="t") for n, label in enumerate(labels)]
    threshold = tuned_threshold(spec, slice_, values)
    # By brute force over every cut, with scikit-learn's Matthews correlation.
    best = max(
        matthews_corrcoef(labels, [int(value > cut) for value in values])
        for cut in [-8.0, *(value + 0.01 for value in values)]
    )
    reached = matthews_corrcoef(labels, [int(value > threshold) for value in values])
    assert reached == pytest.approx(best)
    # Two cuts are equally good, after -3 and after -4: the lower one.
    assert threshold == -4.5
    unlabelled = [*slice_, example(99, None, text="t")]
    assert tuned_threshold(spec, unlabelled, [*values, 5.0]) == threshold


def test_a_slice_of_equal_scores_can_still_be_tuned() -> None:
    spec = classification([ACCEPTABILITY])
    slice_ = [example(n, 1, text="t") for n in range(3)]
    assert tuned_threshold(spec, slice_, [-2.0] * 3) < -2.0
    with pytest.raises(NotApplicable, match="no labels"):
        tuned_threshold(spec, [example(1, None, text="t")], [-2.0])


# The predictor ----------------------------------------------------------------------------------


def test_answers_keep_their_order_over_chunks_and_progress_is_told() -> None:
    prompts = [
        {"name": "first", "method": "choice", "template": "{{ question }}"},
        {"name": "second", "method": "choice", "template": "Q: {{ question }}"},
    ]
    spec = spec_of([prompt | {"continuation": " {{ option }}"} for prompt in prompts])
    number = 2 * CHUNK + 3
    examples = [
        example(n, n % 3, question=f"{n}?", options=["zero", "one", "two"]) for n in range(number)
    ]
    words = {" zero": 0, " one": 1, " two": 2}

    def value(context: str, text: str) -> float:
        right = int(context.removeprefix("Q: ")[:-1]) % 3
        return 0.0 if (words[text] == right) is not context.startswith("Q") else -10.0

    predictor = make_predictor(spec, spec.prompts, FakeScorer(value))
    told: list[int] = []
    predictor.progress = told.append
    first, second = predictor.predict(examples)
    assert [one.value for one in first.predictions] == [n % 3 for n in range(number)]
    assert all(one.value != n % 3 for n, one in enumerate(second.predictions))
    assert (first.prompt, second.prompt) == ("first", "second")
    assert told == [CHUNK, CHUNK, 3]
    assert predictor.predict([])[0].predictions == []
    assert predictor.state() == {}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_fails(bad: float) -> None:
    with pytest.raises(CellFailed, match="log-likelihood"):
        score_exactly(FakeScorer(lambda context, text: bad), [Request("a", (" b",))], "sum")


def test_an_empty_text_cannot_be_scored() -> None:
    prompt = Prompt(name="p", method="pair", template="{{ text }}")
    with pytest.raises(CellFailed, match="'p' renders an empty continuation"):
        build_requests(prompt, {"good": "fine", "bad": ""})


def test_truncated_examples_are_counted_once() -> None:
    prompt = {
        "name": "p",
        "method": "choice",
        "template": "{{ context }} {{ question }}",
        "continuation": " {{ option }}",
    }
    spec = spec_of([prompt], truncation={"shorten": "context", "keep": "start"})
    examples = [
        example(n, context="word " * n, question="q", options=["a", "b"]) for n in (5, 50, 500)
    ]
    scorer = FakeScorer(max_length=20)
    (variant,) = make_predictor(spec, spec.prompts, scorer).predict(examples)
    assert variant.counts == {"truncated": 2}
    assert [len(one.context.split()) for one in scorer.scored] == [6, 19, 19]

    class Cuts(FakeScorer):
        """An engine that cuts contexts itself."""

        def score(
            self, requests: list[Request], path: str | None = None, details: bool = False
        ) -> list[Score]:
            return [Score((-1.0, -2.0), (1, 1), (1, 1), truncated=True) for _ in requests]

    (variant,) = make_predictor(spec, spec.prompts, Cuts(max_length=20)).predict(examples)
    assert variant.counts == {"truncated": 3}


def test_generation() -> None:
    prompts = [
        {"name": "p", "method": "generate", "template": "{{ context }}\nQ: {{ question }}\nA:"}
    ]
    spec = spec_of(prompts, "span", truncation={"shorten": "context", "keep": "end"})
    scorer = FakeScorer(answer=lambda context: f" {context.split()[0]} ", max_length=40)
    examples = [
        example(n, ("a",), context=" ".join(f"w{i}" for i in range(n)), question="q")
        for n in (3, 30)
    ]
    (variant,) = make_predictor(spec, spec.prompts, scorer).predict(examples)
    # 40 - 24 new tokens - 1 for a start token - "Q:", "q" and "A:" leave the last 12 of 30 words.
    assert [one.value for one in variant.predictions] == ["w0", "w18"]
    assert variant.counts == {"truncated": 1} and variant.score == "generate"
    assert variant.notes == {}


def test_that_there_is_no_answer_is_told_by_no_tuned_threshold() -> None:
    prompt = {"name": "p", "method": "generate", "template": "{{ context }}", "no_answer": ["None"]}
    spec = spec_of([prompt], "span", truncation={"shorten": "context", "keep": "end"})
    scorer = FakeScorer(answer=lambda context: " none. " if context == "x" else " y ")
    examples = [example(n, (), context=text) for n, text in enumerate("xz")]
    (variant,) = make_predictor(spec, spec.prompts, scorer).predict(examples)
    assert [one.value for one in variant.predictions] == ["", "y"]
    assert variant.notes == {"no_answer_threshold": 0.0, "tuned": False}


# Demonstrations ---------------------------------------------------------------------------------


def test_demonstrations_stand_before_every_context_and_are_never_cut() -> None:
    prompt = {
        "name": "p",
        "method": "choice",
        "template": "{{ context }} {{ question }}",
        "continuation": " {{ option }}",
    }
    spec = spec_of([prompt], truncation={"shorten": "context", "keep": "start"})
    scorer = FakeScorer(max_length=20)
    predictor = make_predictor(spec, spec.prompts, scorer, before={"p": "one a\n\n"})
    fields = {"question": "q", "options": ["a", "b"]}
    predictor.predict([example(1, context="w " * 16, **fields)])
    assert scorer.scored[0].context == "one a\n\n" + "w " * 16 + " q"
    with pytest.raises(NotApplicable, match="window of 20 tokens") as caught:
        predictor.predict([example(1, context="w " * 17, **fields)])
    assert caught.value.condition == "window"


# The regime -------------------------------------------------------------------------------------


def cell(task: str = "mini/none", regime: str = "zeroshot", **parts: Any) -> Cell:
    return Cell(model="gpt", task=task, regime=parse_regime(regime), **parts)


def folder_task(tmp_path: Path, prompts: list[dict[str, Any]], train: int | None) -> Task:
    """An acceptability task from files; `train` examples, or no training split."""
    files = {"validation": 4} | ({} if train is None else {"train": train})
    for split, number in files.items():
        lines = [{"t": f"x{n % 9 + 1} y", "l": n % 2} for n in range(number)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    spec = classification(
        prompts,
        dataset={
            "files": {split: f"{split}.jsonl" for split in files},
            "train_split": None if train is None else "train",
        },
    )
    return Task(spec.model_copy(update={"source": str(tmp_path / "task.yaml")}))


def test_what_it_applies_to(tmp_path: Path) -> None:
    task = folder_task(tmp_path, [ACCEPTABILITY], 40)
    assert ZeroShot().reason_not_applicable(task, "decoder") is None
    assert ZeroShot().reason_not_applicable(task, "encoder") is None
    bare = folder_task(tmp_path, [], 40)
    assert ZeroShot().reason_not_applicable(bare, "decoder") == "task made/task has no prompts"


def test_labels_are_used_only_by_a_tuned_threshold(tmp_path: Path) -> None:
    task = folder_task(tmp_path, [ACCEPTABILITY], 40)
    assert ZeroShot().labels_used(task, cell()) == 0
    assert len(ZeroShot().train_data(task, cell())["selection"].examples) == 4
    assert ZeroShot().labels_used(task, cell(regime="zeroshot:threshold=tuned")) == 4


def test_no_train_split_means_no_threshold(tmp_path: Path) -> None:
    task = folder_task(tmp_path, [ACCEPTABILITY], None)
    with pytest.raises(NotApplicable, match="no training split"):
        ZeroShot().train_data(task, cell())
    small = folder_task(tmp_path, [ACCEPTABILITY], 1)
    with pytest.raises(NotApplicable, match="too small"):
        ZeroShot().train_data(small, cell())


def test_tuning_without_a_threshold_is_not_applicable(tmp_path: Path) -> None:
    prompt = {
        "name": "p",
        "method": "cloze",
        "template": "{{ text }}",
        "verbalizers": {"bad": " no", "good": " yes"},
    }
    task = folder_task(tmp_path, [prompt], None)
    assert ZeroShot().train_data(task, cell()) == {}
    with pytest.raises(NotApplicable, match="no prompt of made/task has a threshold"):
        ZeroShot().train_data(task, cell(regime="zeroshot:threshold=tuned"))
    with pytest.raises(InputError, match="no prompt 'q'"):
        ZeroShot().train_data(task, cell(prompts=("q",)))


@pytest.mark.parametrize("tuned", [False, True])
def test_fit_takes_the_threshold_from_the_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: bool
) -> None:
    task = folder_task(tmp_path, [ACCEPTABILITY], 90)
    scorer = FakeScorer(by_length)
    monkeypatch.setattr("benchsuite.scoring.make_scorer", lambda model, batch_tokens: scorer)
    model: Any = SimpleNamespace(family="decoder")
    one = cell(regime="zeroshot:threshold=tuned" if tuned else "zeroshot")
    predictor = ZeroShot().fit(model, task, one, tmp_path)
    slice_ = task.selection().examples
    assert [request.continuations for request in scorer.scored] == [
        (one.fields["text"],) for one in slice_
    ]
    values = [by_length("", one.fields["text"]) / 2 for one in slice_]
    expected = tuned_threshold(task.spec, slice_, values) if tuned else statistics.median(values)
    assert predictor.thresholds == {("p", SENTENCE): expected}
    assert predictor.usage is scorer.usage
