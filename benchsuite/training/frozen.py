"""A backbone whose lower part stays as it is, and a cache of what that part gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import FileIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchsuite.training.backbone import Backbone, block_list
from benchsuite.training.batches import Batch, collate
from benchsuite.training.items import Item
from benchsuite.training.rows import Row
from benchsuite.training.split import SplitStack, last_states, modules_after_blocks

BYTES = 4  # of a float32
MOST_BYTES = 2 * 2**30
"""Bytes of states that are kept on disk; those of further items are computed every time."""


class FrozenBackbone(Backbone):
    """A backbone whose embeddings and lowest blocks are frozen, the rest asking for gradients.

    frozen: number of blocks, counted as in `blocks()`. The final norm of a stack is trained
    unless all blocks of that stack are frozen. What is frozen runs in evaluation mode (without
    dropout) also while the rest trains. cache: keeps what the frozen part gives the batches that
    are met again; without one it is computed each time.
    """

    def __init__(self, backbone: Backbone, frozen: int, cache: StateCache | None = None) -> None:
        nn.Module.__init__(self)
        # All that the given one is made of, under the same names.
        self.__dict__.update(vars(backbone))
        self.cache = cache
        self._body_split: SplitStack | None = None
        self._decoder_split: SplitStack | None = None
        self.whole = frozen == len(self.blocks())
        self._ask_for_gradients(frozen)
        body_blocks = len(block_list(self.body)[1])
        if frozen < body_blocks:
            self._body_split = SplitStack(self.body, frozen)
        if self.decoder is not None and not self.whole:
            self._decoder_split = SplitStack(self.decoder, max(0, frozen - body_blocks))
        # What enters the decoder's first trained block is then kept, too: behind the body's states,
        # a position of their own. Where answers are written it depends on what was written.
        partly = self._decoder_split is not None and frozen > body_blocks
        self._beside = int(partly and not self.text)

    def forward(self, batch: Batch) -> Tensor:
        """States as those of `Backbone.forward`, the frozen part's without gradients.

        Where all is frozen, only the positions that are read need be right.
        """
        if self.cache is None or batch.numbers is None:
            states = self._frozen(batch)
        else:
            states = self.cache.states(batch, self._frozen, self.whole, self._beside)
        if self.whole:
            return states
        if self._decoder_split is not None and self._beside:
            body, entering = states[:, :-1], states[:, -1:]
            return self._decoder_split.above(lambda: Backbone.finish(self, body, batch), entering)
        if self._body_split is not None:
            return self._body_split.above(lambda: Backbone.forward(self, batch), states)
        return self.finish(states, batch)

    def finish(self, states: Tensor, batch: Batch, extra: int = 0) -> Tensor:
        """As `Backbone.finish`, the decoder's frozen part in evaluation mode."""

        def run() -> Tensor:
            return Backbone.finish(self, states, batch, extra)

        if self._decoder_split is None:
            return run()
        with self._at_rest():
            entering = self._decoder_split.below(run)
        return self._decoder_split.above(run, entering)

    def _frozen(self, batch: Batch) -> Tensor:
        """What the frozen part gives: states that enter the first trained block of the body, the
        body's last ones where it is frozen, the decoder's where that is, too; of a decoder that is
        partly frozen the body's and those that enter its first trained block."""

        def run() -> Tensor:
            return Backbone.forward(self, batch)

        with self._at_rest():
            if self.whole:
                states = run()
            elif self._body_split is None:
                states = last_states(self.body, run)
                if self._decoder_split is not None and self._beside:
                    body = states
                    entering = self._decoder_split.below(lambda: Backbone.finish(self, body, batch))
                    states = torch.cat([body, entering], dim=1)
            else:
                states = self._body_split.below(run)
        return states.float()

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """In evaluation mode, without gradients."""
        training = self.body.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(training)

    def _ask_for_gradients(self, frozen: int) -> None:
        trained = self.blocks()[frozen:]
        for block in trained:
            block.requires_grad_(True)
        device = next(self.body.parameters()).device
        batch = collate([Item(0, (Row((0, 0), (), (0,)),), None)], 0, str(device))
        for stack in self.stacks():
            if block_list(stack)[1][-1] in trained:
                with self._at_rest():
                    final = modules_after_blocks(stack, lambda: Backbone.forward(self, batch))
                for module in final:
                    for parameter in module.parameters(recurse=False):
                        parameter.requires_grad_(True)


