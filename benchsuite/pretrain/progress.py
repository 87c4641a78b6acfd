"""How far a pretraining run is, and what that decides: the phase, and when a copy is kept."""

from dataclasses import dataclass, field

from benchsuite.pretrain.recipe import Budget, Length, Recipe

FIRST_SNAPSHOT = 64


@dataclass
class State:
    """Where a run stands; with weights, optimizers and generator, all that resuming needs."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    rows: dict[int, int] = field(default_factory=dict)
    hardware: dict[str, float] = field(default_factory=dict)

    def spend(self, seconds: float, hardware: str) -> None:
        """Count time, and on which machine and threads it was spent."""
        self.seconds += seconds
        self.hardware[hardware] = self.hardware.get(hardware, 0.0) + seconds

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
