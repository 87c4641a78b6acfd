"""English word forms and the pattern language that every task of the suite is written in.

A pattern is a `str.format` string whose fields name lexicon classes: `{hum}` draws a human noun,
`{hum1}` and `{hum2}` draw two different ones, `.sg .pl .base .s .past .en .ing` pick a form, `.any`
a number at random, and `a_` becomes `a` or `an`. Patterns rendered with the same draws share their
words, which is what makes two sentences differ in structure alone.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VOWELS = "aeiou"


@dataclass(frozen=True)
class Noun:
    """A countable noun."""

    sg: str
    pl: str

    def __str__(self) -> str:
        return self.sg


@dataclass(frozen=True)
class Verb:
    """A verb and the five forms that the patterns use."""

    base: str
    s: str
    past: str
    en: str
    ing: str

    def __str__(self) -> str:
        return self.base


@dataclass(frozen=True)
class Pronouns:
    """Two pronouns, as subject and as object of one sentence."""

    nom: str
    acc: str


Entry = Noun | Verb | Pronouns | str
Lexicon = Mapping[str, Sequence[Entry]]


def noun(text: str) -> Noun:
    """Read `dog` or `mouse/mice`."""
    sg, _, pl = text.partition("/")
    if pl:
        return Noun(sg, pl)
    if sg.endswith(("s", "x", "ch", "sh")):
        return Noun(sg, sg + "es")
    if sg.endswith("y") and sg[-2] not in VOWELS:
        return Noun(sg, sg[:-1] + "ies")
    return Noun(sg, sg + "s")


def verb(text: str) -> Verb:
    """Read `help` (regular), `eat/ate/eaten` or, with its -ing form, `hit/hit/hit/hitting`."""
    base, *rest = text.split("/")
    stem = base[:-1] if base.endswith("e") else base
    third = noun(base).pl
    consonant_y = base.endswith("y") and base[-2] not in VOWELS
    past = base[:-1] + "ied" if consonant_y else stem + "ed"
    past, en = (rest[0], rest[1]) if rest else (past, past)
    keeps_e = base.endswith(("ee", "ye", "oe"))
    ing = rest[2] if len(rest) > 2 else (base if keeps_e else stem) + "ing"
    return Verb(base, third, past, en, ing)


def nouns(text: str) -> list[Noun]:
    """Nouns from a comma-separated list."""
    return [noun(word) for word in words(text)]


def verbs(text: str) -> list[Verb]:
    """Verbs from a comma-separated list."""
    return [verb(word) for word in words(text)]


def words(text: str) -> list[str]:
    """Entries of a comma-separated list."""
    return [" ".join(word.split()) for word in text.split(",") if word.strip()]


def slots(patterns: Iterable[str]) -> list[str]:
    """Names of the draws that `patterns` need, in order of appearance, each once."""
    names: dict[str, None] = {}
    for pattern in patterns:
        for _, field, _, _ in string.Formatter().parse(pattern):
            if field:
                names[field.split(".")[0]] = None
    return list(names)


def draw(
    patterns: Iterable[str],
    lexicon: Lexicon,
    rng: random.Random,
    avoid: Collection[str] = (),
) -> dict[str, Any]:
    """Draw an entry for each slot of `patterns`, no entry twice and none of `avoid`."""
    draws: dict[str, Any] = {}
    for name in slots(patterns):
        kind = name.rstrip("0123456789")
        taken = {*avoid, *map(str, draws.values())}
        free = [entry for entry in lexicon[kind] if str(entry) not in taken]
        draws[name] = rng.choice(free)
    return draws


def fix_numbers(patterns: Sequence[str], rng: random.Random) -> list[str]:
    """Replace `.any` by `.sg` or `.pl`, the same choice for a slot in all of `patterns`."""
    chosen = {name: rng.choice(("sg", "pl")) for name in slots(patterns)}
    return [
        re.sub(r"\{(\w+)\.any\}", lambda m: f"{{{m[1]}.{chosen[m[1]]}}}", pattern)
        for pattern in patterns
    ]


def render(pattern: str, draws: Mapping[str, Any]) -> str:
    """Fill `pattern`, settle `a` or `an`, and begin each sentence with a capital."""
    return polish(pattern.format(**draws))


def polish(text: str) -> str:
    """Settle `a_` and the capital letter at the beginning of each sentence."""
    text = re.sub(r"\b([Aa])_ (?=(\w))", _article, " ".join(text.split()))
    return re.sub(
        r"(^|[.?!] )(\w)", lambda m: m[1] + m[2].upper() if m[2].islower() else m[0], text
    )


def _article(match: re.Match[str]) -> str:
    following = match.string[match.end() :]
    silent_h = following.startswith(("honest", "hour"))
    you = following.startswith(("use", "uni", "one"))
    vowel = (match[2].lower() in VOWELS and not you) or silent_h
    return match[1] + ("n " if vowel else " ")