class StateCache:
    """States of items in a file of a folder, filled as the items are met.

    The file has no name: another process that trains the same cell has its own, and one that is
    killed leaves none. Items are told apart by `source` and `numbers` of their batches. What
    exceeds `most_bytes`, or the disk, is computed each time.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._room = most_bytes // BYTES
        self._end = 0
        self._width = 0
        self._places: dict[tuple[str, int], slice] = {}
        self._file: FileIO | None = None
        self._stored: NDArray[np.float32] = np.empty(0, np.float32)

    def states(
        self, batch: Batch, compute: Callable[[Batch], Tensor], only_read: bool, beside: int = 0
    ) -> Tensor:
        """States (rows, longest + beside, width) of a batch; `compute` gives those of items not
        kept.

        only_read: keep the positions that a head reads, not all tokens. Other positions are zero.
        beside: positions behind the tokens' that `compute` gives, too.
        """
        mask = functional.pad(batch.mask, (0, beside), value=1)
        keys = [(batch.source, number) for number in batch.numbers or ()]
        kept = [key in self._places for key in keys]
        if only_read:
            rows, columns = batch.row_of, batch.position_of
        else:
            rows, columns = mask.nonzero(as_tuple=True)
        # Rows stand in the order of their items, so each item's states stand together.
        is_kept = torch.tensor(kept, device=batch.owner.device)[batch.owner]
        old, new = is_kept[rows], ~is_kept[rows]
        found = [self._places[key] for key, one in zip(keys, kept, strict=True) if one]
        fresh = None
        if not all(kept):
            computed = compute(_some_rows(batch, ~is_kept))
            place = (~is_kept).cumsum(0) - 1
            fresh = computed[place[rows[new]], columns[new]]
            self._width = fresh.shape[1]
            missing = [number for number, one in enumerate(kept) if not one]
            sizes = torch.bincount(batch.owner[rows], minlength=len(keys))[missing].tolist()
            for number, part in zip(missing, fresh.split(sizes), strict=True):
                self._store(keys[number], part)
        states = torch.zeros((*mask.shape, self._width), device=mask.device)
        if fresh is not None:
            states[rows[new], columns[new]] = fresh
        if found:
            values = torch.from_numpy(np.concatenate([self._stored[place] for place in found]))
            states[rows[old], columns[old]] = values.view(-1, self._width).to(states.device)
        return states

    def remove(self) -> None:
        """Delete the file; nothing is kept from now on."""
        self._places, self._room = {}, 0
        self._stored = np.empty(0, np.float32)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _store(self, key: tuple[str, int], states: Tensor) -> None:
        """Keep an item's states (positions, width) where there is room."""
        place = slice(self._end, self._end + states.numel())
        if place.stop > self._room:
            return
        content = states.cpu().numpy().tobytes()
        if content and self._write(place.start * BYTES, content) < len(content):
            self._room = self._end  # the disk is full
            return
        self._places[key] = place
        self._end = place.stop

    def _write(self, at: int, content: bytes) -> int:
        """Bytes that were written at a place of the file."""
        try:
            file = self._file or self._open()
            file.seek(at)
            return file.write(content)
        except OSError:
            return 0

    def _open(self) -> FileIO:
        """An empty file of the whole size, of which the disk holds what is written.

        Written as a file, not through the map: a full disk is then an error and not a signal.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile("w+b", buffering=0, dir=self._folder)  # noqa: SIM115
        self._file.truncate(self._room * BYTES)
        self._stored = np.memmap(self._file, np.float32, mode="r", shape=(self._room,))
        return self._file


def _some_rows(batch: Batch, chosen: Tensor) -> Batch:
    """What a backbone reads of a batch, of the chosen rows."""
    types = None if batch.types is None else batch.types[chosen]
    return replace(batch, ids=batch.ids[chosen], mask=batch.mask[chosen], types=types)
