"""The engine for decoders: exact log-likelihoods and greedy continuations.

A continuation's score is the sum of log p(token | everything before it). Context and continuation
are tokenized once, together; a token that straddles their boundary belongs to the continuation.
What is fed to the network is planned in `plan.py`; here is the arithmetic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from benchsuite.errors import CellFailed
from benchsuite.scoring.plan import MIN_SAVING, Group, Row, batches, group_rows, merge_rows
from benchsuite.scoring.types import Request, Score, Usage

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# A token to score in a row: the position whose output predicts it, and its id.
Target = tuple[int, int]
# Positions whose logits are taken at a time: vocabularies are wide.
HEAD_ROWS = 512


class DecoderScorer:
    """Scores and generates with a causal language model.

    Scores do not depend on batch, order or padding (float32: within 1e-4 nats). batch_tokens:
    tokens of a batch, padding counted; halved for good when the device runs out of memory.
    """

    def __init__(self, model: Model, batch_tokens: int = 8192) -> None:
        self.model = model
        self.network: Any = model.network
        self.tokenizer: Any = model.tokenizer
        self.max_length = model.max_length
        self.batch_tokens = batch_tokens
        self.usage = Usage()
        self.prefix, self.start = _starting_tokens(self.tokenizer)
        # Any token can pad: padding is to the right of, or masked from, everything scored.
        self.pad: int = next(
            number
            for number in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
            if number is not None
        )
        self.plain_head = self._has_plain_head()

    def score(self, requests: list[Request]) -> list[Score]:
        """Log-likelihoods (nats) of every continuation, in the order given.

        Raises CellFailed, naming the request, for a continuation that is empty, has no token, or
        is longer than the window, and for a score that is not finite.
        """
        started = time.perf_counter()
        encoded = self._encode(requests)
        rows: list[Row] = []
        spans: list[tuple[int, int]] = []
        truncated = [False] * len(requests)
        for (index, _), (ids, split) in encoded.items():
            count = len(ids) - split
            if count > self.max_length:
                raise CellFailed(
                    f"request {index}: a continuation of {count} tokens is longer than the "
                    f"window of {self.model.name}, {self.max_length} tokens"
                )
            # The last token is scored but never fed, so one more than the window can be kept.
            kept = ids[-(self.max_length + 1) :]
            truncated[index] |= len(kept) < len(ids)
            rows.append(kept[:-1])
            spans.append((len(kept) - count, len(kept)))
        owner, merged = merge_rows(rows)
        wanted: list[dict[Target, float]] = [{} for _ in merged]
        targets: list[list[Target]] = []
        for number, (first, end), (ids, _) in zip(owner, spans, encoded.values(), strict=True):
            tokens = ids[len(ids) - (end - first) :]
            targets.append([(first - 1 + i, token) for i, token in enumerate(tokens)])
            wanted[number].update(dict.fromkeys(targets[-1], math.nan))
        self._fill(merged, wanted)
        found: list[list[tuple[float, int]]] = [[] for _ in requests]
        for (index, _), number, places in zip(encoded, owner, targets, strict=True):
            # In double precision: the sum of n equal terms is exactly n times the term.
            total = sum(wanted[number][place] for place in places)
            if not math.isfinite(total):
                raise CellFailed(
                    f"request {index}: the log-likelihood of a continuation is {total}"
                )
            found[index].append((total, len(places)))
        self.usage.requests += len(requests)
        self.usage.truncated += sum(truncated)
        self._clock("score", started)
        return [
            Score(
                log_likelihoods=tuple(total for total, _ in results),
                token_counts=tuple(count for _, count in results),
                byte_counts=tuple(len(text.encode()) for text in request.continuations),
                truncated=cut,
            )
            for request, results, cut in zip(requests, found, truncated, strict=True)
        ]

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations of contexts, each cut before the first of `stop` in it.

        A context that leaves no room for max_new_tokens loses tokens on the left (counted).
        """
        if max_new_tokens >= self.max_length:
            raise CellFailed(
                f"{max_new_tokens} new tokens do not fit the window of {self.model.name}, "
                f"{self.max_length} tokens"
            )
        started = time.perf_counter()
        room = self.max_length - max_new_tokens
        whole = [
            (self.prefix + tuple(ids)) or self.start
            for ids in self.tokenizer(contexts, add_special_tokens=False)["input_ids"]
        ]
        rows = [ids[-room:] for ids in whole]
        unique = list(dict.fromkeys(rows))
        done: dict[Row, str] = {}
        queue = list(batches([len(row) + max_new_tokens for row in unique], self.batch_tokens))
        while queue:
            batch = queue.pop(0)
            try:
                texts = self._generate([unique[number] for number in batch], stop, max_new_tokens)
            except torch.OutOfMemoryError:
                queue[:0] = self._halve(batch)
                continue
            done.update(zip([unique[number] for number in batch], texts, strict=True))
        self.usage.requests += len(contexts)
        self.usage.truncated += sum(len(ids) > room for ids in whole)
        self._clock("generate", started)
        return [done[row] for row in rows]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        offsets = self._offsets([text])[0]
        for count in range(min(tokens, len(offsets)), 0, -1):
            if count == len(offsets):
                return text
            # A token begins where the one before it ends; offsets may leave out its space.
            if keep == "start":
                part = text[: offsets[count - 1]]
            else:
                part = text[offsets[len(offsets) - count - 1] :]
            # A part may fall into more tokens than it had inside the whole.
            if self.count_tokens([part])[0] <= tokens:
                return part
        return ""

    # Tokens ---------------------------------------------------------------------------------

    def _offsets(self, texts: list[str]) -> list[list[int]]:
        """The end of each token, in characters of its text."""
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        return [[end for _, end in offsets] for offsets in encoded["offset_mapping"]]

    def _encode(self, requests: Sequence[Request]) -> dict[tuple[int, int], tuple[Row, int]]:
        """(request, continuation) -> token ids and the index of the first one to score."""
        places = [
            (index, place, len(request.context), request.context + continuation)
            for index, request in enumerate(requests)
            for place, continuation in enumerate(request.continuations)
        ]
        if not places:
            return {}
        encoded = self.tokenizer(
            [text for *_, text in places], add_special_tokens=False, return_offsets_mapping=True
        )
        found: dict[tuple[int, int], tuple[Row, int]] = {}
        for (index, place, border, _), ids, offsets in zip(
            places, encoded["input_ids"], encoded["offset_mapping"], strict=True
        ):
            split = next((i for i, (_, end) in enumerate(offsets) if end > border), len(ids))
            if split == len(ids):
                raise CellFailed(f"request {index}: continuation {place} has no token to score")
            before = self.start if split == 0 else self.prefix
            found[index, place] = (before + tuple(ids), len(before) + split)
        return found

    # The network ----------------------------------------------------------------------------

    def _fill(self, rows: Sequence[Row], wanted: Sequence[dict[Target, float]]) -> None:
        """Score every wanted target of every row, in place."""
        jobs, alone = group_rows(rows, self.batch_tokens, MIN_SAVING[self.model.device])
        for batch in batches([len(rows[number]) for number in alone], self.batch_tokens):
            jobs.append(Group(0, tuple(alone[number] for number in batch)))
        while jobs:
            job = jobs.pop(0)
            try:
                self._fill_group(job, rows, wanted)
            except torch.OutOfMemoryError:
                jobs[:0] = [Group(job.shared, half) for half in self._halve(job.rows)]

    @torch.inference_mode()
    def _fill_group(
        self, group: Group, rows: Sequence[Row], wanted: Sequence[dict[Target, float]]
    ) -> None:
        """Score the wanted targets of rows whose first `shared` tokens are the same."""
        shared, cache = group.shared, None
        if shared:
            begin, cache = self._states([rows[group.rows[0]][:shared]], None, use_cache=True)
            cache.batch_repeat_interleave(len(group.rows))
        tails = [rows[number][shared:] for number in group.rows]
        states, _ = self._states(tails, cache, use_cache=cache is not None)
        picked: list[Tensor] = []
        for line, number in enumerate(group.rows):
            for position, _ in wanted[number]:
                inside = position >= shared
                picked.append(states[line, position - shared] if inside else begin[0, position])
        places = [(number, target) for number in group.rows for target in wanted[number]]
        tokens = torch.tensor([token for _, (_, token) in places], device=states.device)
        for start in range(0, len(places), HEAD_ROWS):
            part = slice(start, start + HEAD_ROWS)
            logits = torch.stack(picked[part])
            if self.plain_head:
                logits = self.network.get_output_embeddings()(logits)
            logits = logits.float()
            chosen = logits.gather(1, tokens[part, None])[:, 0] - logits.logsumexp(1)
            for (number, target), value in zip(places[part], chosen.tolist(), strict=True):
                wanted[number][target] = value
        self.usage.tokens += shared + sum(len(tail) for tail in tails)

    def _states(self, rows: Sequence[Row], cache: Any, use_cache: bool) -> tuple[Tensor, Any]:
        """Last hidden states (rows, longest, width) of right-padded rows, or logits; the cache."""
        longest = max(len(row) for row in rows)
        ids = torch.tensor([row + (self.pad,) * (longest - len(row)) for row in rows])
        before = cache.get_seq_length() if cache is not None else 0
        network = self.network.base_model if self.plain_head else self.network
        outputs = network(
            input_ids=ids.to(self.model.device),
            # Causal attention does not look to the right, so padding there needs no masking.
            attention_mask=ids.new_ones(len(rows), before + longest).to(self.model.device),
            past_key_values=cache,
            use_cache=use_cache,
        )
        states = outputs.last_hidden_state if self.plain_head else outputs.logits
        return states, outputs.past_key_values if use_cache else None

    @torch.inference_mode()
    def _has_plain_head(self) -> bool:
        """Whether logits are just the output matrix times the last hidden state.

        Not so for models that scale or cap their logits; their own forward pass is then used.
        """
        head = self.network.get_output_embeddings()
        if head is None or self.network.base_model is self.network:
            return False
        ids = torch.arange(3, device=self.model.device)[None]
        states = self.network.base_model(input_ids=ids, use_cache=False)
        if getattr(states, "last_hidden_state", None) is None:
            return False
        logits = self.network(input_ids=ids, use_cache=False).logits
        return torch.equal(head(states.last_hidden_state), logits)

    @torch.inference_mode()
    def _generate(self, rows: Sequence[Row], stop: list[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations of left-padded rows."""
        longest = max(len(row) for row in rows)
        device = self.model.device
        ids = torch.tensor([(self.pad,) * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        decode = partial(
            self.tokenizer.batch_decode,
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        outputs = self.network.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=self.pad,
            stopping_criteria=StoppingCriteriaList([_Stopped(decode, stop, longest)]),
        )
        self.usage.tokens += sum(len(row) for row in rows) + outputs[:, longest:].numel()
        return [_cut(text, stop) for text in decode(outputs[:, longest:])]

    def _halve(self, rows: Sequence[int]) -> list[Any]:
        """Two halves of a batch that did not fit the memory; later batches are smaller too."""
        if len(rows) == 1:
            raise CellFailed(
                f"one text does not fit the memory of {self.model.device}; "
                "lower --max-length or use --dtype bfloat16"
            )
        self.batch_tokens = max(1, self.batch_tokens // 2)
        middle = len(rows) // 2
        return [rows[:middle], rows[middle:]]

    def _clock(self, phase: str, started: float) -> None:
        seconds = time.perf_counter() - started
        self.usage.by_phase[phase] = self.usage.by_phase.get(phase, 0.0) + seconds


class _Stopped(StoppingCriteria):
    """Ends a row as soon as its new text holds one of the stop strings."""

    def __init__(self, decode: Callable[[Tensor], list[str]], stop: list[str], begin: int) -> None:
        self.decode, self.stop, self.begin = decode, stop, begin

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        texts = self.decode(input_ids[:, self.begin :])
        held = [any(one in text for one in self.stop) for text in texts]
        return torch.tensor(held, device=input_ids.device)


def _cut(text: str, stop: Sequence[str]) -> str:
    """The part of text before the first of the stop strings."""
    return text[: min([len(text), *(text.find(one) for one in stop if one in text)])]


def _starting_tokens(tokenizer: Any) -> tuple[Row, Row]:
    """(tokens the tokenizer itself puts before a text, tokens that stand for an empty context)."""
    plain = tuple(tokenizer("a", add_special_tokens=False)["input_ids"])
    full = tuple(tokenizer("a")["input_ids"])
    for place in range(1, len(full) - len(plain) + 1):
        if full[place : place + len(plain)] == plain:
            return full[:place], full[:place]
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return (), (token,)
    raise CellFailed("the tokenizer names no token that begins a text (bos or eos)")
