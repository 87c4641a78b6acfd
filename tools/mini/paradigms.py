"""Grammatical paradigms: the material of acceptability and of the minimal pairs.

A `Cross` has two factors of two values each, and a sentence is grammatical when both take the same
one (`keys are`, `key is`): each value, and each pair of neighboring words, is as frequent in good
sentences as in bad ones. An `Order` has one good and one bad order of the same words.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from tools.mini.english import Lexicon, draw, fix_numbers, render


class Pair(NamedTuple):
    """A grammatical and an ungrammatical sentence that differ in one place."""

    good: str
    bad: str


@dataclass(frozen=True)
class Cross:
    """A template with the factors `{A}` and `{B}`; minimal pairs differ in `vary`.

    The part of a value of `a` after `|` goes to `{A2}`.
    """

    phenomenon: str
    pattern: str
    a: tuple[str, str]
    b: tuple[str, str]
    vary: str = "b"

    def pairs(self, lexicon: Lexicon, rng: random.Random) -> list[Pair]:
        """Two minimal pairs, four sentences in all, over the same draws."""
        cells = [self._sentence(i, j) for i in (0, 1) for j in (0, 1)]
        cells = fix_numbers(cells, rng)
        draws = draw(cells, lexicon, rng)
        s00, s01, s10, s11 = (render(cell, draws) for cell in cells)
        if self.vary == "b":
            return [Pair(s00, s01), Pair(s11, s10)]
        return [Pair(s00, s10), Pair(s11, s01)]

    def _sentence(self, i: int, j: int) -> str:
        first, _, rest = self.a[i].partition("|")
        pattern = self.pattern.replace("{A}", first).replace("{A2}", rest)
        return pattern.replace("{B}", self.b[j])


@dataclass(frozen=True)
class Order:
    """A template whose bad sentence has the words of the good one in another order."""

    phenomenon: str
    pattern: str
    bad: str

    def pairs(self, lexicon: Lexicon, rng: random.Random) -> list[Pair]:
        """One minimal pair."""
        good, bad = fix_numbers([self.pattern, self.bad], rng)
        draws = draw([good, bad], lexicon, rng)
        return [Pair(render(good, draws), render(bad, draws))]


Paradigm = Cross | Order
