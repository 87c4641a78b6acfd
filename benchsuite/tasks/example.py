"""One example of a task, in canonical form, whatever its source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """An example as regimes and metrics see it.

    id: unique within split and subset. cluster: examples that share it are resampled together.
    fields: canonical inputs (`text`, `text_pair`, `tokens`, `context`, `question`, `options`,
    `good`, `bad`).
    target: the answer: int index of the label (classification, choice), float (regression),
    tuple of int tag indices (tagging), tuple of str gold answers, () for no answer (span),
    0 (minimal_pair: the good sentence); None where the example is unscorable (label -1).
    starts: character of the context at which each gold answer begins, where the data say so (span).
    """

    id: str
    split: str
    subset: str
    cluster: str
    group: str
    fields: dict[str, Any]
    target: Any
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a predictor says of one example.

    value: int index (classification, choice, minimal_pair 0 good / 1 bad), float (regression),
    tuple of int tag indices (tagging), str (span; "" for no answer).
    tied: all indices that share the best score exactly, when more than one; credit is 1/len.
    """

    value: Any
    tied: tuple[int, ...] = ()


def own_cluster(subset: str, name: str) -> str:
    """The cluster of an example that shares nothing with others, of its subset and id."""
    return hash16(f"{subset}\x1f{name}")


def hash16(text: str) -> str:
    """16 hex digits that stand for a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
