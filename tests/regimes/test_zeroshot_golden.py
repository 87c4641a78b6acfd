"""What zero-shot answers must not move without a new version."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest

from benchsuite.regimes.base import Variant
from benchsuite.regimes.zeroshot import ZeroShot, make_predictor
from tests.regimes.fakes import FakeScorer, made_examples
from tests.tasks.test_prompts import spec_of

VERSION = 3
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
# The same for every other way of scoring: (method, score, norm) -> answers.
GOLDEN_BESIDE: dict[tuple[str, str, str], list[Any]] = {
    ("cloze", "sum", "token"): [0, 0, 1, 0, 0, 0],
    ("cloze", "sum", "byte"): [0, 0, 1, 0, 0, 0],
    ("cloze", "pmi", "none"): [1, 1, 1, 1, 1, 0],
    ("cloze", "calibrated", "none"): [0, 0, 1, 0, 0, 0],
    ("threshold", "sum", "none"): [1, 0, 0, 1, 0, 1],
    ("threshold", "sum", "byte"): [1, 0, 0, 1, 0, 1],
    ("rating", "sum", "token"): [1.045797, 1.062434, 0.156855, 0.008546, 4.838523, 4.973109],
    ("rating", "sum", "byte"): [2.314094, 2.401301, 1.817159, 1.162275, 3.7815, 3.954617],
    ("rating", "calibrated", "none"): [0.643521, 0.654819, 0.088837, 0.004777, 4.71808, 4.952057],
    ("choice", "sum", "none"): [1, 3, 3, 1, 2, 0],
    ("choice", "sum", "token"): [1, 3, 3, 1, 2, 0],
    ("choice", "pmi", "none"): [1, 1, 3, 1, 2, 0],
    ("pair", "sum", "token"): [0, 0, 1, 0, 0, 0],
    ("pair", "sum", "byte"): [0, 0, 1, 0, 0, 0],
    ("entity", "sum", "token"): [
        (0, 3, 3, 1, 0, 0, 0),
        (0, 0, 1, 2, 0, 0, 0),
        (0, 1, 2, 2, 0, 3, 0),
        (0, 3, 3, 0, 0, 3, 0),
        (0, 1, 1, 2, 0, 1, 0),
        (0, 1, 2, 1, 0, 3, 0),
    ],
    ("entity", "sum", "byte"): [
        (0, 3, 3, 1, 0, 0, 0),
        (0, 0, 1, 2, 0, 0, 0),
        (0, 1, 2, 2, 0, 3, 0),
        (0, 3, 3, 0, 0, 3, 0),
        (0, 0, 1, 2, 0, 0, 0),
        (0, 0, 3, 1, 0, 3, 0),
    ],
    ("entity", "calibrated", "none"): [
        (0, 3, 3, 1, 0, 0, 0),
        (0, 0, 1, 2, 0, 0, 0),
        (0, 1, 2, 2, 0, 3, 0),
        (0, 3, 3, 0, 0, 0, 0),
        (0, 1, 1, 2, 0, 0, 0),
        (0, 1, 2, 1, 0, 0, 0),
    ],
}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "cloze": (
        "classification",
        {
            "template": "{{ text }} So",
            "verbalizers": {"no": [" no", " bad"], "yes": " yes"},
            "premise": "So",
        },
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
        {
            "template": "{{ question }}",
            "continuation": " {{ option }}",
            "norm": "byte",
            "premise": "Answer:",
        },
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
    predictor = make_predictor(spec, spec.prompts, scorer, examples, every=True)
    own, *others = predictor.predict(examples)
    assert ZeroShot.version == VERSION
    moved = "outputs moved: raise ZeroShot.version and these together"
    assert answers_of(own) == GOLDEN[method], moved
    beside = {(method, one.score, one.norm): answers_of(one) for one in others}
    assert beside == {way: said for way, said in GOLDEN_BESIDE.items() if way[0] == method}, moved


def answers_of(variant: Variant) -> list[Any]:
    """Values, ratings to six digits."""
    return [
        round(one.value, 6) if isinstance(one.value, float) else one.value
        for one in variant.predictions
    ]
