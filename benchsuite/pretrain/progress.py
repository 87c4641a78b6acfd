"""How far a pretraining run is, and what that decides: the phase, and when a copy is kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchsuite.pretrain.recipe import Budget, Length, Recipe

FIRST_SNAPSHOT = 64


@dataclass
class State:
    """Where a run stands; with weights, optimizers and generator, all that resuming needs.

    rows: read of the text at hand, by length. earlier: the texts read to the end of their budget
    before it, each with its `shards` (hash), `tokens`, `distinct_tokens`, `rows` and `corpus`, what
    `shards.json` told.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    rows: dict[int, int] = field(default_factory=dict)
    hardware: dict[str, float] = field(default_factory=dict)
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def spend(self, seconds: float, hardware: str) -> None:
        """Count time, and on which machine and threads it was spent."""
        self.seconds += seconds
        self.hardware[hardware] = self.hardware.get(hardware, 0.0) + seconds

    def turn_to_other_text(self, texts: list[dict[str, Any]]) -> None:
        """Count from here on for another text. texts: what was read up to here."""
        self.earlier, self.rows = texts, {}

    def all_rows(self) -> dict[int, int]:
        """Rows read of all texts, by length."""
        found: Counter[int] = Counter()
        for rows in (*(text["rows"] for text in self.earlier), self.rows):
            found.update({int(length): count for length, count in rows.items()})
        return dict(found)

    def tokens_here(self) -> int:
        """Tokens read of the text at hand."""
        return self.tokens - sum(text["tokens"] for text in self.earlier)

    def machines(self) -> str:
        """What the run was made on; of several, with the hours of each."""
        if len(self.hardware) < 2:
            return "".join(self.hardware)
        return "; ".join(f"{name} ({s / 3600:.2f} h)" for name, s in self.hardware.items())


def tokens_by_source(texts: Sequence[dict[str, Any]]) -> dict[str, int]:
    """About how many tokens of each source were read: a text's rows are drawn evenly from it."""
    found: Counter[str] = Counter()
    for text in texts:
        share = text["tokens"] / text["corpus"]["train_tokens"]
        for name, counts in text["corpus"]["sources"].items():
            found[name] += round(share * counts["train_tokens"])
    return dict(found)


def progress_of(state: State, budget: Budget) -> float:
    """Share of the budget that is used up, by tokens or by minutes of training."""
    if budget.tokens is not None:
        return state.tokens / budget.tokens
    assert budget.minutes is not None  # the schema has one of the two
    return state.seconds / (60 * budget.minutes)


def progress_line(entry: dict[str, Any], state: State, started: State, budget: Budget) -> str:
    """What the terminal shows of a step.

    The time left goes by the pace since `started`, the state that this process began with: what a
    run is resumed on may be faster or slower than what it was begun on.
    """
    done, before = progress_of(state, budget), progress_of(started, budget)
    left = (state.seconds - started.seconds) * max(1 - done, 0.0) / (done - before)
    text = (
        f"step {entry['step']}  {done:.1%}  loss {entry['loss']:.3f}  "
        f"{entry['tokens_per_second']:,.0f} tokens/s  ETA {left / 60:.0f} min"
    )
    if "validation_loss" in entry:
        text += f"  validation {entry['validation_loss']:.3f}"
    return text


def phase_at(progress: float, recipe: Recipe) -> Length:
    """Sequence length in tokens, and what goes with it, at this share of the budget."""
    end = 0.0
    for phase in recipe.lengths:
        end += phase.share
        if progress < end:
            return phase
    return recipe.lengths[-1]


def is_snapshot(step: int) -> bool:
    """Steps 64, 128, 256, ...: evenly spaced on a logarithmic axis."""
    return step >= FIRST_SNAPSHOT and step & (step - 1) == 0
