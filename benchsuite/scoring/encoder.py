"""The engine for encoders: what a masked language model says of tokens it does not see.

`masking.py` says which tokens of a text are masked and which of them scored; here is the
arithmetic. The score of a token is log p(token at its place | the text with the masks in it).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchsuite.errors import NotApplicable
from benchsuite.scoring.budget import Budget
from benchsuite.scoring.gathering import Gathered, close
from benchsuite.scoring.masking import Line, Masker, spans
from benchsuite.scoring.padding import pad_rows
from benchsuite.scoring.paths import resolve_path
from benchsuite.scoring.plan import Row
from benchsuite.scoring.types import Request, Score, Usage
from benchsuite.scoring.values import MISSING, Value, read_off, score_of

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# A place in a masked copy, and the token whose log-probability there is wanted.
Target = tuple[int, int]

# Larger batches are no faster on a processor, smaller ones slower (BERT of 7 million parameters).
CPU_TOKENS_A_THREAD = 1024
# Texts masked and scored together; what is kept of them is kept to that many.
LINES_AT_ONCE = 4096


class EncoderScorer:
    """Scores with a masked language model.

    Scores do not depend on batch, order or padding (float32: within 1e-4 nats). batch_tokens:
    at most so many tokens in a batch, padding counted; lowered for good when the device runs out
    of memory.
    """

    def __init__(self, model: Model, batch_tokens: int = 8192) -> None:
        self.model = model
        self.masker = Masker(model.tokenizer, model.max_length, model.name)
        self.tokens = self.masker.tokens
        self.max_length = self.masker.room
        self.budget = Budget(batch_tokens, model.device, CPU_TOKENS_A_THREAD)
        self.family = "encoder"
        self.usage = Usage()
        # Of the call before: a word of one token is masked alike by every path.
        self.known: dict[Row, dict[Target, Value]] = {}
        trial = self.masker.before + (self.masker.mask,) * 4 + self.masker.after
        self.logits = Gathered(model.network, self._inputs([trial, trial[:-1]]))
        self.pads = self._padding_is_unseen(trial)

    def score(
        self, requests: list[Request], path: str | None = None, details: bool = False
    ) -> list[Score]:
        """Log-likelihoods (nats) of every continuation, in the order given.

        path: `cloze`, `pll` or `pll_within_word`. Raises InputError for another; CellFailed, naming
        the request, for a continuation that has no token or is longer than the window, and for a
        score that is not finite.
        """
        path = resolve_path(self.family, path)
        started = time.perf_counter()
        lines = self.masker.lines(requests, words=path == "pll_within_word")
        # Longest first over all requests, so that running out of memory shows at once.
        order = sorted(range(len(lines)), key=lambda number: -len(lines[number].ids))
        scored: dict[int, list[Value]] = {}
        for start in range(0, len(order), LINES_AT_ONCE):
            chosen = order[start : start + LINES_AT_ONCE]
            values = self._score_lines([lines[number] for number in chosen], path)
            scored.update(zip(chosen, values, strict=True))

        found: list[list[list[Value]]] = [[] for _ in requests]
        truncated = [False] * len(requests)
        for number, line in enumerate(lines):
            found[line.request].append(scored[number])
            truncated[line.request] |= line.truncated
        self.usage.add("score", len(requests), sum(truncated), started)
        return [
            score_of(number, request, found[number], truncated[number], details)
            for number, request in enumerate(requests)
        ]

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Refused: raises NotApplicable."""
        raise NotApplicable("an encoder generates no text")

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return self.tokens.count(texts)

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        return self.tokens.shorten(text, tokens, keep)

    def _score_lines(self, lines: Sequence[Line], path: str) -> list[list[Value]]:
        """Values of the tokens of each line's continuation.

        Lines masked to the same copy share its pass, with those of the call before too.
        """
        copies: dict[Row, dict[Target, Value]] = {}
        places: list[list[tuple[dict[Target, Value], Target]]] = []
        for line in lines:
            places.append([])
            for span in spans(line, path):
                copy = copies.setdefault(self.masker.masked(line, span), {})
                for at in range(span.start, span.scored):
                    target = (at, line.ids[at])
                    copy[target] = MISSING
                    places[-1].append((copy, target))
        rows = []
        for row, copy in copies.items():
            known = self.known.get(row, {})
            copy.update((target, known[target]) for target in copy.keys() & known.keys())
            if copy.keys() - known.keys():
                rows.append(row)

        def work(batch: list[int]) -> None:
            chosen = [rows[number] for number in batch]
            self._batch(chosen, [copies[row] for row in chosen])

        self.budget.run([len(row) for row in rows], work, padding=self.pads)
        self.known = copies
        return [[copy[target] for copy, target in of_line] for of_line in places]

    @torch.inference_mode()
    def _batch(self, rows: Sequence[Row], wanted: Sequence[dict[Target, Value]]) -> None:
        """Fill in the targets of masked copies that go through the network together."""
        # Continuations of one length share a copy, so a place can have several targets.
        places: dict[tuple[int, int], int] = {}
        index, tokens = [], []
        for line, targets in enumerate(wanted):
            for at, token in targets:
                index.append(places.setdefault((line, at), len(places)))
                tokens.append(token)
        lines, positions = torch.tensor(list(places), device=self.model.device).T
        logits = self.logits(self._inputs(rows), lines, positions).float()
        # One fused kernel; `logsumexp` and a difference take twice as long on a processor or more.
        found = iter(read_off(logits.log_softmax(1), index, tokens))
        for targets in wanted:
            targets.update(zip(list(targets), found, strict=False))
        self.usage.tokens += sum(len(row) for row in rows)

    def _inputs(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """What the network is fed: rows padded on the right, and a mask of the padding."""
        ids, mask = pad_rows(rows, self.tokens.pad)
        device = self.model.device
        return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}

    def _padding_is_unseen(self, row: Row) -> bool:
        """Whether a row's logits are the same beside a longer one.

        Convolutions and Fourier transforms see padding whatever the mask says: rows of one length
        alone go through such networks together.
        """
        short = row[:-1]
        lines, positions = torch.tensor([0, 0]), torch.tensor([1, len(short) - 1])
        alone = self.logits(self._inputs([short]), lines, positions)
        beside = self.logits(self._inputs([short, row]), lines, positions)
        return close(alone, beside)
