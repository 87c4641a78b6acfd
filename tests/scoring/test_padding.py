import pytest

from benchsuite.scoring.padding import pad_rows


@pytest.mark.parametrize(
    ("left", "ids", "mask"),
    [
        (False, [[1, 2, 3], [4, 9, 9]], [[1, 1, 1], [1, 0, 0]]),
        (True, [[1, 2, 3], [9, 9, 4]], [[1, 1, 1], [0, 0, 1]]),
    ],
)
def test_rows_are_padded_to_the_longest(left, ids, mask):
    padded, seen = pad_rows([(1, 2, 3), (4,)], 9, left)
    assert (padded.tolist(), seen.tolist()) == (ids, mask)
