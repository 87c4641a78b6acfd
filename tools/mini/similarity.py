"""mini/similarity: two sentences about an event, rated by how much of it they share.

A pair begins at 5 and loses 1.5 for another agent, for another action and for another object, 0.25
for another place and 0.25 for a detail (the adjective) that differs. Synonyms and another structure
cost nothing, so that word overlap alone does not give the rating; ratings repeat, so ranks tie.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Hashable
from functools import partial
from typing import Any

from tools.mini.english import render, verb
from tools.mini.sampling import Row, fresh, numbered, rng_for

# (first, second) of two words for the same thing
AGENTS = {
    "train": "child|kid doctor|physician robber|thief writer|author lawyer|attorney",
    "validation": "cop|policeman visitor|guest monarch|king teenager|adolescent enemy|foe",
}
OBJECTS = {
    "train": "rug|carpet photo|photograph bag|sack jug|pitcher purse|handbag",
    "validation": "present|gift stone|rock bike|bicycle bucket|pail jewel|gem",
}
ACTIONS = {
    "train": "buy/bought/bought|purchase fix|repair lift|raise draw/drew/drawn|sketch "
    "select|choose/chose/chosen",
    "validation": "conceal|hide/hid/hidden throw/threw/thrown|toss grab/grabbed/grabbed/grabbing|"
    "seize rescue|save wreck|destroy",
}
DETAILS = {
    "train": "small|little old|ancient dirty|filthy",
    "validation": "big|large broken|damaged weird|strange",
}
PLACES = {"train": "kitchen school forest market", "validation": "museum park village cellar"}

# {s} agent, {v} action, {d} detail, {o} object, {p} place
STRUCTURES = {
    "train": [
        "The {s} {v.past} the {d} {o} in the {p}.",
        "In the {p}, the {s} {v.past} the {d} {o}.",
        "The {d} {o} was {v.en} by the {s} in the {p}.",
        "It was the {s} who {v.past} the {d} {o} in the {p}.",
        "What the {s} {v.past} in the {p} was the {d} {o}.",
        "In the {p}, the {d} {o} was {v.en} by the {s}.",
        "The one who {v.past} the {d} {o} in the {p} was the {s}.",
    ],
    "validation": [
        "While in the {p}, the {s} {v.past} the {d} {o}.",
        "Inside the {p}, the {s} {v.past} the {d} {o}.",
        "There was a_ {s} in the {p} who {v.past} the {d} {o}.",
        "It was the {d} {o} that the {s} {v.past} in the {p}.",
        "The {p} is where the {s} {v.past} the {d} {o}.",
    ],
}
# which of agent, action, object, place and detail are the same, and the rating that gives
COSTS = {"s": 1.5, "v": 1.5, "o": 1.5, "p": 0.25, "d": 0.25}
CHANGES = [
    "", "", "d", "p", "dp", "o", "s", "v", "op", "sd", "vo", "so", "sv", "vop", "sop", "svd",
    "svo", "svod", "svodp", "svodp",
]  # fmt: skip
PAIRS = {"train": 42, "validation": 20}  # pairs of structures
EXAMPLES = {"train": 48, "validation": 50}  # a pair of structures


def similarity(split: str) -> list[Row]:
    """Pairs of sentences with a rating from 0 (nothing shared) to 5 (same meaning)."""
    structures = STRUCTURES[split]
    combinations = list(itertools.product(structures, structures))
    rng_for("similarity", split).shuffle(combinations)
    seen: set[Hashable] = set()
    groups: list[list[Row]] = []
    for index, combination in enumerate(combinations[: PAIRS[split]]):
        rng = rng_for("similarity", split, index)
        rows: list[Row] = []
        while len(rows) < EXAMPLES[split]:
            changed = CHANGES[(len(rows) + index) % len(CHANGES)]
            make = partial(_rated, split, changed, combination, rng)
            rows += fresh(make, lambda row: [(row["text"], row["text_pair"])], seen)
        groups.append(rows)
    return numbered(split, groups, rng_for("similarity", split, "order"))


def _rated(split: str, changed: str, structures: tuple[str, str], rng: random.Random) -> list[Row]:
    """One pair that differs in the parts named in `changed`, with the rating that leaves."""
    first, second = _events(split, changed, rng)
    return [
        {
            "text": render(structures[0], first),
            "text_pair": render(structures[1], second),
            "label": 5.0 - sum(COSTS[part] for part in changed),
        }
    ]


def _events(split: str, changed: str, rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """The words of two events that differ in the parts named in `changed`."""
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    tables = {"s": AGENTS, "v": ACTIONS, "o": OBJECTS, "d": DETAILS, "p": PLACES}
    for part, table in tables.items():
        synonyms = rng.choice(table[split].split())
        other = synonyms
        if part in changed:
            other = rng.choice([entry for entry in table[split].split() if entry != synonyms])
        first[part] = rng.choice(synonyms.split("|"))
        second[part] = rng.choice(other.split("|"))
    first["v"], second["v"] = verb(first["v"]), verb(second["v"])
    return first, second
