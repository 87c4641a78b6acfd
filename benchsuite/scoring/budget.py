"""How much goes through a network at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from benchsuite.errors import CellFailed

CPU_HAS_NO_ROOM = ("can't allocate memory", "bad_alloc")
"""What the errors of torch's allocator and of C++ say."""


class Budget:
    """Tokens of a batch, padding counted; lowered for good when the device runs out of memory.

    tokens: what the user allows. cpu_tokens_a_thread: on a processor a batch is kept to so many,
    however large `tokens` is; None: it is not.
    """

    def __init__(self, tokens: int, device: str, cpu_tokens_a_thread: int | None) -> None:
        self.tokens = tokens
        self.device = device
        if device == "cpu" and cpu_tokens_a_thread is not None:
            self.tokens = min(tokens, cpu_tokens_a_thread * torch.get_num_threads())

    def run(
        self, lengths: Sequence[int], work: Callable[[list[int]], None], padding: bool = True
    ) -> None:
        """Call `work` with batches of indices into `lengths`, longest first.

        The first batch is as large as any, so that too large a budget shows at once. A row longer
        than the budget goes alone. padding: False for batches of one length each. Raises
        CellFailed where one row does not fit the memory.
        """
        order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
        at = 0
        while at < len(order):
            longest = lengths[order[at]]
            batch = order[at : at + max(1, self.tokens // longest)]
            if not padding:
                batch = [number for number in batch if lengths[number] == longest]
            try:
                with as_out_of_memory():
                    work(batch)
            except torch.OutOfMemoryError:
                self.lower(len(batch), len(batch) * longest)
            else:
                at += len(batch)

    def lower(self, rows: int, tokens: int) -> None:
        """Half the tokens of a batch that ran out of memory, from now on.

        Raises CellFailed where it was of one row.
        """
        if rows == 1:
            raise too_large(self.device)
        self.tokens = max(1, min(self.tokens, tokens // 2))


@contextmanager
def as_out_of_memory() -> Iterator[None]:
    """Raise torch.OutOfMemoryError where a processor has no room, as torch does of a GPU only."""
    try:
        yield
    except RuntimeError as error:
        if any(text in str(error) for text in CPU_HAS_NO_ROOM):
            raise torch.OutOfMemoryError(str(error).splitlines()[0]) from None
        raise


def too_large(device: str) -> CellFailed:
    """The failure of a cell that runs out of memory with one text."""
    return CellFailed(
        f"one text does not fit the memory of {device}; lower --max-length or use --dtype bfloat16"
    )
