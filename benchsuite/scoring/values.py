"""From log-probabilities to scores, the same for every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite.errors import CellFailed
from benchsuite.scoring.types import Request, Score

# The log-probability of a token in nats, and whether it is the likeliest one at its place.
Value = tuple[float, bool]
MISSING: Value = (math.nan, False)


def read_off(logs: Tensor, places: Sequence[int], tokens: Sequence[int]) -> list[Value]:
    """The value of tokens[i] at logs[places[i]]; logs: log-probabilities (places, vocabulary).

    Of tokens that tie one is the likeliest, as in lm-eval: the first.
    """
    where = torch.tensor(places, device=logs.device)
    wanted = torch.tensor(tokens, device=logs.device)
    found = logs[where, wanted]
    # On a processor `argmax` takes ten times as long as `amax`, and few tokens come to need it.
    likeliest = found == logs.amax(1)[where]
    tops = likeliest.nonzero()[:, 0]
    likeliest[tops] = logs[where[tops]].argmax(1) == wanted[tops]
    return list(zip(found.tolist(), likeliest.tolist(), strict=True))


def score_of(
    number: int,
    request: Request,
    found: Sequence[Sequence[Value]],
    truncated: bool,
    details: bool,
) -> Score:
    """The result of request `number`; found: the values of its continuations' tokens.

    Raises CellFailed, naming the request, for a score that is not finite.
    """
    # In double precision: the sum of n equal terms is exactly n times the term.
    totals = tuple(sum(value for value, _ in values) for values in found)
    for total in totals:
        if not math.isfinite(total):
            raise CellFailed(f"request {number}: the log-likelihood of a continuation is {total}")
    return Score(
        log_likelihoods=totals,
        token_counts=tuple(len(values) for values in found),
        byte_counts=tuple(len(text.encode()) for text in request.continuations),
        truncated=truncated,
        tokens=tuple(tuple(value for value, _ in values) for values in found) if details else (),
        greedy=tuple(all(best for _, best in values) for values in found) if details else (),
    )
