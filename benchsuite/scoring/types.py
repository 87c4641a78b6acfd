"""The one request type of the scoring engine and its one result."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from benchsuite.errors import InputError


@dataclass(frozen=True, slots=True)
class Request:
    """Score each of `continuations` after `context` (both raw text, boundaries included).

    An empty context stands for the start of a text. No continuation may be empty.

    Raises InputError for what is no text, a lone surrogate included, and for a single string in
    the place of several continuations.
    """

    context: str
    continuations: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.continuations, str):
            raise InputError(
                f"continuations are several texts: give ({self.continuations!r},), not "
                f"{self.continuations!r}"
            )
        for text in (self.context, *self.continuations):
            if not isinstance(text, str):
                raise InputError(f"a request is made of texts, not of {text!r}")
            try:
                text.encode()
            except UnicodeEncodeError:
                raise InputError(
                    f"half a surrogate pair in {text[:60]!r}: the text was cut or decoded wrongly"
                ) from None


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one request, an entry a continuation.

    log_likelihoods: nats, summed over the continuation's tokens. token_counts: tokens scored.
    byte_counts: UTF-8 bytes of the continuation as given. truncated: whether the context lost
    tokens on the left to fit the window.
    Filled where details were asked for, else empty: tokens, the scored tokens' log-likelihoods in
    their order (they add up to the sum); greedy, whether each of those tokens was the likeliest
    one at its place.
    """

    log_likelihoods: tuple[float, ...]
    token_counts: tuple[int, ...]
    byte_counts: tuple[int, ...]
    truncated: bool = False
    tokens: tuple[tuple[float, ...], ...] = ()
    greedy: tuple[bool, ...] = ()


@dataclass(slots=True)
class Usage:
    """What an engine has done so far: for the cost part of a record."""

    requests: int = 0
    tokens: int = 0
    truncated: int = 0
    by_phase: dict[str, float] = field(default_factory=dict)

    def add(self, phase: str, requests: int, truncated: int, started: float) -> None:
        """Add a call: `score` or `generate`, begun at `started` of `time.perf_counter`."""
        self.requests += requests
        self.truncated += truncated
        seconds = time.perf_counter() - started
        self.by_phase[phase] = self.by_phase.get(phase, 0.0) + seconds


class Scorer(Protocol):
    """What a zero-shot predictor asks of a model: an engine, or an oracle in tests.

    max_length: tokens of text that fit the window beside those an engine adds itself.
    """

    family: str
    max_length: int
    usage: Usage

    def score(
        self, requests: list[Request], path: str | None = None, details: bool = False
    ) -> list[Score]:
        """Score requests, results in the order given.

        path: one of `paths.PATHS` of the family; None: its first. details: fill `Score.tokens`
        and `Score.greedy`.
        """
        ...

    def generate(self, contexts: list[str], stop: list[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations, each cut before the first of `stop`."""
        ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own."""
        ...

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        ...
