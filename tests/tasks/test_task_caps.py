"""Caps: nested, by whole clusters, and the same ones for ever."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.errors import InputError
from benchsuite.tasks.example import Example
from benchsuite.tasks.task import capped, take_clusters

sizes_of_clusters = st.lists(st.integers(1, 12), max_size=40)


def example(name: str, cluster: str, subset: str = "") -> Example:
    return Example(name, "train", subset, cluster, "", {"text": name}, 0)


def passages(sizes: list[int], subset: str = "") -> list[Example]:
    """Examples of clusters of these sizes, interleaved as far as that goes.

    Every subset has the same clusters, as when two configs share passages.
    """
    most = max(sizes, default=0)
    return [
        example(f"{cluster}.{number}", str(cluster), subset)
        for number in range(most)
        for cluster, size in enumerate(sizes)
        if number < size
    ]


@given(sizes_of_clusters, st.integers(1, 200), st.integers(1, 200))
def test_caps_are_nested_whole_clusters_in_the_order_they_came_in(
    sizes: list[int], one: int, other: int
) -> None:
    examples = passages(sizes)
    counts = Counter(example.cluster for example in examples)
    small, large = (capped(examples, limit, "cap") for limit in sorted((one, other)))
    assert {example.id for example in small} <= {example.id for example in large}
    for limit, taken in zip(sorted((one, other)), (small, large), strict=True):
        chosen = {example.cluster for example in taken}
        assert taken == [example for example in examples if example.cluster in chosen]
        assert len(taken) <= limit or len(chosen) == 1
        assert len(taken) == sum(counts[cluster] for cluster in chosen)
    assert bool(small) == bool(examples)


@given(st.integers(1, 60), st.integers(1, 60))
def test_without_clusters_a_cap_takes_exactly_so_many(rows: int, limit: int) -> None:
    assert len(capped(passages([1] * rows), limit, "cap")) == min(rows, limit)


def test_a_cap_below_the_first_cluster_takes_that_cluster() -> None:
    assert len(capped(passages([5, 5, 5]), 1, "cap")) == 5


@given(sizes_of_clusters, sizes_of_clusters, st.integers(1, 60))
def test_a_cap_holds_in_each_subset_as_if_it_were_alone(
    one: list[int], other: list[int], limit: int
) -> None:
    first, second = passages(one, "a"), passages(other, "b")
    assert capped(first + second, limit, "cap") == (
        capped(first, limit, "cap") + capped(second, limit, "cap")
    )


def test_a_cap_is_not_the_first_rows_and_depends_on_the_salt() -> None:
    examples = passages([1] * 100)
    one, other = (set(e.id for e in capped(examples, 20, salt)) for salt in ("cap", "cap\x1f1"))
    assert one != other and one != {str(row) + ".0" for row in range(20)}


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        capped(passages([1]), 0, "cap")


def test_which_clusters_come_first_never_moves() -> None:
    """A golden order: a change here changes every capped and every selected number."""
    sizes = Counter({f"{number:016x}": 1 for number in range(10)})
    taken = [take_clusters(sizes, number, "cap") for number in range(1, 4)]
    assert [sorted(int(cluster, 16) for cluster in chosen) for chosen in taken] == GOLDEN_ORDER


# By hand: printf "cap\x1f0000000000000009" | sha256sum, and so on, sorted.
GOLDEN_ORDER = [[9], [7, 9], [4, 7, 9]]
