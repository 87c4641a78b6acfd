"""mini/span and mini/choice, both from the passages."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tools.mini import schemas_eval, schemas_train
from tools.mini.english import Lexicon
from tools.mini.lexicon import EVAL, TRAIN
from tools.mini.passages import Passage, Question, Schema, passage
from tools.mini.sampling import Row, rng_for

HALVES = {
    "train": (TRAIN, schemas_train.SCHEMAS),
    "validation": (EVAL, schemas_eval.SCHEMAS),
}
PASSAGES = {"train": 400, "validation": 200}
QUESTIONS = 5  # a passage
LONG_EVERY = 19  # span: so often, a passage of each schema makes one over 512 tokens of an 8k BPE


def choice(split: str) -> list[Row]:
    """Questions with four options, each mentioned as often as the others in the passage."""
    lexicon, schemas = HALVES[split]
    labels = [index % 4 for index in range(PASSAGES[split] * QUESTIONS)]
    rng_for("choice", split).shuffle(labels)
    rows: list[Row] = []
    for number in range(PASSAGES[split]):
        schema = number % len(schemas)
        rng = rng_for("choice", split, number)
        made = _usable(schemas[schema], lexicon, rng, extra=False)
        for question in rng.sample(made.questions, QUESTIONS):
            label = labels[len(rows)]
            options = question.answers[1:]
            rng.shuffle(options)
            options.insert(label, question.answers[0])
            rows.append(
                {
                    "id": f"{split}-t{schema:02d}q{question.pattern}-{len(rows):04d}",
                    "context": made.context,
                    "question": question.text,
                    "options": options,
                    "label": label,
                }
            )
    return rows


def span(split: str) -> list[Row]:
    """Questions whose answer stands in the passage, or that the passage leaves open."""
    lexicon, schemas = HALVES[split]
    rows: list[Row] = []
    for number in range(PASSAGES[split]):
        rng = rng_for("span", split, number)
        schema = number % len(schemas)
        long = number % LONG_EVERY == LONG_EVERY - 1
        while True:
            made = _usable(schemas[schema], lexicon, rng, extra=True)
            context = _long(made, schemas, schema, lexicon, rng) if long else made.context
            if _unambiguous(made, context):
                break
        questions = [
            *rng.sample(made.questions, QUESTIONS - 1 - number % 2),
            *rng.sample(made.unanswerable, 1 + number % 2),
        ]
        rng.shuffle(questions)
        for question in questions:
            rows.append(
                {
                    "id": f"{split}-t{schema:02d}q{question.pattern}-{len(rows):04d}",
                    "context": context,
                    "question": question.text,
                    "answers": _located(context, question),
                }
            )
    return rows


def _usable(schema: Schema, lexicon: Lexicon, rng: random.Random, extra: bool) -> Passage:
    """A passage in which every answer to every question stands exactly once."""
    while True:
        made = passage(schema, lexicon, rng, extra)
        if _unambiguous(made, made.context):
            return made


def _unambiguous(made: Passage, context: str) -> bool:
    """Whether each answer to a question about `made` stands exactly once in `context`."""
    answers = {answer for question in made.questions for answer in question.answers}
    return all(len(_places(context, answer)) == 1 for answer in answers)


def _long(
    made: Passage, schemas: Sequence[Schema], schema: int, lexicon: Lexicon, rng: random.Random
) -> str:
    """`made` among a passage of each other schema, none of which has a word drawn for `made`."""
    parts = [
        passage(other, lexicon, rng, True, made.words).context
        for number, other in enumerate(schemas)
        if number != schema
    ]
    rng.shuffle(parts)
    parts.insert(rng.randint(0, len(parts)), made.context)
    return " ".join(parts)


def _places(context: str, answer: str) -> list[int]:
    return [m.start() for m in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", context)]


def _located(context: str, question: Question) -> dict[str, list[str] | list[int]]:
    if not question.answers:
        return {"text": [], "answer_start": []}
    return {
        "text": question.answers[:1],
        "answer_start": _places(context, question.answers[0])[:1],
    }
