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
from benchsuite.scoring.types import Request, Score
from benchsuite.tasks.example import Prediction
from benchsuite.tasks.prompts import render
from benchsuite.tasks.spec import Prompt, TaskSpec

# Scoring path of each method, as records name it.
PATHS = {
    "cloze": "cloze",
    "threshold": "threshold",
    "rating": "rating",
    "choice": "sum",
    "pair": "sum",
    "generate": "generate",
    "entity": "entity",
}


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


def _span(values: Mapping[str, Any], span: Span) -> str:
    return " ".join(values["tokens"][span[0] : span[1]])


def alternatives(prompt: Prompt) -> tuple[str, ...]:
    """Continuations that a prompt names itself: verbalizers label by label, or rating words."""
    if prompt.method == "rating":
        return tuple(prompt.ratings)
    return tuple(text for texts in prompt.verbalizers.values() for text in _several(texts))


def _several(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def unit_of(prompt: Prompt) -> str:
    """Unit of a prompt's scores; `threshold` means the mean over tokens by definition."""
    return "token" if prompt.method == "threshold" else prompt.norm


def normalized(score: Score, norm: str) -> list[float]:
    """Log-likelihoods (nats) divided by the unit: none, token or byte."""
    if norm == "token":
        units: Sequence[int] = score.token_counts
    elif norm == "byte":
        units = score.byte_counts
    else:
        return list(score.log_likelihoods)
    return [value / unit for value, unit in zip(score.log_likelihoods, units, strict=True)]


def log_sum_exp(values: Sequence[float]) -> float:
    """Logarithm of the sum of exponentials; exactly the value itself for a single one."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values))


def best_of(values: Sequence[float]) -> Prediction:
    """The index of the largest value; all of them in `tied` where several are exactly equal."""
    top = max(values)
    indices = tuple(index for index, value in enumerate(values) if value == top)
    return Prediction(indices[0], indices if len(indices) > 1 else ())


def label_scores(prompt: Prompt, score: Score) -> dict[str, float]:
    """Log-probability of each label: its verbalizers' probabilities added."""
    values = iter(normalized(score, prompt.norm))
    return {
        label: log_sum_exp([next(values) for _ in _several(texts)])
        for label, texts in prompt.verbalizers.items()
    }


def expected_rating(prompt: Prompt, score: Score) -> float:
    """Expectation of the ratings under the softmax of their continuations' log-probabilities."""
    values = normalized(score, prompt.norm)
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    ratings = prompt.ratings.values()
    total = math.fsum(weight * rating for weight, rating in zip(weights, ratings, strict=True))
    # Rounding may leave the range by an ulp.
    return min(max(total / math.fsum(weights), min(ratings)), max(ratings))


def tag_entities(
    prompt: Prompt, task: TaskSpec, tokens: Sequence[str], scores: Sequence[Score]
) -> Prediction:
    """Each candidate's best type, `O` dropped, overlaps resolved by the margin over `O`.

    Equal scores go to `O` first, then to the type that comes first in the task's labels.
    """
    found = []
    for span, score in zip(candidate_spans(tokens), scores, strict=True):
        by_label = label_scores(prompt, score)
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
    prompt: Prompt, task: TaskSpec, values: Mapping[str, Any], scores: Sequence[Score]
) -> Prediction:
    """The prediction of one example from the scores of its requests (not `generate`, `threshold`).

    Indices follow the task's labels (classification), the options (choice) or good, bad (pair).
    """
    if prompt.method == "entity":
        return tag_entities(prompt, task, values["tokens"], scores)
    (score,) = scores
    if prompt.method == "rating":
        return Prediction(expected_rating(prompt, score))
    if prompt.method == "cloze":
        by_label = label_scores(prompt, score)
        return best_of([by_label[label] for label in task.labels])
    return best_of(normalized(score, prompt.norm))
