"""The engine for encoder-decoders: the encoder once a text, the decoder over all that follows it.

`sides.py` says what each side gets; here is the arithmetic. A token's score is log p(token | what
the encoder reads, what the decoder wrote before it).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from benchsuite.errors import CellFailed
from benchsuite.scoring.budget import Budget, as_out_of_memory
from benchsuite.scoring.greedy import continue_greedily
from benchsuite.scoring.padding import pad_rows
from benchsuite.scoring.paths import resolve_path
from benchsuite.scoring.plan import Row, merge_rows
from benchsuite.scoring.sides import Part, Sides
from benchsuite.scoring.types import Request, Score, Usage
from benchsuite.scoring.values import MISSING, Value, read_off, score_of

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# A token to score in a row: the position whose output predicts it, and its id.
Target = tuple[int, int]
# A row of a batch and a position in it.
Place = tuple[int, int]

# In a pass over texts a processor is fastest with as much at once as its caches hold; step by step,
# with many rows.
CPU_TOKENS_A_THREAD = 1024
CPU_WRITING_A_THREAD = 4096
# Decoder tokens in a line of several continuations: attention in it grows with their square.
MAX_PACKED = 512


class EncoderDecoderScorer:
    """Scores and generates with a sequence-to-sequence model.

    Scores do not depend on batch, order or padding (float32: within 1e-4 nats). batch_tokens:
    at most so many tokens in a batch, both sides and padding counted; lowered for good when the
    device runs out of memory.
    """

    def __init__(self, model: Model, batch_tokens: int = 8192) -> None:
        self.model = model
        self.network: Any = model.network
        self.sides = Sides(model)
        self.tokens = self.sides.tokens
        self.max_length = self.sides.max_length
        self.budget = Budget(batch_tokens, model.device, CPU_TOKENS_A_THREAD)
        self.writing = Budget(batch_tokens, model.device, CPU_WRITING_A_THREAD)
        self.family = "encoder-decoder"
        self.usage = Usage()
        self.gathers, self.packed = False, 0
        self._probe()

    def score(
        self, requests: list[Request], path: str | None = None, details: bool = False
    ) -> list[Score]:
        """Log-likelihoods (nats) of every continuation, in the order given.

        path: `sum`, `span` or `whole_span`. What ends a continuation, or a span, counts as a
        token of it, in its place in `Score.tokens` too; `Score.greedy` leaves it aside.
        Raises InputError for another path; CellFailed, naming the request, for a continuation that
        has no token or is longer than the window, and for a score that is not finite.
        """
        path = resolve_path(self.family, path)
        started = time.perf_counter()
        parts = self.sides.parts(requests, path)
        # Longest first, and among equals those that have more for the decoder: little padding.
        size: dict[Row, int] = {}
        for part in parts:
            size[part.source] = max(size.get(part.source, 0), len(part.scored))
        sources = sorted(size, key=lambda source: (-len(source), -size[source]))
        number = {source: place for place, source in enumerate(sources)}
        # The number in front keeps rows of different sources apart.
        owner, rows = merge_rows([(number[part.source], *part.row) for part in parts])
        wanted: list[dict[Target, Value]] = [{} for _ in rows]
        for part, place in zip(parts, owner, strict=True):
            wanted[place].update(dict.fromkeys(_targets(part), MISSING))
        self._fill_all(rows, sources, wanted)

        found: list[list[list[Value]]] = [[[] for _ in one.continuations] for one in requests]
        truncated = [False] * len(requests)
        for part, place in zip(parts, owner, strict=True):
            values = [wanted[place][target] for target in _targets(part)]
            of_text = len(values) - part.ends
            # What ends a text is not of it: its place does not make the text less likely.
            ends = [(value, True) for value, _ in values[of_text:]]
            found[part.request][part.place] += values[:of_text] + ends
            truncated[part.request] |= part.truncated
        self.usage.add("score", len(requests), sum(truncated), started)
        return [
            score_of(number, request, found[number], truncated[number], details)
            for number, request in enumerate(requests)
        ]

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations of contexts, each cut before the first of `stop` in it.

        In spans, the filling of a sentinel after the context, up to the next sentinel. A context
        longer than the window loses tokens on the left (counted).
        """
        if max_new_tokens > self.max_length:
            raise CellFailed(
                f"{max_new_tokens} new tokens do not fit the window of {self.model.name}, "
                f"{self.max_length} tokens"
            )
        started = time.perf_counter()
        whole = self.tokens.encode_contexts(contexts)
        prompts = [self.sides.prompt(ids[-self.max_length :]) for ids in whole]
        sources = list(dict.fromkeys(source for source, _ in prompts))
        given = prompts[0][1] if prompts else ()
        found: dict[Row, str] = {}
        lengths = [len(source) + len(given) + max_new_tokens for source in sources]

        def work(batch: list[int]) -> None:
            chosen = [sources[place] for place in batch]
            texts, fed = continue_greedily(
                self.model, chosen, self.tokens.pad, stop, max_new_tokens, given, self.sides.stops
            )
            found.update(zip(chosen, texts, strict=True))
            self.usage.tokens += sum(len(source) + len(given) + fed for source in chosen)

        self.writing.run(lengths, work)
        cut = sum(len(ids) > self.max_length for ids in whole)
        self.usage.add("generate", len(contexts), cut, started)
        return [found[source] for source, _ in prompts]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return self.tokens.count(texts)

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        return self.tokens.shorten(text, tokens, keep)

    def _fill_all(
        self,
        rows: Sequence[Row],
        sources: Sequence[Row],
        wanted: Sequence[dict[Target, Value]],
    ) -> None:
        """Score every wanted target of every row, in place.

        A row is its source's number and what the decoder is fed. Rows of one source stand
        together, the longest sources first.
        """
        start = 0
        while start < len(rows):
            end, cost = self._batch(rows, sources, start)
            try:
                with as_out_of_memory():
                    self._fill(rows[start:end], sources, wanted[start:end])
            except torch.OutOfMemoryError:
                self.budget.lower(end - start, cost)
            else:
                start = end

    def _batch(self, rows: Sequence[Row], sources: Sequence[Row], start: int) -> tuple[int, int]:
        """Where the batch that begins with row `start` ends, and its tokens.

        Rows of one source stay together where they fit at all: each batch reads it anew.
        """
        width = len(sources[rows[start][0]])
        lines, longest, filled, cost, first, before = 0, 0, 0, 0, start, 0
        for place in range(start, len(rows)):
            tokens = len(rows[place]) - 1
            if place == start or rows[place][0] != rows[place - 1][0]:
                first, before = place, cost
                lines, filled = lines + 1, tokens
            elif filled + tokens > self.packed:
                lines, filled = lines + 1, tokens
            else:
                filled += tokens
            longest = max(longest, filled)
            if lines * (width + longest) > self.budget.tokens and place > start:
                return (first, before) if first > start else (place, cost)
            cost = lines * (width + longest)
        return len(rows), cost

    @torch.inference_mode()
    def _fill(
        self,
        rows: Sequence[Row],
        sources: Sequence[Row],
        wanted: Sequence[dict[Target, Value]],
    ) -> None:
        """Score the wanted targets of rows that go through the network together."""
        numbers = list(dict.fromkeys(row[0] for row in rows))
        line = {number: at for at, number in enumerate(numbers)}
        # Continuations that begin alike share a row, so a place can have several targets.
        index: dict[Place, int] = {}
        picked = [
            (index.setdefault((at, target[0]), len(index)), target, values)
            for at, values in enumerate(wanted)
            for target in values
        ]
        memory, mask = self._encode([sources[number] for number in numbers])
        owners = [line[row[0]] for row in rows]
        logits = self._decode([row[1:] for row in rows], owners, memory, mask, list(index)).float()
        read = read_off(
            logits.log_softmax(1),
            [place for place, _, _ in picked],
            [token for _, (_, token), _ in picked],
        )
        for (_, target, of_row), value in zip(picked, read, strict=True):
            of_row[target] = value
        self.usage.tokens += sum(len(sources[number]) for number in numbers)
        self.usage.tokens += sum(len(row) - 1 for row in rows)

    def _encode(self, sources: Sequence[Row]) -> tuple[Tensor, Tensor | None]:
        """States (sources, longest, width) of right-padded sources, and which are no padding.

        No mask where nothing is padded: attention is faster without.
        """
        ids, mask = pad_rows(sources, self.tokens.pad)
        seen = None if mask.all() else mask.to(self.model.device)
        encoder = self.network.get_encoder()
        states = encoder(ids.to(self.model.device), attention_mask=seen).last_hidden_state
        return states, seen

    def _decode(
        self,
        rows: Sequence[Row],
        owners: Sequence[int],
        memory: Tensor,
        mask: Tensor | None,
        places: Sequence[Place],
    ) -> Tensor:
        """Logits (places, vocabulary); row number i reads memory[owners[i]].

        Rows of one source are packed into a line, where each sees itself alone: the keys and
        values of what the encoder read are computed once a line.
        """
        lines: list[list[int]] = []
        starts: list[tuple[int, int]] = []
        filled = 0
        for number, row in enumerate(rows):
            if number and owners[number] == owners[number - 1] and filled + len(row) <= self.packed:
                lines[-1].append(number)
            else:
                lines.append([number])
                filled = 0
            starts.append((len(lines) - 1, filled))
            filled += len(row)
        if len(lines) > len(memory):
            of_line = torch.tensor([owners[line[0]] for line in lines], device=memory.device)
            memory, mask = memory[of_line], None if mask is None else mask[of_line]
        fed = [sum((rows[number] for number in line), ()) for line in lines]
        ids = pad_rows(fed, self.tokens.pad)[0].to(self.model.device)
        separate = None
        if len(lines) < len(rows):
            separate = self._separation([[len(rows[n]) for n in line] for line in lines], memory)
        line_of, at = torch.tensor(
            [(starts[row][0], starts[row][1] + position) for row, position in places],
            device=self.model.device,
        ).T

        def gather(module: Any, arguments: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[line_of, at][None]
            return output

        # From here on every position is on its own: the head need not see the others.
        decoder = self.network.get_decoder()
        hook = decoder.register_forward_hook(gather) if self.gathers else None
        try:
            logits = self.network(
                encoder_outputs=BaseModelOutput(last_hidden_state=memory),
                attention_mask=mask,
                decoder_input_ids=ids,
                decoder_attention_mask=separate,
                use_cache=False,
            ).logits
        finally:
            if hook is not None:
                hook.remove()
        return logits[0] if self.gathers else logits[line_of, at]

    def _separation(self, lengths: Sequence[Sequence[int]], like: Tensor) -> Tensor:
        """Additive mask (lines, 1, longest, longest) that keeps a line's rows apart.

        Finite, and not boolean: some attention takes a boolean one for numbers.
        """
        longest = max(sum(line) for line in lengths)
        segments = torch.full((len(lengths), longest), -1)
        for at, line in enumerate(lengths):
            numbers = torch.arange(len(line)).repeat_interleave(torch.tensor(line))
            segments[at, : len(numbers)] = numbers
        keep = (segments[:, :, None] == segments[:, None, :]).tril()[:, None]
        mask = torch.zeros(keep.shape, dtype=like.dtype)
        return mask.masked_fill(~keep, torch.finfo(like.dtype).min).to(like.device)

    @torch.inference_mode()
    def _probe(self) -> None:
        """Find out on a few tokens whether states can be gathered before the head, and rows packed.

        A model that then computes something else gets the logits of all positions, or a line for
        every row.
        """
        rows = [self.sides.begin + more for more in ((2, 3, 4), (5, 6), (3,))]
        owners, places = [0, 0, 1], [(0, 2), (1, 1), (1, 2), (2, 0)]
        memory, mask = self._encode([(2, 3, 4), (5, 6)])
        whole = self._decode(rows, owners, memory, mask, places)
        self.gathers = True
        self.gathers = self._agrees(whole, lambda: self._decode(rows, owners, memory, mask, places))
        self.packed = MAX_PACKED
        if not self._agrees(whole, lambda: self._decode(rows, owners, memory, mask, places)):
            self.packed = 0

    def _agrees(self, expected: Tensor, compute: Callable[[], Tensor]) -> bool:
        try:
            found = compute()
        except (RuntimeError, TypeError, AttributeError, IndexError):
            return False
        tolerance = 1e-4 if self.model.dtype == "float32" else 0.05
        return found.shape == expected.shape and torch.allclose(
            found, expected, rtol=tolerance, atol=tolerance
        )


def _targets(part: Part) -> list[Target]:
    """Where a part's tokens are scored in its row."""
    first = len(part.given) - 1
    return [(first + at, token) for at, token in enumerate(part.scored)]
