"""The zero-shot methods as pure functions: example -> requests, scores -> prediction.

Heuristics after Radford et al. 2018 (GPT, section 5) and 2019 (GPT-2, section 3).
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.errors import CellFailed
from benchsuite.regimes.entities import Span, candidate_spans, resolve
from benchsuite.regimes.scores import CONTENT_FREE, log_sum_exp, normalized
from benchsuite.scoring.types import Request, Score
from benchsuite.tasks.example import Prediction
from benchsuite.tasks.prompts import render
from benchsuite.tasks.spec import Prompt, TaskSpec


def build_requests(prompt: Prompt, values: Mapping[str, Any], before: str = "") -> list[Request]:
    """Requests of one example; values as `prompts.values_of` gives them.

    One request, but for `entity` (one a candidate span, in the order of `candidate_spans`).
    `generate` has no continuations. before: text in front of every context, as it is
    (demonstrations). Raises CellFailed where a continuation would be empty.
    """
    method = prompt.method
    if method == "entity":
        return [
            Request(
                before + render(prompt, prompt.template, {**values, "span": _span(values, span)}),
                alternatives(prompt),
            )
            for span in candidate_spans(values["tokens"])
        ]
    if method == "pair":
        context = ""
        continuations = tuple(
            render(prompt, prompt.template, {"text": values[side]}) for side in ("good", "bad")
        )
    elif method == "threshold":
        context, continuations = "", (render(prompt, prompt.template, values),)
    elif method == "choice":
        context = render(prompt, prompt.template, values)
        continuations = tuple(
            render(prompt, prompt.continuation or "", {**values, "option": option})
            for option in values["options"]
        )
    else:
        context = render(prompt, prompt.template, values)
        continuations = alternatives(prompt)
    if not all(continuations):
        raise CellFailed(f"prompt '{prompt.name}' renders an empty continuation")
    return [Request(before + context, continuations)]


def content_free_requests(prompt: Prompt, task: TaskSpec, before: str = "") -> list[Request]:
    """A request for each content-free input, which stands in every input field of the task.

    For methods whose answers are the same for all examples: cloze, rating, entity.
    """
    found = []
    for text in CONTENT_FREE:
        values: dict[str, Any] = dict.fromkeys([*task.fields, "span", "sentence"], text)
        values["tokens"] = [text]
        context = before + render(prompt, prompt.template, values)
        found.append(Request(context, alternatives(prompt)))
    return found


def _span(values: Mapping[str, Any], span: Span) -> str:
    return " ".join(values["tokens"][span[0] : span[1]])


def alternatives(prompt: Prompt) -> tuple[str, ...]:
    """Continuations that a prompt names itself: verbalizers label by label, or rating words."""
    if prompt.method == "rating":
        return tuple(prompt.ratings)
    return tuple(text for texts in prompt.verbalizers.values() for text in _several(texts))


def _several(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def best_of(values: Sequence[float]) -> Prediction:
    """The index of the largest value; all of them in `tied` where several are exactly equal."""
    top = max(values)
    indices = tuple(index for index, value in enumerate(values) if value == top)
    return Prediction(indices[0], indices if len(indices) > 1 else ())


def answer_scores(prompt: Prompt, score: Score, norm: str) -> list[float]:
    """Log-probability of each answer a prompt names, divided by the unit.

    cloze, entity: one a label, in the order of `verbalizers`, its continuations' probabilities
    added; else one a continuation.
    """
    values = iter(normalized(score, norm))
    if prompt.method not in ("cloze", "entity"):
        return list(values)
    return [
        log_sum_exp([next(values) for _ in _several(texts)])
        for texts in prompt.verbalizers.values()
    ]


def expected_rating(prompt: Prompt, values: Sequence[float]) -> float:
    """Expectation of the ratings under the softmax of their scores."""
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    ratings = prompt.ratings.values()
    total = math.fsum(weight * rating for weight, rating in zip(weights, ratings, strict=True))
    # Rounding may leave the range by an ulp.
    return min(max(total / math.fsum(weights), min(ratings)), max(ratings))


def tag_entities(
    prompt: Prompt, task: TaskSpec, tokens: Sequence[str], answers: Sequence[Sequence[float]]
) -> Prediction:
    """Each candidate's best type, `O` dropped, overlaps resolved by the margin over `O`.

    Equal scores go to `O` first, then to the type that comes first in the task's labels.
    """
    found = []
    for span, values in zip(candidate_spans(tokens), answers, strict=True):
        by_label = dict(zip(prompt.verbalizers, values, strict=True))
        kind = max(["O", *task.entity_types], key=lambda label: by_label[label])
        if kind != "O":
            found.append((span, kind, by_label[kind] - by_label["O"]))
    return Prediction(resolve(len(tokens), found, task.labels))


def clean_answer(prompt: Prompt, generated: str) -> str:
    """A generated answer without surrounding space; "" where it says that there is none."""
    answer = generated.strip()
    return "" if _bare(answer) in {_bare(text) for text in prompt.no_answer} else answer


def _bare(text: str) -> str:
    """Lower case, without punctuation, single spaces."""
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def decide(
    prompt: Prompt, task: TaskSpec, values: Mapping[str, Any], answers: Sequence[Sequence[float]]
) -> Prediction:
    """The prediction of one example (not `generate`, `threshold`).

    answers: for each of its requests, the scores of the answers as `answer_scores` orders them.
    Indices follow the task's labels (classification), the options (choice) or good, bad (pair).
    """
    if prompt.method == "entity":
        return tag_entities(prompt, task, values["tokens"], answers)
    (scores,) = answers
    if prompt.method == "rating":
        return Prediction(expected_rating(prompt, scores))
    if prompt.method == "cloze":
        by_label = dict(zip(prompt.verbalizers, scores, strict=True))
        return best_of([by_label[label] for label in task.labels])
    return best_of(scores)
