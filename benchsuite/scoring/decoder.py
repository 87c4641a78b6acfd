"""The engine for decoders: exact log-likelihoods and greedy continuations.

A continuation's score is the sum of log p(token | everything before it). `tokens.py` says where a
continuation begins, `plan.py` and `packing.py` what goes through the network together, `passes.py`
runs it; here they meet.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from benchsuite.errors import CellFailed
from benchsuite.scoring.budget import Budget, as_out_of_memory, too_large
from benchsuite.scoring.greedy import continue_greedily
from benchsuite.scoring.packing import lay_out, plan_packed
from benchsuite.scoring.passes import Passes, shortened
from benchsuite.scoring.paths import resolve_path
from benchsuite.scoring.plan import (
    MIN_SAVING,
    Job,
    Row,
    common_length,
    merge_rows,
    plan_rows,
)
from benchsuite.scoring.tokens import Encoded, Tokens
from benchsuite.scoring.types import Request, Score, Usage
from benchsuite.scoring.values import MISSING, Value, score_of

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# A token to score in a row: the position whose output predicts it, and its id.
Target = tuple[int, int]
# Tokens that all requests must begin with for their keys and values to be kept for the next call.
PREFIX = 64
# A processor is fastest with as many tokens at once as its caches hold, and little padding: 2 to 3
# times as fast as with 8,192 (GPT-2 of 7 million parameters, SST-2 and BLiMP).
CPU_TOKENS_A_THREAD = 512
# Numbers of the largest mask of a packed line: its tokens times what each might see.
MASK_NUMBERS = 2048**2


class DecoderScorer:
    """Scores and generates with a causal language model.

    Scores do not depend on batch, order or padding (float32: within 1e-4 nats, and 1e-7 a token
    of long continuations). batch_tokens: at most so many tokens in a batch, padding counted;
    lowered for good when the device runs out of memory. Not thread-safe.
    """

    def __init__(self, model: Model, batch_tokens: int = 8192) -> None:
        self.model = model
        self.tokens = Tokens(model.tokenizer)
        self.budget = Budget(batch_tokens, model.device, None)
        self.family = "decoder"
        # A row holds all tokens but the last, and one that begins the text.
        self.max_length = model.max_length - max(0, len(self.tokens.start) - 1)
        self.usage = Usage()
        try:
            with as_out_of_memory():
                self.passes = Passes(model, self.tokens.pad)
        except torch.OutOfMemoryError:
            raise too_large(model.device) from None
        self.packed = self.passes.packs
        # The beginning of all requests of the last call, with its keys and values: a task's
        # demonstrations stand before every one of its requests.
        self.keeps = True
        self.prefix: Row = ()
        self.prefix_cache: Any = None

    def score(
        self, requests: list[Request], path: str | None = None, details: bool = False
    ) -> list[Score]:
        """Log-likelihoods (nats) of every continuation, in the order given.

        Raises CellFailed, naming the request, for a continuation that has no token or is longer
        than the window, and for a score that is not finite.
        """
        resolve_path(self.family, path)
        started = time.perf_counter()
        encoded = self.tokens.encode(requests)
        rows = [self._row(one) for one in encoded]
        targets: list[list[Target]] = []
        for one, row in zip(encoded, rows, strict=True):
            first = len(row) - one.scored
            targets.append([(first + at, token) for at, token in enumerate(one.ids[one.split :])])
        found: list[list[list[Value]]] = [[] for _ in requests]
        truncated = [False] * len(requests)
        values = self._values(rows, targets)
        for one, row, read in zip(encoded, rows, values, strict=True):
            found[one.request].append(read)
            truncated[one.request] |= len(row) < len(one.ids) - 1
        self.usage.add("score", len(requests), sum(truncated), started)
        return [
            score_of(number, request, found[number], truncated[number], details)
            for number, request in enumerate(requests)
        ]

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations of contexts, each cut before the first of `stop` in it.

        A context that leaves no room for max_new_tokens loses tokens on the left (counted).
        """
        room = self.model.max_length - max_new_tokens
        if room < 1:
            raise CellFailed(
                f"{max_new_tokens} new tokens do not fit the window of {self.model.name}, "
                f"{self.model.max_length} tokens"
            )
        started = time.perf_counter()
        whole = self.tokens.encode_contexts(contexts)
        rows = [ids[-room:] for ids in whole]
        unique = list(dict.fromkeys(rows))
        found: dict[Row, str] = {}

        def work(batch: list[int]) -> None:
            chosen = [unique[number] for number in batch]
            texts, fed = continue_greedily(
                self.model, chosen, self.tokens.pad, stop, max_new_tokens
            )
            found.update(zip(chosen, texts, strict=True))
            self.usage.tokens += sum(len(row) + fed for row in chosen)

        self.budget.run([len(row) + max_new_tokens for row in unique], work)
        self.usage.add("generate", len(contexts), sum(len(ids) > room for ids in whole), started)
        return [found[row] for row in rows]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own, nothing added."""
        return self.tokens.count(texts)

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        return self.tokens.shorten(text, tokens, keep)

    def _row(self, one: Encoded) -> Row:
        """What is fed: all but the last token, the context cut on the left to fit the window."""
        window = self.model.max_length
        if one.scored > window:
            raise CellFailed(
                f"request {one.request}: a continuation of {one.scored} tokens is longer than the "
                f"window of {self.model.name}, {window} tokens"
            )
        return one.ids[:-1][-window:]

    def _values(
        self, rows: Sequence[Row], targets: Sequence[Sequence[Target]]
    ) -> list[list[Value]]:
        """The values of each row's targets."""
        values: list[list[Value]] = [[] for _ in rows]
        border = self.passes.border
        beyond = [border is not None and len(row) > border for row in rows]
        # Beyond the border positions differ: such a row does not begin with a shorter one's states.
        for side in (False, True):
            numbers = [number for number, one in enumerate(beyond) if one == side]
            owner, merged = merge_rows([rows[number] for number in numbers])
            wanted: list[dict[Target, Value]] = [{} for _ in merged]
            for number, place in zip(numbers, owner, strict=True):
                wanted[place].update(dict.fromkeys(targets[number], MISSING))
            self._fill(merged, wanted)
            for number, place in zip(numbers, owner, strict=True):
                values[number] = [wanted[place][target] for target in targets[number]]
        return values

    def _fill(self, rows: Sequence[Row], wanted: Sequence[dict[Target, Value]]) -> None:
        """Score every wanted target of every row (sorted, none the beginning of another)."""
        if not rows:
            return
        # States are wanted from a row's first target on: what comes before may be cached.
        free = [min(at for at, _ in places) for places in wanted]
        longest = max(map(len, rows))
        packed = self.passes.packs_to(longest)
        # A local layer's own cache forgets what a shorter beginning would still look at.
        keeping = packed or (self.passes.shares_to(longest) and self.passes.reach is None)
        before = 0
        try:
            with as_out_of_memory():
                before = self._keep_prefix(rows, min(free), packed, keeping and self.keeps)
        except torch.OutOfMemoryError:
            self.keeps = False
            self.prefix, self.prefix_cache = (), None
            # Not the end yet: without them there are shorter passes.
            self.budget.lower(2, min(free))
        jobs = self._plan([row[before:] for row in rows], [at - before for at in free], before)
        while jobs:
            job = jobs.pop(0)
            try:
                with as_out_of_memory():
                    self._run(job, rows, wanted)
            except torch.OutOfMemoryError:
                jobs[:0] = self._halves(job, rows)

    def _plan(self, rows: Sequence[Row], free: Sequence[int], before: int) -> list[Job]:
        """What goes through together; rows: what follows `before` kept tokens."""
        device = self.model.device
        budget = at_once = self.budget.tokens
        if device == "cpu":
            at_once = min(at_once, CPU_TOKENS_A_THREAD * torch.get_num_threads())
        if self.packed:
            # most * (before + most) numbers
            most = min(budget, int((before**2 / 4 + MASK_NUMBERS) ** 0.5 - before / 2))
            if self.passes.reach is not None:
                most = min(most, self.passes.reach - before)
            return plan_packed(rows, free, before, at_once, most, self.passes.pair_cost)
        shares = self.passes.shares_to(before + max(map(len, rows)))
        saving = MIN_SAVING[device] if shares else None
        return plan_rows(rows, free, before, budget, at_once, saving)

    def _keep_prefix(self, rows: Sequence[Row], free: int, packed: bool, keeping: bool) -> int:
        """Keep keys and values of what all rows begin with; its length, 0 where it is too short."""
        if packed != self.packed:
            self.packed, self.prefix, self.prefix_cache = packed, (), None
        common = min(common_length(rows[0], rows[-1]), free)
        known = common_length(self.prefix, rows[0][:common])
        if not keeping or common < PREFIX or (len(rows) == 1 and known < PREFIX):
            self.prefix, self.prefix_cache = (), None
            return 0
        if known < len(self.prefix):
            # Only the last call's requests had the rest in common.
            cache = shortened(self.prefix_cache, known)
            self.prefix, self.prefix_cache = self.prefix[:known], cache
        if common - known >= PREFIX and len(rows) > 1:
            cache = self._cached(rows[0][:common])
            self.prefix, self.prefix_cache = rows[0][:common], cache
        return len(self.prefix)

    def _cached(self, ids: Row) -> Any:
        """Keys and values of the first tokens of a text, continued from what is kept."""
        known = len(self.prefix)
        if ids[:known] != self.prefix:
            known = 0
        if known == len(ids):
            return self.prefix_cache
        self.usage.tokens += len(ids) - known
        cache = self.prefix_cache if known else None
        return self.passes.cached(ids[known:], cache, known, self.packed)

    def _run(
        self,
        job: Job,
        rows: Sequence[Row],
        wanted: Sequence[dict[Target, Value]],
    ) -> None:
        """Score the wanted targets of a job's rows, whose first `shared` tokens are the same."""
        cache = self._cached(rows[job.lines[0][0]][: job.shared]) if job.shared else None
        lines = [lay_out([rows[number][job.shared :] for number in line]) for line in job.lines]
        states = self.passes.states(lines, cache, job.shared, self.packed)
        self.usage.tokens += sum(len(line.ids) for line in lines)

        # Several targets can be read off one place.
        spots: dict[tuple[int, int], list[tuple[int, Target]]] = {}
        for at, (line, numbers) in enumerate(zip(lines, job.lines, strict=True)):
            for places, number in zip(line.places, numbers, strict=True):
                for target in wanted[number]:
                    spot = (at, places[target[0] - job.shared])
                    spots.setdefault(spot, []).append((number, target))
        index = torch.tensor(list(spots), dtype=torch.long, device=states.device)
        picked = states[index[:, 0], index[:, 1]]
        asked = [
            (at, number, target)
            for at, those in enumerate(spots.values())
            for number, target in those
        ]
        read = self.passes.values(
            picked, [at for at, _, _ in asked], [token for _, _, (_, token) in asked]
        )
        for (_, number, target), value in zip(asked, read, strict=True):
            wanted[number][target] = value

    def _halves(self, job: Job, rows: Sequence[Row]) -> list[Job]:
        """Two halves of a job that did not fit the memory."""
        numbers = [number for line in job.lines for number in line]
        self.budget.lower(len(numbers), sum(len(rows[number]) for number in numbers))
        if len(job.lines) > 1:
            middle = len(job.lines) // 2
            return [Job(job.shared, job.lines[:middle]), Job(job.shared, job.lines[middle:])]
        (line,) = job.lines
        middle = len(line) // 2
        return [Job(job.shared, (line[:middle],)), Job(job.shared, (line[middle:],))]
