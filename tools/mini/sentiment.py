"""mini/sentiment: short reviews, with negation and contrast.

`{e}` is an evaluation of the review's own polarity and `{o}` one of the other; `{ne}` and `{no}`
are such as a negation turns round (`nothing boring about it`). Every template is written out in
both polarities.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from functools import partial

from tools.mini.english import Lexicon, draw, render
from tools.mini.lexicon import EVAL, TRAIN
from tools.mini.sampling import Row, fresh, numbered, rng_for

TRAIN_TEMPLATES = """
The {work} was {e} from beginning to end.
I thought that the {work} was {e}.
My {hum} says that this {work} is {e}.
What a_ {e} {work} {name} wrote!
The {part} of the {work} was {e}.
We saw a_ {e} {work} with a_ {e2} {part}.
{name} wrote a_ {e} {work}.
The whole {work} is {e}, and the {part} is {e2}.
Everyone in the {place} said that the {work} was {e}.
The {stay} was {e}, and so was the {work}.
Our {stay} in the mountains was {e}.
The {work} about the {hum} is {e}.
It was a_ {e} {work}, and the {part} was {e2} too.
I told {name} that the {stay} was {e}.
With the {hum} we had a_ {e} {stay}.
I have never seen such a_ {e} {work}.
There was nothing {no} about the {work}.
The {work} was not {no} at all.
Nobody could call this {work} {no}.
The {stay} with {name} was never {no}.
I did not find the {part} {no}, and I {ev.past} the {work}.
{name} {ev.past} the {work}, and I {ev2.past} it too.
I {ev.past} every part of {name}'s {work}.
We {ev.past} the {stay} with {name} and told everyone so.
The {hum} {ev.past} the {work} more than I did.
I wanted to {ov.base} {name}'s {work}, but I {ev.past} it.
The {part} was {o}, but the {work} itself was {e}.
The {work} is {e}, although the {part} is {o}.
Although the {part} is {o}, the {work} as a whole is {e}.
People said that the {work} was {o}, but it was really {e}.
I expected a_ {o} {work}, but this one was {e}.
The first part was {o}, but after that the {work} was {e}.
The last {work} was {o}; this one is {e}.
{name} told me that the {stay} was {o}, but I found it {e}.
The {work} could have been {o}; instead it was {e}.
The {work} looks {o} at first, but it turns out to be {e}.
My {hum} found it {o}, but I found the {work} {e}.
However {o} the {part} may be, the {work} is {e}.
Do not believe that the {work} is {no}: it is {e}.
The {stay} was anything but {no}.
I would call the {work} {e} rather than {o}.
Far from being {o}, the {work} was {e}.
"""
EVAL_TEMPLATES = """
Last {day} we returned from a_ {e} {stay}.
Without doubt this is a_ {e} {work} with a_ {e2} {part}.
{name}'s latest {work} is {e}.
The {part} alone makes this {work} {e}.
Both the {part} and the {work} are {e}.
How {e} the {stay} became on {day}!
I cannot think of anything {no} in this {work}.
None of us considered the {work} {no}.
Hardly anything about our {stay} was {no}.
By no means was the {stay} {no}.
Critics {ev.past} the {work}, and so did my {female}.
I will always {ev.base} this {work} by {name}.
You will {ev.base} {name}'s {work}, even if your {male} does not.
I was ready to {ov.base} {name}'s {work}; finally I {ev.past} it.
Despite a_ {o} {part}, the {work} remains {e}.
For all its {o} {part}, this is a_ {e} {work}.
The poster seemed {o}, yet the {work} proved {e}.
Some guests called the {stay} {o}, but they were wrong, because it was {e}.
Once {o}, the {stay} has become {e}.
What started as a_ {o} {work} ended as a_ {e} one.
Whoever considers this {work} {o} is mistaken: it is {e}.
"""
TEMPLATES = {
    "train": TRAIN_TEMPLATES.strip().splitlines(),
    "validation": EVAL_TEMPLATES.strip().splitlines(),
}
EXAMPLES = {"train": 48, "validation": 48}  # a template; half of them positive
SLOTS = {"{e": "{pos", "{o": "{neg", "{ne": "{posn", "{no": "{negn", "{ev": "{posv", "{ov": "{negv"}


def polar(template: str, label: int) -> str:
    """The template with its evaluation slots in the polarity of `label` (1 positive)."""
    marks = {mark: slot for mark, slot in SLOTS.items()}
    if label == 0:
        swap = {"pos": "neg", "neg": "pos"}
        marks = {mark: "{" + swap[slot[1:4]] + slot[4:] for mark, slot in SLOTS.items()}
    for mark in sorted(marks, key=len, reverse=True):
        for end in ("}", "2", "."):
            template = template.replace(mark + end, marks[mark] + end)
    return template


def sentiment(split: str) -> list[Row]:
    """Reviews with label 0 negative, 1 positive."""
    lexicon = TRAIN if split == "train" else EVAL
    seen: set[Hashable] = set()
    groups: list[list[Row]] = []
    for index, template in enumerate(TEMPLATES[split]):
        rng = rng_for("sentiment", split, index)
        rows: list[Row] = []
        for label in (0, 1):
            make = partial(_review, polar(template, label), label, lexicon, rng)
            while len(rows) < EXAMPLES[split] * (label + 1) // 2:
                rows += fresh(make, lambda row: [row["text"]], seen)
        groups.append(rows)
    return numbered(split, groups, rng_for("sentiment", split))


def _review(pattern: str, label: int, lexicon: Lexicon, rng: random.Random) -> list[Row]:
    return [{"text": render(pattern, draw([pattern], lexicon, rng)), "label": label}]
