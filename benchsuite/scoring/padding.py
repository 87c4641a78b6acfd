"""Rows of different lengths to one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pad_rows(rows: Sequence[Sequence[int]], pad: int, left: bool = False) -> tuple[Tensor, Tensor]:
    """(ids, mask), both of shape (rows, longest): the mask is 1 where there is no padding."""
    longest = max(len(row) for row in rows)
    gaps = torch.tensor([longest - len(row) for row in rows])[:, None]
    filled = [(pad,) * (longest - len(row)) for row in rows]
    if left:
        ids = torch.tensor([[*gap, *row] for row, gap in zip(rows, filled, strict=True)])
        return ids, (torch.arange(longest) >= gaps).long()
    ids = torch.tensor([[*row, *gap] for row, gap in zip(rows, filled, strict=True)])
    return ids, (torch.arange(longest) < longest - gaps).long()
