import torch
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.scoring.packing import cut_trees, fill_lines, lay_out, plan_packed, tree_mask
from benchsuite.scoring.plan import merge_rows

rows_of = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), min_size=1, max_size=20
).map(lambda rows: merge_rows(rows)[1])


@given(rows_of)
def test_a_line_holds_every_beginning_once(rows):
    line = lay_out(rows)
    beginnings = {row[: at + 1] for row in rows for at in range(len(row))}
    assert len(line.ids) == len(beginnings)
    for row, places in zip(rows, line.places, strict=True):
        assert tuple(line.ids[place] for place in places) == row
        assert [line.depths[place] for place in places] == list(range(len(row)))


@given(st.lists(rows_of, min_size=1, max_size=3), st.integers(0, 3))
def test_a_token_sees_the_tokens_of_its_row_up_to_itself_and_what_is_cached(bunches, before):
    lines = [lay_out(rows) for rows in bunches]
    mask = tree_mask(lines, before, torch.float32)
    longest = max(len(line.ids) for line in lines)
    assert mask.shape == (len(lines), 1, longest, before + longest)
    assert mask.isfinite().all()
    for number, line in enumerate(lines):
        for places in line.places:
            for at, place in enumerate(places):
                seen = (mask[number, 0, place] == 0).nonzero()[:, 0].tolist()
                expected = [*range(before), *(before + one for one in places[: at + 1])]
                assert seen == sorted(expected)


@given(rows_of, st.floats(0, 0.1), st.integers(1, 60))
def test_trees_are_neighbours_within_the_limit(rows, pair_cost, most):
    trees = cut_trees(rows, pair_cost, most)
    assert [number for tree in trees for number in tree] == list(range(len(rows)))
    for tree in trees:
        assert len(tree) == 1 or len(lay_out([rows[number] for number in tree]).ids) <= most


def test_rows_go_apart_where_attending_costs_more_than_feeding():
    rows = [(1, 2, *[branch] * 40) for branch in range(3, 8)]
    assert cut_trees(rows, 0.0, 1000) == [[0, 1, 2, 3, 4]]
    assert cut_trees(rows, 0.01, 1000) == [[0], [1], [2], [3], [4]]


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100))
def test_lines_are_filled_within_their_room(sizes, room):
    lines = fill_lines(sizes, room)
    assert sorted(number for line in lines for number in line) == list(range(len(sizes)))
    filled = sorted(sum(sizes[number] for number in line) for line in lines)
    assert all(len(line) == 1 or sum(sizes[number] for number in line) <= room for line in lines)
    # Best fit opens no line for what the fullest two together would hold.
    assert len(filled) < 2 or filled[0] + filled[1] > room


@given(
    rows_of,
    st.integers(0, 12),
    st.integers(0, 9),
    st.integers(1, 80),
    st.integers(1, 80),
    st.sampled_from([0.0, 0.001, 0.05, 10.0]),
)
def test_every_row_is_in_one_job_that_shares_what_it_may(
    rows, free, before, at_once, most, pair_cost
):
    allowed = [min(free, len(row) - 1) for row in rows]
    jobs = plan_packed(rows, allowed, before, at_once, most, pair_cost)
    numbers = sorted(number for job in jobs for line in job.lines for number in line)
    assert numbers == list(range(len(rows)))
    for job in jobs:
        members = [number for line in job.lines for number in line]
        shared = job.shared - before
        assert len({rows[number][:shared] for number in members}) == 1
        assert 0 <= shared <= min(allowed[number] for number in members)
        # Trees that begin alike are one in a line, and as long as one may be.
        for line in job.lines:
            size = len(lay_out([rows[number] for number in line]).ids)
            assert len(line) == 1 or size <= most
        # Cached tokens are copied a line.
        assert job.shared == 0 or len(job.lines) == 1


def test_trees_with_trunks_go_longest_first():
    rows = [
        (passage, *[0] * 400, *[branch] * (50 * passage))
        for passage in (1, 2, 3)
        for branch in (1, 2)
    ]
    jobs = plan_packed(rows, [400] * 6, 0, 512, 2048, 6e-4)
    assert [job.shared for job in jobs] == [400] * 3
    assert [job.lines for job in jobs] == [((4, 5),), ((2, 3),), ((0, 1),)]


def test_a_long_trunk_with_much_after_it_goes_first_on_its_own():
    rows = [(0,) * 400 + (branch,) * 100 for branch in range(1, 5)]
    free = [400] * 4
    (two,) = plan_packed(rows, free, 0, 512, 2048, 6e-4)
    assert (two.shared, two.lines) == (400, ((0, 1, 2, 3),))
    # Not where only little follows it.
    (one,) = plan_packed([row[:402] for row in rows], free, 0, 512, 2048, 6e-4)
    assert (one.shared, one.lines) == (0, ((0, 1, 2, 3),))
