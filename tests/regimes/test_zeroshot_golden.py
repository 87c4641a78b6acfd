"""What zero-shot answers must not move without a new version."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest

from benchsuite.regimes.zeroshot import ZeroShot, make_predictor
from tests.regimes.fakes import FakeScorer, made_examples
from tests.tasks.test_prompts import spec_of

VERSION = 2
# Of the first six made examples, under scores drawn from a checksum of what is scored.
GOLDEN: dict[str, list[Any]] = {
    "cloze": [0, 0, 1, 0, 0, 0],
    "threshold": [1, 0, 0, 1, 0, 1],
    "rating": [1.045797, 1.062434, 0.156855, 0.008546, 4.838523, 4.973109],
    "choice": [1, 3, 3, 1, 2, 0],
    "pair": [0, 0, 1, 0, 0, 0],
    "generate": ["Rome", "Rome", "", "", "", ""],
    "entity": [
        (0, 3, 3, 1, 0, 0, 0),
        (0, 0, 1, 2, 0, 0, 0),
        (0, 1, 2, 2, 0, 3, 0),
        (0, 3, 3, 0, 0, 3, 0),
        (0, 1, 1, 2, 0, 1, 0),
        (0, 1, 2, 1, 0, 3, 0),
    ],
}
LABELS = ["no", "yes"]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "cloze": (
        "classification",
        {"template": "{{ text }} So", "verbalizers": {"no": [" no", " bad"], "yes": " yes"}},
        {"labels": LABELS},
    ),
    "threshold": ("classification", {"template": "{{ text }}"}, {"labels": LABELS}),
    "rating": (
        "regression",
        {"template": "{{ text }}", "ratings": {" low": 0, " high": 5}},
        {"range": [0, 5], "metrics": ["pearson"]},
    ),
    "choice": (
        "choice",
        {"template": "{{ question }}", "continuation": " {{ option }}", "norm": "byte"},
        {},
    ),
    "pair": ("minimal_pair", {"template": "{{ text }}"}, {}),
    "generate": ("span", {"template": "{{ context }}", "no_answer": ["none"]}, {}),
    "entity": (
        "tagging",
        {
            "template": "{{ sentence }} {{ span }}",
            "verbalizers": {"O": " thing", "PER": " man", "LOC": " place"},
        },
        {"labels": TAGS},
    ),
}


def value(context: str, text: str) -> float:
    return -(crc32(f"{context}|{text}".encode()) % 1000) / 100


def answer(context: str) -> str:
    return [" None.", " Rome ", ""][crc32(context.encode()) % 3]


@pytest.mark.parametrize("method", CASES)
def test_answers_have_not_moved(method: str) -> None:
    kind, prompt, parts = CASES[method]
    spec = spec_of([{"name": "p", "method": method} | prompt], kind, **parts)
    examples = made_examples(spec, 6)
    scorer = FakeScorer(value, answer, max_length=50)
    (variant,) = make_predictor(spec, spec.prompts, scorer, examples).predict(examples)
    answers = [one.value for one in variant.predictions]
    if method == "rating":
        answers = [round(one, 6) for one in answers]
    assert ZeroShot.version == VERSION
    assert answers == GOLDEN[method], "outputs moved: raise ZeroShot.version and these together"
