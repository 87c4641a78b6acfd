import pytest
import torch

from benchsuite.errors import CellFailed
from benchsuite.scoring.budget import Budget


def batches(budget: Budget, lengths: list[int], limit: int = 10**9, **options) -> list[list[int]]:
    """Lengths of the batches that went through on a device that holds `limit` tokens."""
    done = []

    def work(batch: list[int]) -> None:
        if len(batch) * max(lengths[number] for number in batch) > limit:
            raise torch.OutOfMemoryError
        done.append([lengths[number] for number in batch])

    budget.run(lengths, work, **options)
    return done


def test_longest_first_within_the_budget():
    assert batches(Budget(12, "cuda", 1), [3, 5, 4, 2, 2, 20]) == [[20], [5, 4], [3, 2, 2]]


def test_a_processor_takes_fewer(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert batches(Budget(100, "cpu", 3), [3, 3, 3]) == [[3, 3], [3]]
    assert batches(Budget(4, "cpu", 3), [3, 3, 3]) == [[3], [3], [3]]


def test_rows_of_one_length_each():
    assert batches(Budget(100, "cuda", 1), [3, 5, 3, 2], padding=False) == [[5], [3, 3], [2]]


def test_less_for_good_after_running_out_of_memory():
    budget = Budget(64, "cuda", 1)
    assert batches(budget, [4] * 16, limit=20) == [[4] * 4] * 4
    assert budget.tokens == 16
    with pytest.raises(CellFailed, match="one text does not fit the memory of cuda"):
        batches(budget, [4], limit=3)
