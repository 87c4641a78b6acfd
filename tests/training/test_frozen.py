"""The cache of what a frozen part gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchsuite.training.batches import Batch, collate
from benchsuite.training.frozen import StateCache
from benchsuite.training.items import Item
from benchsuite.training.rows import Row

WIDTH = 3
ITEMS = [
    Item(0, (Row((5, 6, 7), (), (1, 2)), Row((8,), (), (0,))), None),
    Item(1, (Row((9, 10), (), ()),), None),
    Item(2, (Row((11, 12, 13, 14), (), (0, 3)),), None),
]


class Network:
    """States that tell a token, where it stands and in which row's company; counts rows."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []

    def __call__(self, batch: Batch) -> Tensor:
        self.rows += batch.ids.tolist()
        ids = batch.ids.float()
        return torch.stack([ids, torch.arange(ids.shape[1]) + ids * 0, ids[:, :1] + ids * 0], 2)


def batch_of(numbers: Sequence[int], source: str = "train") -> Batch:
    return collate([ITEMS[number] for number in numbers], 0, "cpu", numbers, source)


def assert_right(states: Tensor, batch: Batch, only_read: bool) -> None:
    expected = Network()(batch)
    rows, columns = (
        (batch.row_of, batch.position_of) if only_read else batch.mask.nonzero(as_tuple=True)
    )
    assert len(rows)
    assert torch.equal(states[rows, columns], expected[rows, columns])


@pytest.mark.parametrize("only_read", [False, True])
@pytest.mark.parametrize("most_bytes", [0, 4 * WIDTH * 4, 2**20])
def test_states_are_those_computed(tmp_path: Path, only_read: bool, most_bytes: int) -> None:
    cache, network = StateCache(tmp_path / "cell", most_bytes), Network()
    for numbers in ([0, 2], [1, 0, 2], [2, 1], [2, 0], [0, 1, 2]):
        batch = batch_of(numbers)
        assert_right(cache.states(batch, network, only_read), batch, only_read)
    if most_bytes == 2**20:
        assert len(network.rows) == 4
    elif most_bytes:
        # Room for the first item, and for what of the others is small enough.
        assert 4 < len(network.rows) < 14
        assert sum(row[:2] == [5, 6] for row in network.rows) == 1
    else:
        # Of the second item no head reads anything, so there is nothing to compute again.
        assert len(network.rows) == (14 if only_read else 16)
    cache.remove()
    batch = batch_of([0, 1, 2])
    assert_right(cache.states(batch, network, only_read), batch, only_read)
    assert not list(tmp_path.glob("cell/*"))


def test_two_lists_have_numbers_of_their_own(tmp_path: Path) -> None:
    cache, network = StateCache(tmp_path), Network()
    cache.states(batch_of([0, 1]), network, False)
    other = collate([ITEMS[2], ITEMS[1]], 0, "cpu", [0, 1], "selection")
    assert_right(cache.states(other, network, False), other, False)
    assert len(network.rows) == 3 + 2
    cache.remove()


def test_two_processes_on_one_cell_do_not_meet(tmp_path: Path) -> None:
    ours, theirs, network = StateCache(tmp_path), StateCache(tmp_path), Network()
    ours.states(batch_of([0, 1, 2]), network, False)
    theirs.states(batch_of([2, 0]), network, False)
    batch = batch_of([0, 1, 2])
    assert_right(ours.states(batch, network, False), batch, False)
    theirs.remove()
    assert_right(ours.states(batch, network, False), batch, False)
    ours.remove()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, network = StateCache(tmp_path), Network()
    cache.states(batch_of([1]), network, False)
    assert cache._file is not None

    class Full:
        def seek(self, place: int) -> None: ...

        def write(self, content: bytes) -> int:
            return len(content) - 1

        def close(self) -> None: ...

    monkeypatch.setattr(cache, "_file", Full())
    for numbers in ([0, 1], [0, 1, 2], [2, 0]):
        batch = batch_of(numbers)
        assert_right(cache.states(batch, network, False), batch, False)
    assert sum(row[:2] == [9, 10] for row in network.rows) == 1
    assert sum(row[:2] == [5, 6] for row in network.rows) == 3
    cache.remove()
