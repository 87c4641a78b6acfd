from hypothesis import given
from hypothesis import strategies as st

from benchsuite.scoring.plan import batches, common_length, group_rows, merge_rows, plan_rows

rows_of = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), max_size=30)


@given(rows_of)
def test_merging_keeps_the_fewest_rows_that_begin_with_all(rows):
    owner, kept = merge_rows(rows)
    for row, number in zip(rows, owner, strict=True):
        assert kept[number][: len(row)] == row
    begins = [a for a in set(rows) if any(b != a and b[: len(a)] == a for b in rows)]
    assert kept == sorted(set(rows) - set(begins))


@given(rows_of, st.integers(1, 200), st.integers(0, 40), st.integers(0, 12), st.integers(0, 9))
def test_groups_share_what_they_have_in_common(rows, batch_tokens, min_saving, free, before):
    _, kept = merge_rows(rows)
    allowed = [min(free, len(row) - 1) for row in kept]
    jobs = plan_rows(kept, allowed, before, batch_tokens, batch_tokens, min_saving)
    assert sorted(n for job in jobs for (n,) in job.lines) == list(range(len(kept)))
    for job in jobs:
        members = [kept[number] for (number,) in job.lines]
        shared = job.shared - before
        assert len({row[:shared] for row in members}) == 1
        assert shared <= min(allowed[number] for (number,) in job.lines)
        if shared:
            assert len(members) * max(map(len, members)) <= batch_tokens
            assert (len(members) - 1) * shared >= max(1, min_saving)


def test_questions_of_one_passage_are_grouped_and_other_passages_are_not():
    passages = [(1,) * 50, (2,) * 50]
    rows = [(*passage, question, option) for passage in passages for question in (3, 4)
            for option in (5, 6)]  # fmt: skip
    groups, alone = group_rows(rows, [51] * len(rows), 8192, min_saving=100)
    assert [(shared, len(group)) for shared, group in groups] == [(50, 4), (50, 4)]
    assert alone == []
    # The largest group first, so that too large a budget shows at once.
    first, second = plan_rows(rows[:2] + rows[4:], [51] * 6, 0, 8192, 8192, min_saving=40)
    assert (first.lines, second.lines) == (((2,), (3,), (4,), (5,)), ((0,), (1,)))


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_batches_stay_within_the_budget(lengths, batch_tokens):
    found = list(batches(lengths, batch_tokens))
    assert sorted(number for batch in found for number in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[number] for number in batch)
        assert len(batch) == 1 or longest * len(batch) <= batch_tokens


@given(rows_of.filter(lambda rows: len(rows) > 1))
def test_common_length(rows):
    left, right = rows[:2]
    length = common_length(left, right)
    assert left[:length] == right[:length]
    assert left[: length + 1] != right[: length + 1] or length == min(len(left), len(right))
