"""Exact match and F1 of extractive question answering, as SQuAD defines them.

Rajpurkar et al. 2016 (SQuAD, v1.1) and Rajpurkar, Jia and Liang 2018 (v2.0). The official programs
of the two versions differ on answers that normalization leaves empty ("the", "."):

- v1.1 compares them like any other: EM of "" with "" is 1, F1 is 0, for no token is shared;
- v2.0 drops empty gold answers where there are others, and its F1 of empty with empty is 1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalize(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and repeated whitespace.

    In this order: "U.S." becomes "us", and "the-end" becomes "theend", not "end".
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def span_scores(
    prediction: str, golds: Sequence[str], *, may_be_unanswerable: bool
) -> tuple[float, float]:
    """(EM, F1) of a predicted answer, each the maximum over the gold answers, in [0, 1].

    golds: () where the question has no answer. may_be_unanswerable: whether the data holds such
    questions, that is whether the rules of v2.0 apply.
    """
    predicted = normalize(prediction)
    targets = [normalize(gold) for gold in golds]
    if may_be_unanswerable:
        targets = [target for target in targets if target] or [""]
    exact = max(float(predicted == target) for target in targets)
    if may_be_unanswerable and not (predicted and all(targets)):
        return exact, exact
    return exact, max(_token_f1(predicted.split(), target.split()) for target in targets)


def _token_f1(predicted: list[str], gold: list[str]) -> float:
    """Harmonic mean of precision and recall over the two bags of tokens; 0 when disjoint."""
    shared = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * shared / (len(predicted) + len(gold)) if shared else 0.0
