"""mini/tagging: people, places, organizations and other names, in IOB2.

Some names serve two types (a person and a place called Florence), so the sentence decides; some
sentences have no name at all, and some have the same word twice.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from functools import partial

from tools.mini.english import Entry, Lexicon, draw, words
from tools.mini.lexicon import EVAL, TRAIN
from tools.mini.sampling import Row, fresh, numbered, rng_for

NAMES: dict[str, dict[str, list[Entry]]] = {
    "train": {
        "given": [
            *words(
                "José, Zoë, Jürgen, Anaïs, Søren, Thomas, Alice, Robert, Emma, Charles,"
                "Helen, Daniel, Florence, Austin, Sydney"
            )
        ],
        "family": [
            *words(
                "Müller, García, Sørensen, Baker, Thompson, Lefèvre, Rossi, Novák,"
                "Walker, Turner, Hansen, Washington, Lincoln"
            )
        ],
        "LOC": [
            *words(
                "Zürich, Málaga, Paris, New York, Texas, Canada, Sweden, Rome, Buenos Aires,"
                "Florence, Austin, Sydney, Washington, Lincoln, New Mexico"
            )
        ],
        "ORG": [
            *words(
                "Northern Bank, Harper and Sons, Red Star Airlines, Telefon Nord, Kellner,"
                "Green Valley School, Delta Motors, City Clinic, Lincoln College"
            )
        ],
        "people": [*words("French, Swedish, Canadian, Italian, Spanish, Texan")],
        "LANG": [*words("French, Swedish, Italian, Spanish, Old Norse")],
    },
    "validation": {
        "given": [
            *words(
                "Noël, Inés, Björn, Łukasz, Renée, George, Clara, Simon, Martha, Oscar,"
                "Ruth, Walter, Chelsea, Victoria, Jordan"
            )
        ],
        "family": [
            *words(
                "Nuñez, Kowalczyk, Åberg, Cooper, Fisher, Dvořák, Bauer, Dubois,"
                "Jackson, Houston, Wells, Parker"
            )
        ],
        "LOC": [
            *words(
                "Kraków, São Paulo, London, Los Angeles, Ohio, Japan, Norway, Berlin,"
                "Chelsea, Victoria, Jordan, Houston, Wells, Rio de Janeiro"
            )
        ],
        "ORG": [
            *words(
                "Southern Railways, Fisher and Daughters, Blue Moon Records, Télé Ouest,"
                "Hartmann, Oak Hill Academy, Omega Foods, Central Museum, Houston Club"
            )
        ],
        "people": [*words("German, Japanese, Norwegian, Polish, Brazilian, South African")],
        "LANG": [*words("German, Japanese, Norwegian, Polish, Turkish")],
    },
}
# {PER} is a full name, {GIV} a given name, {FAM} a family name; {NAT} a people's adjective
TRAIN_TEMPLATES = """
{PER} lives in {LOC} .
{PER} and {PER2} met in {LOC} .
{GIV} works for {ORG} in {LOC} .
{ORG} bought a school in {LOC} .
Yesterday {PER} left {ORG} .
The {hum} from {LOC} called {GIV} .
The {hum} sold the {thing} to {PER} .
{FAM} was a_ {NAT} {hum} who worked in {LOC} .
Many {NAT} books come from {LOC} .
The {NAT} {hum} visited {ORG} on Monday .
Mr. {FAM} teaches at {ORG} .
Mrs. {FAM} , a {hum} , moved from {LOC} to {LOC2} .
" I love {LOC} , " said {GIV} .
{GIV} said that {ORG} would help the {hum} .
In {LOC} , {ORG} hired {PER} .
{ORG} and {ORG2} opened shops in {LOC} .
The {animal} of {PER} slept in the {place} .
The {hum} put the {adjt} {thing} in the {place} .
A {hum} saw the {animal} near the {place} .
Nobody in the {place} knew the {adjh} {hum} .
The train from {LOC} to {LOC2} was late .
After a year in {LOC} , {PER} joined {ORG} .
{PER} wrote a letter to {FAM} about {LOC} .
The {hum} reads {NAT} stories to {GIV} .
{GIV} , {GIV2} and {GIV3} went to {LOC} .
Who told {PER} about {ORG} ?
Did {GIV} ever visit {LOC} ?
{LOC} is colder than {LOC2} .
The road runs from {LOC} to {LOC2} .
The head of {ORG} is {PER} .
{PER} of {ORG} was not in {LOC} on Tuesday .
Both {ORG} and {PER} want the {thing} .
The {NAT} king never saw {LOC} .
{GIV} plays the {NAT} game with {GIV2} .
Every {hum} in {LOC} knows {PER} .
The {thing} belongs to {GIV} , not to {FAM} .
At {ORG} , {GIV} is the only {NAT} {hum} .
People in {LOC} speak {LANG} .
{FAM} gave the {thing} to {ORG} .
We went to {LOC} with {GIV} and two {NAT} {hum.pl} .
{BOTH} has never been to {BOTHLOC} with {PER} .
{BOTH} flew to {BOTHLOC} with {PER} of {ORG} .
"""
EVAL_TEMPLATES = """
{PER} grew up near {LOC} .
Last Friday {ORG} invited {PER} and {FAM} .
My {male} encountered {PER} at {ORG} .
{GIV} 's {kin} owns a cottage in {LOC} .
Dr. {FAM} departed from {LOC} for {LOC2} .
The {NAT} {hum} beside {GIV} comes from {LOC} .
None of the {hum.pl} at {ORG} understood {LANG} .
Our {hum} borrowed the {adjt} {thing} .
Two {animal.pl} vanished from the {place} .
{ORG} , based in {LOC} , sued {ORG2} .
According to {PER} , winter in {LOC} is mild .
" Where is {LOC} ? " asked {GIV} .
{GIV} arrived at {ORG} before {GIV2} .
Flights between {LOC} and {LOC2} resumed on Sunday .
{ORG} named {PER} as its latest manager .
Has {FAM} ever stayed in {LOC} ?
The {NAT} team beat {ORG} in {LOC} .
When {GIV} phoned , {PER} was already in {LOC} .
{PER} , who represents {ORG} , praised {FAM} .
Rain fell on {LOC} while {GIV} mended the {thing} .
Unlike {PER} , {BOTH} was born in {BOTHLOC} .
"""
TEMPLATES = {
    "train": TRAIN_TEMPLATES.strip().splitlines(),
    "validation": EVAL_TEMPLATES.strip().splitlines(),
}
TYPES = {
    "PER": "PER",
    "GIV": "PER",
    "FAM": "PER",
    "BOTH": "PER",
    "LOC": "LOC",
    "BOTHLOC": "LOC",
    "ORG": "ORG",
    "NAT": "MISC",
    "LANG": "MISC",
}
EXAMPLES = {"train": 48, "validation": 48}  # a template


def tagging(split: str) -> list[Row]:
    """Sentences as tokens, with IOB2 tags."""
    lexicon = {**(TRAIN if split == "train" else EVAL), **_names(split)}
    seen: set[Hashable] = set()
    groups: list[list[Row]] = []
    for index, template in enumerate(TEMPLATES[split]):
        rng = rng_for("tagging", split, index)
        rows: list[Row] = []
        make = partial(_tagged, template, lexicon, rng)
        while len(rows) < EXAMPLES[split]:
            rows += fresh(make, lambda row: [" ".join(row["tokens"])], seen)
        groups.append(rows)
    return numbered(split, groups, rng_for("tagging", split))


def _tagged(template: str, lexicon: Lexicon, rng: random.Random) -> list[Row]:
    """One sentence; a slot named in `TYPES` is an entity, each word of it a token."""
    parts = template.split()
    while True:
        draws = draw(parts, lexicon, rng)
        people = [name for slot, name in draws.items() if TYPES.get(slot.strip("123")) == "PER"]
        names = " ".join(people).split()
        if len(set(names)) == len(names):
            break
    draws["BOTHLOC"] = draws.get("BOTH")
    tokens: list[str] = []
    tags: list[str] = []
    for part in parts:
        kind = TYPES.get(part.strip("{}123").split(".")[0], "O")
        for place, token in enumerate(part.format(**draws).split()):
            tokens.append(token)
            tags.append("O" if kind == "O" else ("I-" if place else "B-") + kind)
    return [{"tokens": _polished(tokens), "tags": tags}]


def _names(split: str) -> dict[str, list[Entry]]:
    names = NAMES[split]
    both = [name for name in names["given"] if name in names["LOC"]]
    full = [f"{given} {family}" for given in names["given"] for family in names["family"]]
    return {
        "GIV": names["given"],
        "FAM": names["family"],
        "PER": list(full),
        "LOC": names["LOC"],
        "ORG": names["ORG"],
        "NAT": names["people"],
        "LANG": names["LANG"],
        "BOTH": list(both),
        "BOTHLOC": list(both),
    }


def _polished(tokens: list[str]) -> list[str]:
    """Settle `a_` and the capital at the beginning."""
    tokens = [
        ("an" if following[0].lower() in "aeiou" else "a") if token == "a_" else token
        for token, following in zip(tokens, [*tokens[1:], "."], strict=True)
    ]
    return [tokens[0][0].upper() + tokens[0][1:], *tokens[1:]]
