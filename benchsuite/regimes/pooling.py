"""Texts to vectors: hidden states of one layer, pooled over a text's tokens; nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.errors import CellFailed
from benchsuite.regimes.layers import Layer, resolve_layer
from benchsuite.scoring.budget import Budget
from benchsuite.scoring.padding import pad_rows
from benchsuite.scoring.tokens import Tokens
from benchsuite.scoring.types import Usage

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

Pooling = Literal["mean", "first", "last"]

# Few enough tokens at once for a processor's caches, as in scoring.
CPU_TOKENS_A_THREAD = 512


@dataclass(frozen=True, slots=True)
class _Row:
    """A text as it is fed. own: whether a token is the text's own, not one put around it."""

    ids: tuple[int, ...]
    own: tuple[bool, ...]


class Embedder:
    """Vectors of texts from a model's hidden states.

    layer: 0 is the lookup of the token embeddings, which knows neither place nor neighbours; n the
    output of the n-th block; a negative number counts from the top; `first-last` is the mean of
    the first and the last block's. An encoder-decoder's are its encoder's.
    pooling: `mean` over the text's own tokens; `first`, `last`: that position, special tokens
    counted ([CLS] of an encoder; a decoder's last token has seen the whole text).

    The tokenizer's own special tokens are put around a text. A decoder without any gets its
    start token (bos or eos) before every text, which scoring puts before an empty context only: the
    first position of a decoder takes on an outsized state (Xiao et al. 2024, attention sinks),
    which must not be a word's. Vectors do not depend on
    batch, order or padding.
    max_length: tokens of text that fit the window.
    """

    def __init__(
        self, model: Model, layer: Layer, pooling: Pooling, batch_tokens: int = 8192
    ) -> None:
        self.model = model
        self.network: Any = model.network
        self.pooling = pooling
        self.tokens = Tokens(model.tokenizer)
        self.usage = Usage()
        self._budget = Budget(batch_tokens, model.device, CPU_TOKENS_A_THREAD)
        self._before = () if self.tokens.prefix else self.tokens.start[:1]
        if model.family != "decoder":
            self._before = ()
        around = model.tokenizer.num_special_tokens_to_add(pair=False)
        self.max_length = model.max_length - len(self._before) - around
        if self.max_length < 1:
            raise CellFailed(f"the window of {model.name}, {model.max_length} tokens, has no room")
        self.layer = self._resolve(layer)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Vectors (texts, width) in the order given; equal texts are computed once.

        A text longer than the window loses tokens on the left. Raises CellFailed on a state that
        is not finite.
        """
        started = time.perf_counter()
        unique = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        rows = self._rows(list(unique))
        found: dict[int, NDArray[np.float64]] = {}

        def work(batch: list[int]) -> None:
            vectors = self._pool([rows[number] for number in batch])
            if not np.isfinite(vectors).all():
                raise CellFailed("a hidden state of the model is not finite")
            found.update(zip(batch, vectors, strict=True))
            self.usage.tokens += sum(len(rows[number].ids) for number in batch)

        self._budget.run([len(row.ids) for row in rows], work)
        self.usage.requests += len(texts)
        seconds = time.perf_counter() - started
        self.usage.by_phase["embed"] = self.usage.by_phase.get("embed", 0.0) + seconds
        return np.stack([found[unique[text]] for text in texts])

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return self.tokens.count(texts)

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        return self.tokens.shorten(text, tokens, keep)

    def _rows(self, texts: list[str]) -> list[_Row]:
        """Token ids of texts with their special tokens."""
        encoded = self.model.tokenizer(texts, return_special_tokens_mask=True)
        rows = []
        for ids, special in zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True):
            ids = [*self._before, *ids]
            own = [*[False] * len(self._before), *[not one for one in special]]
            excess = sum(own) - self.max_length
            if excess > 0:
                at = own.index(True)
                del ids[at : at + excess], own[at : at + excess]
            # A text without tokens is what stands around it.
            rows.append(_Row(tuple(ids), tuple(own if any(own) else [True] * len(own))))
        return rows

    @torch.inference_mode()
    def _pool(self, rows: Sequence[_Row]) -> NDArray[np.float64]:
        """Vectors (rows, width) of right-padded rows."""
        ids, mask = pad_rows([row.ids for row in rows], self.tokens.pad)
        states = self._states(ids.to(self.model.device), mask.to(self.model.device))
        if self.pooling == "mean":
            weights, _ = pad_rows([row.own for row in rows], False)
        else:
            places = [0 if self.pooling == "first" else len(row.ids) - 1 for row in rows]
            weights = torch.nn.functional.one_hot(torch.tensor(places), ids.shape[1])
        # In double precision: the mean of n equal states is exactly that state.
        weights = weights.to(self.model.device).double()
        # Not a matrix product: a padded position may hold what times zero is no zero.
        kept = states.double().masked_fill(weights[:, :, None] == 0, 0.0)
        return (kept.sum(1) / weights.sum(1, keepdim=True)).cpu().numpy()

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States (rows, longest, width) of the chosen layer."""
        if self.layer == 0:
            return self.network.get_input_embeddings()(ids)
        hidden = self._hidden(ids, mask)
        if self.layer == "first-last":
            return (hidden[1].float() + hidden[-1].float()) / 2
        return hidden[self.layer]

    def _hidden(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """States of every layer, the embeddings' first."""
        encodes = self.model.family == "encoder-decoder"
        network = self.network.get_encoder() if encodes else self.network.base_model
        outputs = network(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        hidden: tuple[Tensor, ...] = outputs.hidden_states
        return hidden

    @torch.inference_mode()
    def _resolve(self, layer: Layer) -> Layer:
        """The layer counted from below. Raises InputError where the model has no such layer."""
        ids = torch.zeros((1, 1), dtype=torch.long, device=self.model.device)
        blocks = len(self._hidden(ids, torch.ones_like(ids))) - 1
        return resolve_layer(layer, blocks, "embed", self.model.name)


def cosines(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine (n,) of each row of left with its row of right, both (n, width).

    0 where one of them is zero: it has no direction. Never beyond -1 or 1 by rounding.
    """
    return np.clip((_unit(left) * _unit(right)).sum(axis=1), -1.0, 1.0)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1.0, lengths)
