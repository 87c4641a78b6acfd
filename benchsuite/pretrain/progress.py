"""How far a pretraining run is, and what that decides: the phase, and when a copy is kept."""

from dataclasses import dataclass, field
from typing import Any

from benchsuite.pretrain.recipe import Budget, Length, Recipe

FIRST_SNAPSHOT = 64


@dataclass
class State:
    """Where a run stands; with weights, optimizers and generator, all that resuming needs.

    phases: what was read of the text at hand, in order, each with its `length`, `shifted`, `rows`
    and `tokens`. earlier: the texts read before it, as `texts.texts_of` has them.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    phases: list[dict[str, Any]] = field(default_factory=list)
    hardware: dict[str, float] = field(default_factory=dict)
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def spend(self, seconds: float, hardware: str) -> None:
        """Count time, and on which machine and threads it was spent."""
        self.seconds += seconds
        self.hardware[hardware] = self.hardware.get(hardware, 0.0) + seconds

    def turn_to_other_text(self, texts: list[dict[str, Any]]) -> None:
        """Count from here on for another text. texts: what was read up to here."""
        self.earlier, self.phases = texts, []

    def read(self, phase: Length, rows: int, tokens: int) -> None:
        """Count what a step has read."""
        kind = {"length": phase.length, "shifted": phase.shifted}
        if not self.phases or self.phases[-1] != {**self.phases[-1], **kind}:
            self.phases.append({**kind, "rows": 0, "tokens": 0})
        self.phases[-1]["rows"] += rows
        self.phases[-1]["tokens"] += tokens
        self.tokens += tokens

    def rows(self) -> dict[int, int]:
        """Rows read of the text at hand, by length."""
        found: dict[int, int] = {}
        for phase in self.phases:
            found[phase["length"]] = found.get(phase["length"], 0) + phase["rows"]
        return found

    def all_phases(self) -> list[dict[str, Any]]:
        """What was read of all texts."""
        return [*(phase for text in self.earlier for phase in text["phases"]), *self.phases]

    def machines(self) -> str:
        """What the run was made on; of several, with the hours of each."""
        if len(self.hardware) < 2:
            return "".join(self.hardware)
        return "; ".join(f"{name} ({s / 3600:.2f} h)" for name, s in self.hardware.items())


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
    """Steps 64, 96, 128, 192, ...: two an octave, about evenly spaced on a logarithmic axis."""
    doublings = max(step // FIRST_SNAPSHOT, 1).bit_length() - 1
    return step in (FIRST_SNAPSHOT << doublings, 3 * (FIRST_SNAPSHOT << doublings) // 2)
