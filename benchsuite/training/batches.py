"""Items to padded tensors, and which items go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchsuite.scoring.padding import pad_rows
from benchsuite.training.items import Item

POOL = 50
"""Most batches that are drawn together at random and then sorted by length among themselves."""
POOLS = 4
"""Pools that an epoch is meant to have, or the same items would meet in a batch in every epoch."""


@dataclass(slots=True)
class Batch:
    """Items as tensors.

    ids, mask (rows, longest); types likewise, None where the family has no segments. owner (rows):
    the item each row belongs to. row_of, position_of (n): what the head reads, row by row.
    numbers: of the items in the list they were taken from; None for items met once. source: which
    list that is, `train` or `selection`. writing (texts, longest), writes (texts): what the decoder
    has written, and the row that each text answers, where answers are written.
    """

    items: list[Item]
    ids: Tensor
    mask: Tensor
    types: Tensor | None
    owner: Tensor
    row_of: Tensor
    position_of: Tensor
    numbers: list[int] | None = None
    source: str = ""
    writing: Tensor | None = None
    writes: Tensor | None = None


def collate(
    items: Sequence[Item],
    pad: int,
    device: str,
    numbers: Sequence[int] | None = None,
    source: str = "",
) -> Batch:
    """The items as one batch, padded on the right."""
    rows = [row for item in items for row in item.rows]
    ids, mask = pad_rows([row.ids for row in rows], pad)
    types = pad_rows([row.types for row in rows], 0)[0].to(device) if rows[0].types else None
    owner = [number for number, item in enumerate(items) for _ in item.rows]
    row_of = [number for number, row in enumerate(rows) for _ in row.positions]
    position_of = [position for row in rows for position in row.positions]
    return Batch(
        items=list(items),
        ids=ids.to(device),
        mask=mask.to(device),
        types=types,
        owner=torch.tensor(owner, device=device),
        row_of=torch.tensor(row_of, dtype=torch.long, device=device),
        position_of=torch.tensor(position_of, dtype=torch.long, device=device),
        numbers=None if numbers is None else list(numbers),
        source=source,
    )


def epoch_order(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, as numbers of items: each item once, similar lengths together.

    Items are shuffled, pools of them sorted by length, and the batches shuffled: batches are
    random, but for their items being of about one length, so that little is padding. Pools are as
    large as those of transformers' `group_by_length`; of fewer than eight batches a pool is one,
    and nothing is sorted. The last batch may hold fewer items, which count for more: they are the
    shortest of a pool, and so others in every epoch.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(lengths))
    size = max(1, min(len(lengths) // (POOLS * batch_size), POOL)) * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        pool = order[start : start + size]
        pool = pool[np.argsort(-np.asarray(lengths)[pool], kind="stable")]
        batches += [pool[at : at + batch_size].tolist() for at in range(0, len(pool), batch_size)]
    return [batches[number] for number in generator.permutation(len(batches))]


def split_by_tokens(
    items: Sequence[Item], numbers: Sequence[int], tokens: int
) -> Iterator[list[int]]:
    """Parts of a batch of at most so many tokens each, padding counted; an item is never split.

    numbers: of the batch's items in `items`.
    """
    part: list[int] = []
    rows = longest = 0
    for number in sorted(numbers, key=lambda number: -longest_row(items[number])):
        more = rows + len(items[number].rows)
        length = max(longest, longest_row(items[number]))
        if part and more * length > tokens:
            yield part
            part, more, length = [], len(items[number].rows), longest_row(items[number])
        part.append(number)
        rows, longest = more, length
    if part:
        yield part


def longest_row(item: Item) -> int:
    """Tokens of an item's longest row."""
    return max(len(row.ids) for row in item.rows)
