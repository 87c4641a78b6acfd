"""`bench tasks NAME`: how each prompt compares, and every request that it makes."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from benchsuite.regimes.zeroshot import ZeroShotPredictor
from benchsuite.scoring.types import Request
from benchsuite.tasks.describe import describe, render
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.task import Task
from tests.regimes.fakes import FakeScorer

REGISTRY = Registry()


def requests(rows: list[dict[str, Any]]) -> set[Request]:
    return {Request(row["context"], tuple(row["continuations"])) for row in rows}


@pytest.mark.parametrize("task", ["mini/sentiment", "mini/choice", "mini/similarity"])
def test_the_requests_shown_are_those_that_are_scored(task: str) -> None:
    spec = REGISTRY.get(task)
    shown = describe(REGISTRY, task, 3)
    names = {example["id"] for example in shown["examples"]}
    examples = [one for one in Task(spec).evaluation("validation").examples if one.id in names]
    asked = [row for prompt in shown["prompts"] for row in prompt["content_free"]]
    for example in shown["examples"]:
        for prompt in example["prompts"]:
            asked += prompt["requests"] + prompt["after_premise"]
    scorer = FakeScorer()
    ZeroShotPredictor(spec, spec.prompts, scorer, every=True).predict(examples)
    assert len(examples) == 3 and requests(asked) == set(scorer.scored)


def test_score_and_norm_are_shown_also_where_the_file_leaves_them_out() -> None:
    for task_id in REGISTRY.ids():
        spec = REGISTRY.get(task_id)
        for prompt, shown in zip(
            spec.prompts, describe(REGISTRY, task_id, 0)["prompts"], strict=True
        ):
            score = "generate" if prompt.method == "generate" else prompt.score
            norm = "token" if prompt.method == "threshold" else prompt.norm
            assert (shown["score"], shown["norm"]) == (score, norm)
            assert (shown["premise"], shown["why"]) == (prompt.premise, prompt.why)


def test_the_terminal_shows_what_the_data_hold() -> None:
    out = StringIO()
    shown = describe(REGISTRY, "mini/choice", 1)
    render(shown, Console(file=out, width=2000))
    text = out.getvalue()
    for prompt in shown["prompts"]:
        for line in (
            f"score: {prompt['score']}",
            f"norm: {prompt['norm']}",
            f"why: {prompt['why']}",
            f"premise: {prompt['premise']!r}",
        ):
            assert line in text
    assert text.count("after the premise") == len(shown["prompts"])
    others = sum(prompt["score"] != "pmi" for prompt in shown["prompts"])
    assert text.count("after the premise (with --score all)") == others
    out = StringIO()
    render(describe(REGISTRY, "mini/sentiment", 0), Console(file=out, width=2000))
    assert out.getvalue().count("content-free") == 3 * len(REGISTRY.get("mini/sentiment").prompts)
    assert "[MASK]" in out.getvalue() and "N/A" in out.getvalue()
