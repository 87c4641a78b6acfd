"""mini/acceptability and mini/minimal_pairs, both from the paradigms."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from tools.mini import paradigms_eval, paradigms_train
from tools.mini.lexicon import EVAL, TRAIN
from tools.mini.sampling import Row, fresh, numbered, rng_for

HALVES = {
    "train": (TRAIN, paradigms_train.PARADIGMS),
    "validation": (EVAL, paradigms_eval.PARADIGMS),
}
SENTENCES = {"train": 40, "validation": 36}  # a template; half of them good
PAIRS = {"train": 40, "validation": 36}


def acceptability(split: str) -> list[Row]:
    """Single sentences; label 1 is acceptable. Both sentences of a minimal pair are there."""
    lexicon, paradigms = HALVES[split]
    seen: set[Hashable] = set()
    groups: list[list[Row]] = []
    for index, paradigm in enumerate(paradigms):
        rng = rng_for("acceptability", split, index)
        rows: list[Row] = []
        while len(rows) < SENTENCES[split]:
            pairs = fresh(partial(paradigm.pairs, lexicon, rng), list, seen)
            for pair in pairs:
                rows += [{"text": pair.good, "label": 1}, {"text": pair.bad, "label": 0}]
        groups.append(rows)
    return numbered(split, groups, rng_for("acceptability", split))


def minimal_pairs(split: str) -> list[Row]:
    """Pairs of sentences that differ in one place, with their phenomenon."""
    lexicon, paradigms = HALVES[split]
    seen: set[Hashable] = set()
    groups: list[list[Row]] = []
    for index, paradigm in enumerate(paradigms):
        rng = rng_for("minimal_pairs", split, index)
        rows: list[Row] = []
        while len(rows) < PAIRS[split]:
            pairs = fresh(partial(paradigm.pairs, lexicon, rng), list, seen)
            rows += [
                {"good": pair.good, "bad": pair.bad, "phenomenon": paradigm.phenomenon}
                for pair in pairs
            ]
        groups.append(rows)
    return numbered(split, groups, rng_for("minimal_pairs", split))
