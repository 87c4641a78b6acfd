"""The engine for encoders: what a masked language model says of tokens it does not see.

`masking.py` says which tokens of a text are masked and which of them scored; here is the
arithmetic. The score of a token is log p(token at its place | the text with the masks in it).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchsuite.errors import CellFailed, NotApplicable
from benchsuite.scoring.budget import Budget
from benchsuite.scoring.gathering import Gathered, close
from benchsuite.scoring.masking import Masker, spans
from benchsuite.scoring.paths import resolve_path
from benchsuite.scoring.plan import Row
from benchsuite.scoring.types import Request, Score, Usage

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# A place in a masked copy, and the token whose log-probability there is wanted.
Target = tuple[int, int]

# Larger batches are no faster on a processor, smaller ones slower (BERT of 7 million parameters).
CPU_TOKENS_A_THREAD = 1024


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
        # Each token to score is a target: its place in a masked copy, and its id. Lines that are
        # masked to the same copy share it.
        copies: dict[Row, list[int]] = {}
        targets: list[Target] = []
        ends = []
        for line in lines:
            for span in spans(line, path):
                of_copy = copies.setdefault(self.masker.masked(line, span), [])
                for at in range(span.start, span.scored):
                    of_copy.append(len(targets))
                    targets.append((at, line.ids[at]))
            ends.append(len(targets))
        values, best = self._values(copies, targets, details)

        found: list[list[slice]] = [[] for _ in requests]
        truncated = [False] * len(requests)
        for line, start, end in zip(lines, [0, *ends], ends, strict=False):
            found[line.request].append(slice(start, end))
            truncated[line.request] |= line.truncated
        scores = []
        for number, (request, parts) in enumerate(zip(requests, found, strict=True)):
            # In double precision: the sum of n equal terms is exactly n times the term.
            totals = tuple(sum(values[part]) for part in parts)
            for total in totals:
                if not math.isfinite(total):
                    raise CellFailed(
                        f"request {number}: the log-likelihood of a continuation is {total}"
                    )
            scores.append(
                Score(
                    log_likelihoods=totals,
                    token_counts=tuple(part.stop - part.start for part in parts),
                    byte_counts=tuple(len(text.encode()) for text in request.continuations),
                    truncated=truncated[number],
                    tokens=tuple(tuple(values[part]) for part in parts) if details else (),
                    greedy=tuple(all(best[part]) for part in parts) if details else (),
                )
            )
        self._account(len(requests), sum(truncated), started)
        return scores

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Refused: raises NotApplicable."""
        raise NotApplicable("an encoder generates no text")

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return self.tokens.count(texts)

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        return self.tokens.shorten(text, tokens, keep)

    def _values(
        self, copies: dict[Row, list[int]], targets: Sequence[Target], details: bool
    ) -> tuple[list[float], list[bool]]:
        """Log-probability (nats) of every target, and, with details, whether none is likelier."""
        rows = list(copies)
        values = [math.nan] * len(targets)
        best = [False] * len(targets)

        def work(batch: list[int]) -> None:
            chosen = [rows[number] for number in batch]
            wanted = [copies[row] for row in chosen]
            batch_values, batch_best = self._batch(
                chosen, [[targets[number] for number in one] for one in wanted], details
            )
            numbers = chain.from_iterable(wanted)
            for number, value, is_best in zip(numbers, batch_values, batch_best, strict=True):
                values[number], best[number] = value, is_best

        self.budget.run([len(row) for row in rows], work, padding=self.pads)
        return values, best

    @torch.inference_mode()
    def _batch(
        self, rows: Sequence[Row], wanted: Sequence[Sequence[Target]], details: bool
    ) -> tuple[list[float], list[bool]]:
        """The same for masked copies that go through the network together, copy by copy."""
        # Continuations of one length share a copy, so a place can have several targets.
        places: dict[tuple[int, int], int] = {}
        index, tokens = [], []
        for line, targets in enumerate(wanted):
            for at, token in targets:
                index.append(places.setdefault((line, at), len(places)))
                tokens.append(token)
        device = self.model.device
        at_place = torch.tensor(index, device=device)
        lines, positions = torch.tensor(list(places), device=device).T
        logits = self.logits(self._inputs(rows), lines, positions).float()
        chosen = logits[at_place, torch.tensor(tokens, device=device)]
        values = chosen - logits.logsumexp(1)[at_place]
        best = [False] * len(index)
        if details:
            best = (chosen == logits.amax(1)[at_place]).tolist()
        self.usage.tokens += sum(len(row) for row in rows)
        return values.tolist(), best

    def _inputs(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """What the network is fed: rows padded on the right, and a mask of the padding."""
        longest = max(len(row) for row in rows)
        padded = torch.tensor([row + (self.tokens.pad,) * (longest - len(row)) for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        mask = (torch.arange(longest) < lengths[:, None]).long()
        device = self.model.device
        return {"input_ids": padded.to(device), "attention_mask": mask.to(device)}

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

    def _account(self, requests: int, truncated: int, started: float) -> None:
        self.usage.requests += requests
        self.usage.truncated += truncated
        seconds = time.perf_counter() - started
        self.usage.by_phase["score"] = self.usage.by_phase.get("score", 0.0) + seconds
