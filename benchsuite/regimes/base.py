"""What a regime is: how a model is brought to a task. One file a regime beside this one."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from benchsuite.cells import RegimeCall, format_value
from benchsuite.errors import InputError
from benchsuite.tasks.example import Example, Prediction

if TYPE_CHECKING:
    from benchsuite.cells import Cell
    from benchsuite.models.registry import Model
    from benchsuite.tasks.task import SplitData, Task


class Options(BaseModel):
    """Options of a regime (`name:key=value+key=value`).

    Unknown keys are refused, and values of another type: `true` is no number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


@dataclass(slots=True)
class Variant:
    """Predictions under one prompt and one way of scoring: a result row each.

    prompt: the prompt's name, "" where a regime has none. score: a scoring path (`sum`, `cloze`,
    `pll`, `pll_within_word`, `span`, `whole_span`), or `pmi`, `calibrated`, `generate`, `cosine`,
    `head`. norm: none, token, byte. primary: whether the headline takes it in; the others are
    result rows beside it.
    predictions: one an example, in the order given.
    counts: additive facts to be recorded (`truncated`, `candidates`, `gold_covered`, ...).
    """

    prompt: str
    score: str
    norm: str
    predictions: list[Prediction]
    primary: bool = True
    counts: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class Predictor(Protocol):
    """A model ready to answer.

    It may have `progress`, a callable that is told how many further examples are done, `usage`,
    what its scoring engine has done so far, `parameters_trained`, their exact number where its
    state holds more than them (a threshold), and `seconds_earlier`, what processes that were killed
    had spent on fitting it.
    """

    def predict(self, examples: list[Example]) -> list[Variant]:
        """One variant a prompt (or score), each with a prediction an example."""
        ...

    def state(self) -> dict[str, Any]:
        """Tensors that were trained, by name; empty for zero-shot."""
        ...


class Regime(Protocol):
    """A way of bringing a model to a task. Writes no record, prints nothing.

    It may have `check_model(call, ref)`, called with how it was called and a `ModelRef` before
    anything runs: InputError where that model cannot take the options; `told`, a callable that
    hears of every training step (`training.loop.Progress`); where its state can be kept,
    `load(model, task, cell, state) -> Predictor`; `clear(scratch)`, called once the record stands;
    `tunable`, True where `--tune` can search its option `lr`; `prompted`, False where neither
    prompts nor `--score` matter to it; `depends_on`, settings of a cell beyond the usual ones that
    its results depend on; and `key_facts(cell, family)`, what else they do (of the machine, say).
    """

    name: ClassVar[str]
    version: ClassVar[int]
    summary: ClassVar[str]
    trains: ClassVar[str]
    source: ClassVar[str]
    options: ClassVar[type[Options]]
    positional: ClassVar[str | None]
    randomized: ClassVar[bool]

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """Why this regime cannot be used for the task and family, or None when it can."""
        ...

    def labels_used(self, task: Task, cell: Cell) -> int:
        """How many labelled examples fit looks at."""
        ...

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """Training-side slices that fit looks at (`train`, `selection`): for key and provenance."""
        ...

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> Predictor:
        """Bring the model to the task; whatever is chosen is chosen on the selection slice.

        scratch: the cell's own folder; it need not exist yet.
        """
        ...


def read_options(regime: Regime, call: RegimeCall) -> Options:
    """The options of `regime` as it was called, defaults filled in.

    Raises InputError on an unknown option, a positional one where the regime has none, and a
    value that the option cannot take.
    """
    known = list(regime.options.model_fields)
    given: dict[str, Any] = {}
    for key, value in call.options.items():
        name = key or regime.positional
        if name is None:
            raise InputError(
                f"regime '{call.name}' takes no value of its own ('{format_value(value)}'); "
                + (f"its options: {', '.join(known)}" if known else "it has no options")
            )
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(known) or 'none'}"
            raise InputError(f"regime '{call.name}' has no option '{name}'; {hint}")
        if name in given:
            raise InputError(f"regime '{call.name}': option '{name}' is given twice")
        given[name] = value
    try:
        return regime.options.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        value = format_value(given[name]) if name in given else "missing"
        raise InputError(f"regime '{call.name}': option '{name}={value}': {first['msg']}") from None
