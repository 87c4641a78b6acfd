"""Features of items: states of one layer of a model that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.models.registry import Model
from benchsuite.regimes.layers import resolve_layer
from benchsuite.scoring.budget import Budget
from benchsuite.training.backbone import check_finite
from benchsuite.training.batches import Batch, collate
from benchsuite.training.items import Item, Pooling

Features = NDArray[np.float32]

TOKEN_KINDS = ("tagging", "span")
"""Kinds of task that ask something of each position, not of a whole row."""
MOST_BYTES = 2 * 2**30
"""Bytes of features that a classifier is fitted on; what exceeds them is left out."""
FEWEST_POSITIONS = 8
"""Positions of a window that are kept at least."""
# Few enough tokens at once for a processor's caches, as in `embed`.
CPU_TOKENS_A_THREAD = 512


class FeatureReader:
    """Vectors of items, from one layer.

    layer: 0 is the lookup of the token embeddings, which knows neither place nor neighbours, n
    the output of the n-th block (the last one's after the final norm), a negative number counts
    from the top. An encoder-decoder's are its encoder's.
    pooling: of a row's states, special tokens counted; tagging and spans have a vector a position.
    precision: `float32`, or `bfloat16` for autocast; sums are in float32.
    """

    def __init__(
        self,
        model: Model,
        kind: str,
        layer: int,
        pooling: Pooling,
        pad: int,
        batch_tokens: int = 8192,
        precision: str = "float32",
    ) -> None:
        self.kind = kind
        self.pooling = pooling
        self.pad = pad
        self.device = model.device
        self.precision = precision
        self.tokens = 0
        network: Any = model.network
        self._body = (
            network.get_encoder() if model.family == "encoder-decoder" else network.base_model
        )
        self._embeddings = network.get_input_embeddings()
        self._given: dict[str, Any] = {"use_cache": False} if model.family == "decoder" else {}
        self._budget = Budget(batch_tokens, model.device, CPU_TOKENS_A_THREAD)
        with torch.inference_mode():
            ids = torch.zeros((1, 1), dtype=torch.long, device=model.device)
            hidden = self._run(ids, torch.ones_like(ids), None, output_hidden_states=True)
            self._top = len(hidden.hidden_states) - 1
            self.layer = int(resolve_layer(layer, self._top, "probe", model.name))
            self.width = self._states(ids, torch.ones_like(ids), None).shape[2]

    def count(self, item: Item) -> int:
        """Vectors of an item: one a position (tagging, span), one a row (choice), else one."""
        if self.kind in TOKEN_KINDS:
            return len(item.rows[0].positions)
        return len(item.rows) if self.kind == "choice" else 1

    @torch.inference_mode()
    def read(self, items: Sequence[Item], keep: Callable[[int, Features], None]) -> None:
        """Call `keep` with each item's number and vectors (count, width), in any order.

        Raises CellFailed on a state that is not finite.
        """

        def work(numbers: list[int]) -> None:
            batch = collate([items[number] for number in numbers], self.pad, self.device)
            half = self.precision == "bfloat16"
            with torch.autocast(self.device, torch.bfloat16, enabled=half):
                vectors = self._vectors(batch)
            check_finite(vectors)
            sizes = [self.count(item) for item in batch.items]
            for number, part in zip(numbers, vectors.cpu().split(sizes), strict=True):
                keep(number, part.numpy())
            self.tokens += int(batch.mask.sum())

        self._budget.run([item.tokens for item in items], work)

    def matrix(self, items: Sequence[Item]) -> Features:
        """Vectors (n, width) of all items, in their order."""
        ends = np.cumsum([self.count(item) for item in items], dtype=np.int64)
        found = np.empty((int(ends[-1]) if len(ends) else 0, self.width), np.float32)

        def keep(number: int, vectors: Features) -> None:
            found[ends[number] - len(vectors) : ends[number]] = vectors

        self.read(items, keep)
        return found

    def within_budget(self, items: Sequence[Item], most_bytes: int = MOST_BYTES) -> list[Item]:
        """Items whose vectors take up at most so many bytes, the same ones every time.

        Of a span's window the positions of the answer and of `no answer` are kept, and of the
        others a random part: fewer negatives move the intercept of a logistic regression (King
        and Zeng 2001), which all positions share, so that it tells no two of them apart. Where
        that is not enough, and for other kinds, a random part of the items is kept.
        """
        most = most_bytes // (4 * self.width)
        kept = list(items)
        if sum(map(self.count, kept)) <= most:
            return kept
        generator = np.random.default_rng(0)
        if self.kind == "span":
            positions = max(FEWEST_POSITIONS, most // len(kept))
            kept = [_thinned(item, positions, generator) for item in kept]
        order = generator.permutation(len(kept))
        total = np.cumsum([self.count(kept[number]) for number in order])
        return [kept[number] for number in sorted(order[total <= most])]

    def _vectors(self, batch: Batch) -> Tensor:
        """Vectors (n, width) of a batch, item after item."""
        states = self._states(batch.ids, batch.mask, batch.types)
        if self.kind in TOKEN_KINDS:
            return states[batch.row_of, batch.position_of].float()
        states = states.float()
        lengths = batch.mask.sum(1)
        if self.pooling == "mean":
            # Not a product with the mask: a padded position may hold what times zero is no zero.
            kept = states.masked_fill(batch.mask[:, :, None] == 0, 0.0)
            rows = kept.sum(1) / lengths[:, None]
        else:
            place = lengths - 1 if self.pooling == "last" else torch.zeros_like(lengths)
            rows = states[torch.arange(len(states), device=states.device), place]
        if self.kind == "choice":
            return rows
        sums = rows.new_zeros((len(batch.items), rows.shape[1]))
        return sums.index_add(0, batch.owner, rows)

    def _states(self, ids: Tensor, mask: Tensor, types: Tensor | None) -> Tensor:
        """States (rows, longest, width) of the layer."""
        states: Tensor
        if self.layer == 0:
            states = self._embeddings(ids)
        elif self.layer == self._top:
            states = self._run(ids, mask, types).last_hidden_state
        else:
            states = self._run(ids, mask, types, output_hidden_states=True).hidden_states[
                self.layer
            ]
        return states

    def _run(self, ids: Tensor, mask: Tensor, types: Tensor | None, **more: Any) -> Any:
        given = {} if types is None else {"token_type_ids": types}
        return self._body(input_ids=ids, attention_mask=mask, **given, **self._given, **more)


def _thinned(item: Item, most: int, generator: np.random.Generator) -> Item:
    """A span's window with so many positions: the answer's, `no answer`'s and random others."""
    (row,) = item.rows
    if len(row.positions) <= most:
        return item
    needed = sorted({0, *item.target})
    others = np.setdiff1d(np.arange(len(row.positions)), needed)
    drawn = generator.choice(others, most - len(needed), replace=False).tolist()
    kept = sorted([*needed, *drawn])
    return replace(
        item,
        rows=(replace(row, positions=tuple(row.positions[place] for place in kept)),),
        spans=tuple(item.spans[place] for place in kept),
        target=tuple(kept.index(place) for place in item.target),
    )
