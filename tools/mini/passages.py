"""Passages in which four people (or things) share two kinds of facts, and questions about them.

A `Schema` says the same sort of thing of four subjects in four different ways, in random order, so
that every possible answer is mentioned as often as the right one and only the relation decides.
Slots that end in `#` belong to the subject: `{name#}` becomes `{name1}` to `{name4}`.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from tools.mini.english import Lexicon, draw, polish

SUBJECTS = 4


class Question(NamedTuple):
    """A question, its possible answers with the right one first, and the pattern's number."""

    text: str
    answers: list[str]
    pattern: int


@dataclass(frozen=True)
class Schema:
    """A kind of passage.

    `lines` has four ways to state the facts of a subject; `asks` pairs a question pattern with the
    pattern of its answer; `missing` are questions about the subject of `extra`, a sentence that
    leaves them open, or about words drawn as `{...9}` that the passage has not got.
    """

    intro: str
    lines: tuple[str, str, str, str]
    outro: str
    asks: tuple[tuple[str, str], ...]
    extra: str
    missing: tuple[str, ...]
    ordered: bool = False

    def patterns(self) -> list[str]:
        """Every pattern of the schema, for one set of draws."""
        own = [*self.lines, *(part for ask in self.asks for part in ask)]
        numbered = [pattern.replace("#", str(k)) for k in range(1, SUBJECTS + 1) for pattern in own]
        return [self.intro, *numbered, self.outro, self.extra, *self.missing]


class Passage(NamedTuple):
    """A rendered passage with all its questions."""

    context: str
    questions: list[Question]
    unanswerable: list[Question]
    words: frozenset[str]


def passage(
    schema: Schema,
    lexicon: Lexicon,
    rng: random.Random,
    extra: bool,
    avoid: Collection[str] = (),
) -> Passage:
    """One passage of `schema` without the words in `avoid`.

    With `extra` its fifth subject is there, of whom something can be asked that stays open.
    """
    draws = draw(schema.patterns(), lexicon, rng, avoid)
    order = list(range(1, SUBJECTS + 1))
    ways = list(schema.lines)
    if not schema.ordered:
        rng.shuffle(ways)
        rng.shuffle(order)
    sentences = [_render(way, subject, draws) for way, subject in zip(ways, order, strict=True)]
    if extra:
        sentences.insert(rng.randint(0, len(sentences)), schema.extra.format(**draws))
    sentences = [schema.intro.format(**draws), *sentences, schema.outro.format(**draws)]
    context = polish(" ".join(sentences))
    questions = []
    for number, (ask, answer) in enumerate(schema.asks):
        for k in range(1, SUBJECTS + 1):
            others = [j for j in range(1, SUBJECTS + 1) if j != k]
            answers = [polish_answer(_render(answer, j, draws)) for j in (k, *others)]
            questions.append(Question(polish(_render(ask, k, draws)), answers, number))
    open_ended = [
        Question(polish(pattern.format(**draws)), [], len(schema.asks) + number)
        for number, pattern in enumerate(schema.missing)
    ]
    return Passage(context, questions, open_ended, frozenset(map(str, draws.values())))


def polish_answer(text: str) -> str:
    """An answer as it stands inside a sentence: `a_` settled, no capital."""
    return polish("x " + text)[2:]


def _render(pattern: str, subject: int, draws: dict[str, Any]) -> str:
    return pattern.replace("#", str(subject)).format(**draws)
