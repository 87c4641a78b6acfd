"""Drawing examples until a template has its share, without a repeated sentence."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Row = dict[str, Any]
TRIES = 400


def rng_for(*names: object) -> random.Random:
    """A generator of its own for each use, so that a change in one task moves no other."""
    return random.Random("/".join(map(str, names)))


def fresh(
    make: Callable[[], Sequence[T]], keys: Callable[[T], Sequence[Hashable]], seen: set[Hashable]
) -> Sequence[T]:
    """Call `make` until none of what it gives was seen before, and note it as seen.

    Raises:
        RuntimeError: if the template is too small to give anything new.
    """
    for _ in range(TRIES):
        made = make()
        new = [key for item in made for key in keys(item)]
        if len(set(new)) == len(new) and not seen.intersection(new):
            seen.update(new)
            return made
    raise RuntimeError(f"no new example after {TRIES} tries; last: {made}")


def numbered(split: str, groups: Sequence[Sequence[Row]], rng: random.Random) -> list[Row]:
    """Shuffle the examples of all templates and give each an id that names its template.

    An id is `split-tNN-KKKK`: template NN of the split's half, example KKKK of the split.
    """
    rows = [(index, row) for index, group in enumerate(groups) for row in group]
    rng.shuffle(rows)
    return [
        {"id": f"{split}-t{index:02d}-{place:04d}", **row}
        for place, (index, row) in enumerate(rows)
    ]
