"""The engine for decoders: exact log-likelihoods and greedy continuations.

A continuation's score is the sum of log p(token | everything before it). `tokens.py` says where a
continuation begins, `plan.py` what goes through the network together; here is the arithmetic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache

from benchsuite.errors import CellFailed
from benchsuite.scoring.greedy import continue_greedily
from benchsuite.scoring.plan import MIN_SAVING, Group, Row, batches, group_rows, merge_rows
from benchsuite.scoring.tokens import Encoded, Tokens
from benchsuite.scoring.types import Request, Score, Usage

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# A token to score in a row: the position whose output predicts it, and its id.
Target = tuple[int, int]
# Positions whose logits are taken at a time: vocabularies are wide.
HEAD_ROWS = 512
# A processor is fastest with as many tokens at once as its caches hold, and little padding: 2 to 3
# times as fast as with 8,192 (GPT-2 of 7 million parameters, SST-2 and BLiMP).
CPU_TOKENS_A_THREAD = 512


class DecoderScorer:
    """Scores and generates with a causal language model.

    Scores do not depend on batch, order or padding (float32: within 1e-4 nats). batch_tokens:
    at most so many tokens in a batch, padding counted; lowered for good when the device runs out
    of memory.
    """

    def __init__(self, model: Model, batch_tokens: int = 8192) -> None:
        self.model = model
        self.network: Any = model.network
        self.tokens = Tokens(model.tokenizer)
        self.max_length = model.max_length
        self.batch_tokens = batch_tokens
        self.family = "decoder"
        self.usage = Usage()
        self.plain_head, self.shares = self._probe()

    def score(
        self, requests: list[Request], path: str | None = None, details: bool = False
    ) -> list[Score]:
        """Log-likelihoods (nats) of every continuation, in the order given.

        Raises CellFailed, naming the request, for a continuation that has no token or is longer
        than the window, and for a score that is not finite.
        """
        started = time.perf_counter()
        encoded = self.tokens.encode(requests)
        rows = [self._row(one) for one in encoded]
        owner, merged = merge_rows(rows)
        wanted: list[dict[Target, float]] = [{} for _ in merged]
        targets: list[list[Target]] = []
        for one, row, number in zip(encoded, rows, owner, strict=True):
            first = len(row) - one.scored
            targets.append([(first + at, token) for at, token in enumerate(one.ids[one.split :])])
            wanted[number].update(dict.fromkeys(targets[-1], math.nan))
        self._fill(merged, wanted)

        totals: list[list[float]] = [[] for _ in requests]
        counts: list[list[int]] = [[] for _ in requests]
        truncated = [False] * len(requests)
        for one, row, number, places in zip(encoded, rows, owner, targets, strict=True):
            # In double precision: the sum of n equal terms is exactly n times the term.
            total = sum(wanted[number][place] for place in places)
            if not math.isfinite(total):
                raise CellFailed(
                    f"request {one.request}: the log-likelihood of a continuation is {total}"
                )
            totals[one.request].append(total)
            counts[one.request].append(one.scored)
            truncated[one.request] |= len(row) < len(one.ids) - 1
        self._account("score", len(requests), sum(truncated), started)
        return [
            Score(
                log_likelihoods=tuple(totals[number]),
                token_counts=tuple(counts[number]),
                byte_counts=tuple(len(text.encode()) for text in request.continuations),
                truncated=truncated[number],
            )
            for number, request in enumerate(requests)
        ]

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations of contexts, each cut before the first of `stop` in it.

        A context that leaves no room for max_new_tokens loses tokens on the left (counted).
        """
        room = self.max_length - max_new_tokens
        if room < 1:
            raise CellFailed(
                f"{max_new_tokens} new tokens do not fit the window of {self.model.name}, "
                f"{self.max_length} tokens"
            )
        started = time.perf_counter()
        whole = self.tokens.encode_contexts(contexts)
        rows = [ids[-room:] for ids in whole]
        unique = list(dict.fromkeys(rows))
        found: dict[Row, str] = {}
        queue = list(batches([len(row) + max_new_tokens for row in unique], self.batch_tokens))
        while queue:
            batch = queue.pop(0)
            chosen = [unique[number] for number in batch]
            try:
                texts = continue_greedily(self.model, chosen, self.tokens.pad, stop, max_new_tokens)
            except torch.OutOfMemoryError:
                queue[:0] = self._halve(batch, len(chosen[0]) + max_new_tokens)
                continue
            found.update(zip(chosen, texts, strict=True))
            self.usage.tokens += sum(len(row) for row in chosen)
            self.usage.tokens += sum(self.tokens.count(texts))
        self._account("generate", len(contexts), sum(len(ids) > room for ids in whole), started)
        return [found[row] for row in rows]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return self.tokens.count(texts)

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        return self.tokens.shorten(text, tokens, keep)

    def _row(self, one: Encoded) -> Row:
        """What is fed: all but the last token, the context cut on the left to fit the window."""
        if one.scored > self.max_length:
            raise CellFailed(
                f"request {one.request}: a continuation of {one.scored} tokens is longer than the "
                f"window of {self.model.name}, {self.max_length} tokens"
            )
        return one.ids[:-1][-self.max_length :]

    def _fill(self, rows: Sequence[Row], wanted: Sequence[dict[Target, float]]) -> None:
        """Score every wanted target of every row, in place."""
        jobs: list[Group] = []
        alone: Sequence[int] = range(len(rows))
        if self.shares:
            jobs, alone = group_rows(rows, self.batch_tokens, MIN_SAVING[self.model.device])
        at_once = self.batch_tokens
        if self.model.device == "cpu":
            at_once = min(at_once, CPU_TOKENS_A_THREAD * torch.get_num_threads())
        for batch in batches([len(rows[number]) for number in alone], at_once):
            jobs.append(Group(0, tuple(alone[number] for number in batch)))
        while jobs:
            job = jobs.pop(0)
            try:
                self._fill_group(job, rows, wanted)
            except torch.OutOfMemoryError:
                longest = max(len(rows[number]) for number in job.rows)
                jobs[:0] = [
                    Group(job.shared, tuple(half)) for half in self._halve(job.rows, longest)
                ]

    @torch.inference_mode()
    def _fill_group(
        self, group: Group, rows: Sequence[Row], wanted: Sequence[dict[Target, float]]
    ) -> None:
        """Score the wanted targets of rows whose first `shared` tokens are the same."""
        shared, cache, begin = group.shared, None, None
        if shared:
            begin, cache = self._states([rows[group.rows[0]][:shared]], use_cache=True)
            cache.batch_repeat_interleave(len(group.rows))
        tails = [rows[number][shared:] for number in group.rows]
        states, _ = self._states(tails, cache, shared, use_cache=cache is not None)
        self.usage.tokens += shared + sum(len(tail) for tail in tails)

        everything = [
            (line, number, target)
            for line, number in enumerate(group.rows)
            for target in wanted[number]
        ]
        late = [one for one in everything if one[2][0] >= shared]
        lines = torch.tensor([line for line, _, _ in late], dtype=torch.long)
        positions = torch.tensor([at - shared for _, _, (at, _) in late], dtype=torch.long)
        picked = states[lines, positions]
        if begin is not None:
            early = [one for one in everything if one[2][0] < shared]
            before = begin[0, torch.tensor([at for _, _, (at, _) in early], dtype=torch.long)]
            late, picked = early + late, torch.cat([before, picked])
        for start in range(0, len(late), HEAD_ROWS):
            part = late[start : start + HEAD_ROWS]
            logits = picked[start : start + HEAD_ROWS]
            if self.plain_head:
                logits = self.network.get_output_embeddings()(logits)
            logits = logits.float()
            tokens = torch.tensor([token for _, _, (_, token) in part], device=logits.device)
            values = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(1)
            for (_, number, target), value in zip(part, values.tolist(), strict=True):
                wanted[number][target] = value

    def _states(
        self,
        rows: Sequence[Row],
        cache: DynamicCache | None = None,
        before: int = 0,
        use_cache: bool = False,
    ) -> tuple[Tensor, Any]:
        """States (rows, longest, width) of right-padded rows after `before` cached tokens.

        States are last hidden states, or logits where the head is not plain. Returns the cache too.
        """
        longest = max(len(row) for row in rows)
        ids = torch.tensor([row + (self.tokens.pad,) * (longest - len(row)) for row in rows])
        network = self.network.base_model if self.plain_head else self.network
        outputs = network(
            input_ids=ids.to(self.model.device),
            # Causal attention does not look to the right, so padding there needs no masking.
            attention_mask=ids.new_ones(len(rows), before + longest).to(self.model.device),
            use_cache=use_cache,
            **({} if cache is None else {"past_key_values": cache}),
        )
        states = outputs.last_hidden_state if self.plain_head else outputs.logits
        return states, getattr(outputs, "past_key_values", None)

    @torch.inference_mode()
    def _probe(self) -> tuple[bool, bool]:
        """(whether logits are the output matrix times the last hidden state, whether keys and
        values can be shared).

        Models that scale or cap their logits go through their own forward pass instead.
        """
        ids = torch.arange(3, device=self.model.device)[None]
        mask = torch.ones_like(ids)
        whole = self.network(input_ids=ids, attention_mask=mask, use_cache=True)
        base = self.network.base_model(input_ids=ids, attention_mask=mask)
        head, states = (
            self.network.get_output_embeddings(),
            getattr(base, "last_hidden_state", None),
        )
        plain = head is not None and states is not None and torch.equal(head(states), whole.logits)
        return plain, type(getattr(whole, "past_key_values", None)) is DynamicCache

    def _halve(self, rows: Sequence[int], longest: int) -> list[Any]:
        """Two halves of a batch that did not fit the memory; later batches are no larger."""
        if len(rows) == 1:
            raise CellFailed(
                f"one text does not fit the memory of {self.model.device}; "
                "lower --max-length or use --dtype bfloat16"
            )
        self.batch_tokens = max(1, min(self.batch_tokens, len(rows) * longest // 2))
        middle = len(rows) // 2
        return [rows[:middle], rows[middle:]]

    def _account(self, phase: str, requests: int, truncated: int, started: float) -> None:
        self.usage.requests += requests
        self.usage.truncated += truncated
        seconds = time.perf_counter() - started
        self.usage.by_phase[phase] = self.usage.by_phase.get(phase, 0.0) + seconds
