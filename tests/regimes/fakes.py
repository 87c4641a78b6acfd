"""Scorers that need no model, and made examples of every kind of task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchsuite.regimes.entities import candidate_spans, entity_spans
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.scoring.types import Request, Score, Usage
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.spec import Prompt, TaskSpec


class FakeScorer:
    """Whitespace tokens; `value` gives the log-likelihood of a continuation after a context."""

    def __init__(
        self,
        value: Callable[[str, str], float] = lambda context, continuation: -1.0,
        answer: Callable[[str], str] = lambda context: "",
        max_length: int = 10**9,
        family: str = "decoder",
    ) -> None:
        self.value = value
        self.answer = answer
        self.max_length = max_length
        self.family = family
        self.usage = Usage()
        self.scored: list[Request] = []
        self.paths: list[str | None] = []

    def score(
        self, requests: list[Request], path: str | None = None, details: bool = False
    ) -> list[Score]:
        self.scored += requests
        self.paths.append(path)
        return [
            Score(
                tuple(self.value(one.context, text) for text in one.continuations),
                tuple(max(1, len(text.split())) for text in one.continuations),
                tuple(len(text.encode()) for text in one.continuations),
            )
            for one in requests
        ]

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        for context in contexts:
            assert len(context.split()) + max_new_tokens <= self.max_length
        return [self.answer(context) for context in contexts]

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        words = text.split()
        return " ".join(words[:tokens] if keep == "start" else words[len(words) - tokens :])


def gold_continuations(task: TaskSpec, prompt: Prompt, example: Example) -> dict[Request, set[str]]:
    """Request -> the continuations that are right, for one example."""
    requests = build_requests(prompt, values_of(task, example))
    if prompt.method == "entity":
        gold = {
            (start, end): kind
            for start, end, kind in entity_spans(task.labels[tag] for tag in example.target)
        }
        kinds = [gold.get(span, "O") for span in candidate_spans(example.fields["tokens"])]
        return {
            request: _verbalizers(prompt, kind)
            for request, kind in zip(requests, kinds, strict=True)
        }
    (request,) = requests
    if prompt.method == "cloze":
        return {request: _verbalizers(prompt, task.labels[example.target])}
    if prompt.method == "threshold":
        return {request: {request.continuations[0]} if example.target == 1 else set()}
    return {request: {request.continuations[example.target]}}


def _verbalizers(prompt: Prompt, label: str) -> set[str]:
    texts = prompt.verbalizers[label]
    return {texts} if isinstance(texts, str) else set(texts)


def oracle(
    task: TaskSpec, prompt: Prompt, examples: Sequence[Example], inverse: bool = False
) -> FakeScorer:
    """Gold continuations get 0 and all others -10; the other way round for the inverse."""
    right = {
        (request.context, text)
        for example in examples
        for request, texts in gold_continuations(task, prompt, example).items()
        for text in texts
    }
    return FakeScorer(lambda context, text: -10.0 if ((context, text) in right) is inverse else 0.0)


def credit(prediction: Prediction, target: object) -> float:
    """1/k where the target is among k tied answers, else whether the answer is the target."""
    if prediction.tied:
        return (target in prediction.tied) / len(prediction.tied)
    return float(prediction.value == target)


def made_examples(task: TaskSpec, number: int = 24) -> list[Example]:
    """Examples of the task's kind, every label as often; texts differ, tokens are names."""
    made = []
    for index in range(number):
        fields: dict[str, object]
        target: object
        if task.kind in ("classification", "regression"):
            fields = {"text": f"First text {index}."}
            if task.is_pair:
                fields["text_pair"] = f"Second text {index}."
            target = index % len(task.labels) if task.labels else float(index % 5)
        elif task.kind == "choice":
            fields = {
                "context": f"Passage {index}.",
                "question": "Which?",
                "options": [f"Option {letter} {index}" for letter in "abcd"],
            }
            target = index % 4
        elif task.kind == "minimal_pair":
            fields = {"good": f"It is {index}.", "bad": f"It are {index}."}
            target = 0
        elif task.kind == "span":
            fields = {"context": f"Passage {index}.", "question": "Which?", "title": "Title"}
            target = (f"answer {index}",) if index % 2 else ()
        else:
            kind = task.entity_types[index % len(task.entity_types)]
            tags = ["O", "O", f"B-{kind}", f"I-{kind}", "O", f"B-{kind}", "O"]
            fields = {"tokens": ["Then", "came", f"New{index}", "York", "and", f"Rome{index}", "."]}
            target = tuple(task.labels.index(tag) for tag in tags)
        made.append(Example(f"made-{index}", "validation", "", str(index), "", fields, target))
    return made
