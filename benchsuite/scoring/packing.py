"""Rows that begin alike in one packed line: every shared token goes through the network once.

A line is a forest of prefix trees in preorder. Its tokens see their ancestors alone (a block
attention mask), and their positions are their depths. So branches of one context, and texts that
have nothing in common, lie in one line without seeing each other, and nothing is padded.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchsuite.scoring.plan import Job, Row, batches, common_length

# Tokens of a line of small trees: attention among them costs little, and they fill it well.
LINE_TOKENS = 128
# What a second pass costs before its first token, in tokens.
PASS_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Line:
    """Tokens as they lie in a line: ids, depth in their tree, and the place after the last token
    that descends from each. places: for each row, where its tokens lie."""

    ids: list[int]
    depths: list[int]
    ends: list[int]
    places: list[list[int]]


def lay_out(rows: Sequence[Row]) -> Line:
    """Put rows, in lexicographic order, in one line; one row alone lies there as it is."""
    ids: list[int] = []
    depths: list[int] = []
    ends: list[int] = []
    places: list[list[int]] = []
    path: list[int] = []
    previous: Row = ()
    for row in rows:
        common = common_length(previous, row)
        for place in path[common:]:
            ends[place] = len(ids)
        path = path[:common] + list(range(len(ids), len(ids) + len(row) - common))
        ids += row[common:]
        depths += range(common, len(row))
        ends += [0] * (len(row) - common)
        places.append(path)
        previous = row
    for place in path:
        ends[place] = len(ids)
    return Line(ids, depths, ends, places)


def tree_mask(lines: Sequence[Line], before: int, dtype: torch.dtype) -> Tensor:
    """Attention mask (lines, 1, longest, before + longest), added to attention scores.

    All tokens see the `before` cached ones and themselves and their ancestors. Numbers, not truth
    values: those are silently misread by eager attention. The lowest finite number, not -inf:
    padding sees nothing, and that would make NaN of it.
    """
    longest = max(len(line.ids) for line in lines)
    ends = torch.tensor([line.ends + [0] * (longest - len(line.ends)) for line in lines])
    places = torch.arange(longest)
    unseen = (places[:, None] < places) | (places[:, None] >= ends[:, None, :])
    mask = torch.zeros(len(lines), 1, longest, before + longest, dtype=dtype)
    mask[:, 0, :, before:].masked_fill_(unseen, torch.finfo(dtype).min)
    return mask


def cut_trees(rows: Sequence[Row], pair_cost: float, most: int) -> list[list[int]]:
    """Indices of neighbouring rows (lexicographic order) that are cheaper in one tree than apart.

    pair_cost: what a pair of tokens costs in attention, in tokens: a line attends everywhere, also
    where its mask says no. A tree has at most `most` tokens, or one row.
    """
    trees: list[list[int]] = []
    tokens = 0
    for number, row in enumerate(rows):
        new = len(row) - (common_length(rows[number - 1], row) if number else 0)
        together = new + pair_cost * (2 * tokens + new) * new
        apart = len(row) + pair_cost * len(row) ** 2
        if number and tokens + new <= most and together < apart:
            trees[-1].append(number)
            tokens += new
        else:
            trees.append([number])
            tokens = len(row)
    return trees


def fill_lines(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Indices in lines of at most `room` tokens, best fit decreasing; a larger one goes alone."""
    lines: list[list[int]] = []
    free: list[tuple[int, int]] = []
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        at = bisect_left(free, (sizes[number], -1))
        if at < len(free):
            left, line = free.pop(at)
        else:
            left, line = room, len(lines)
            lines.append([])
        lines[line].append(number)
        insort(free, (max(0, left - sizes[number]), line))
    return lines


def plan_packed(
    rows: Sequence[Row],
    free: Sequence[int],
    before: int,
    at_once: int,
    most: int,
    pair_cost: float,
) -> list[Job]:
    """Jobs of packed lines.

    rows: in lexicographic order, none the beginning of another, after `before` cached tokens. free:
    first tokens of each whose states are not wanted. at_once: tokens of a batch. most, pair_cost:
    as in `cut_trees`; most holds for lines of several trees, too: their trees may begin alike, and
    then lie there as one. A tree with a long trunk goes in two passes, trunk and branches, where
    that saves more attention than it costs. Such trees first, then batches, both longest first.
    """
    trunks: list[tuple[int, Job]] = []
    small: list[list[int]] = []
    sizes: list[int] = []
    for tree in cut_trees(rows, pair_cost, most):
        size = len(lay_out([rows[number] for number in tree]).ids)
        trunk = min(
            common_length(rows[tree[0]], rows[tree[-1]]), *(free[number] for number in tree)
        )
        # A trunk at the start of a line is plain: it attends to the left only.
        spared = trunk * (size - (trunk if before else trunk / 2))
        if len(tree) > 1 and pair_cost * spared > PASS_TOKENS:
            trunks.append((size, Job(before + trunk, (tuple(tree),))))
        else:
            small.append(tree)
            sizes.append(size)
    # Cached tokens are copied for every line: one long line then.
    lines = [
        tuple(sorted(number for tree in line for number in small[tree]))
        for line in fill_lines(sizes, min(at_once if before else LINE_TOKENS, most))
    ]
    jobs = [job for _, job in sorted(trunks, key=lambda one: -one[0])]
    lengths = [len(lay_out([rows[number] for number in line]).ids) for line in lines]
    for batch in batches(lengths, 1 if before else at_once):
        jobs.append(Job(before, tuple(lines[number] for number in batch)))
    return jobs
