"""Packed rows out of a token stream."""

import numpy as np
import torch

from benchsuite.errors import InputError


class Rows:
    """Windows of a packed token stream in a seeded random order, an epoch after the other.

    The order depends on seed and length alone, so a resumed run needs only the row counts.
    """

    def __init__(self, tokens: np.ndarray, seed: int, name: str = "train") -> None:
        self.tokens = tokens
        self.name = name
        self.seed = seed
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def count(self, length: int) -> int:
        """Rows an epoch at this length; one token more is needed for the last target."""
        return (len(self.tokens) - 1) // length

    def require(self, length: int) -> None:
        """Raises InputError when there is not one row of this length."""
        if self.count(length) <= 0:
            raise InputError(
                f"the {self.name} shards hold fewer than {length + 1} tokens; encode more text"
            )

    def batch(self, length: int, first: int, rows: int) -> torch.Tensor:
        """(rows, length + 1) int64: rows `first` .. `first + rows` of the endless order."""
        self.require(length)
        count = self.count(length)
        starts = [
            self._order(length, number // count)[number % count] * length
            for number in range(first, first + rows)
        ]
        windows = np.stack([self.tokens[start : start + length + 1] for start in starts])
        return torch.from_numpy(windows.astype(np.int64))

    def distinct(self, read: dict[int, int]) -> int:
        """How many tokens of the stream are in any of the rows read: length -> their number.

        Each length has an order of its own, so that what is read at one comes again at another.
        """
        seen = np.zeros(len(self.tokens), dtype=bool)
        for length, rows in read.items():
            count = self.count(length)
            drawn = self._order(length, 0)[:rows] if rows < count else np.arange(count)
            seen[: count * length].reshape(count, length)[drawn] = True
        return int(seen.sum())

    def _order(self, length: int, epoch: int) -> np.ndarray:
        key = (length, epoch)
        if key not in self._orders:
            # the epoch before is still needed by a batch that spans two
            self._orders = {k: v for k, v in self._orders.items() if k == (length, epoch - 1)}
            generator = np.random.default_rng([self.seed, length, epoch])
            self._orders[key] = generator.permutation(self.count(length))
        return self._orders[key]
