"""Which rows are fed to a decoder, and which of them together. Pure: token ids in, numbers out.

A row is what the network is fed: every token of a text but the last. In a causal model a row that
begins another one needs no pass of its own, and rows that begin alike can share that part's keys
and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Row = tuple[int, ...]

# Tokens a group must save. A shared part costs a pass of its own; on an accelerator that is mostly
# the time of starting it, in which a full batch would get through thousands of tokens.
MIN_SAVING = {"cpu": 192, "cuda": 4096}


@dataclass(frozen=True, slots=True)
class Job:
    """Lines of rows (by index) that go through the network together.

    The first `shared` tokens of all of them go before, once. A line of several rows is packed.
    """

    shared: int
    lines: tuple[tuple[int, ...], ...]


def merge_rows(rows: Sequence[Row]) -> tuple[list[int], list[Row]]:
    """Drop rows that are equal to another or begin another.

    Returns (for each row the index of the kept row that begins with it, the kept rows in
    lexicographic order).
    """
    order = sorted(range(len(rows)), key=lambda number: rows[number])
    owner = [0] * len(rows)
    kept: list[Row] = []
    # Everything between a row and one that it begins begins with it too: neighbours are enough.
    for number in reversed(order):
        if not kept or kept[-1][: len(rows[number])] != rows[number]:
            kept.append(rows[number])
        owner[number] = len(kept) - 1
    last = len(kept) - 1
    return [last - place for place in owner], kept[::-1]


def plan_rows(
    rows: Sequence[Row],
    free: Sequence[int],
    before: int,
    batch_tokens: int,
    at_once: int,
    min_saving: int | None,
) -> list[Job]:
    """Jobs of a row a line, groups that share their first tokens and batches of the others.

    rows: in lexicographic order, none the beginning of another, after `before` cached tokens. free:
    first tokens of each that may be shared. batch_tokens, at_once: tokens of a group and of a
    batch. min_saving: tokens that a group must save; None: no groups. Groups first, then batches,
    both longest first.
    """
    groups: list[tuple[int, range]] = []
    alone: Sequence[int] = range(len(rows))
    if min_saving is not None:
        groups, alone = group_rows(rows, free, batch_tokens, min_saving)
    groups.sort(key=lambda one: -len(one[1]) * max(len(rows[row]) for row in one[1]))
    jobs = [Job(before + shared, tuple((row,) for row in group)) for shared, group in groups]
    # Cached tokens are copied for every row.
    lengths = [before + len(rows[number]) for number in alone]
    for batch in batches(lengths, batch_tokens if before else at_once):
        jobs.append(Job(before, tuple((alone[number],) for number in batch)))
    return jobs


def group_rows(
    rows: Sequence[Row], free: Sequence[int], batch_tokens: int, min_saving: int
) -> tuple[list[tuple[int, range]], list[int]]:
    """Groups of rows that are worth sharing their first tokens, and the rows left over.

    A group is the number of tokens it shares and its rows. rows, free: as in `plan_rows`. A row
    joins the group before it where they have at least half of every row in common and that costs
    fewer tokens than going alone. rows x longest of a group stays within batch_tokens.
    """
    groups: list[tuple[int, range]] = []
    alone: list[int] = []
    first = 0
    while first < len(rows):
        end, shared, longest = first + 1, min(len(rows[first]), free[first]), len(rows[first])
        while end < len(rows):
            common = min(common_length(rows[end - 1][:shared], rows[end]), free[end])
            longest_now = max(longest, len(rows[end]))
            others = end - first
            # Going along costs this row's tail, and what the others no longer share.
            cost = len(rows[end]) - common + (others - 1) * (shared - common)
            fits = longest_now * (others + 1) <= batch_tokens
            if not fits or 2 * common < longest_now or cost >= len(rows[end]):
                break
            end, shared, longest = end + 1, common, longest_now
        if end - first > 1 and (end - first - 1) * shared >= max(1, min_saving):
            groups.append((shared, range(first, end)))
        else:
            alone += range(first, end)
        first = end
    return groups, alone


def common_length(left: Row, right: Row) -> int:
    """Length of the longest common beginning."""
    for place, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return place
    return min(len(left), len(right))


def batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices in batches, longest first; rows x longest stays within batch_tokens.

    A row that exceeds it goes alone.
    """
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    batch: list[int] = []
    for number in order:
        if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
