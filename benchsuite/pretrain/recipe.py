"""The recipe: every setting of a pretraining run, as a strict YAML schema."""

import difflib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from benchsuite.errors import InputError
from benchsuite.pretrain.objectives import objective_class
from benchsuite.pretrain.objectives.base import BaseObjective
from benchsuite.pretrain.tokenizer import Kind
from benchsuite.yaml_keys import repeated_keys


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is asked for, not a boolean")
    return value


_Number = BeforeValidator(_no_boolean)
Share = Annotated[float, Field(ge=0, le=1), _Number]
LessThanOne = Annotated[float, Field(ge=0, lt=1), _Number]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), _Number]
Count = Annotated[int, Field(gt=0), _Number]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Architecture(_Strict):
    """A transformers configuration in a few words; embeddings are tied.

    layers: of each stack; `t5` has two. positions: the longest row; `t5` has no position table.
    feed_forward: width of the inner layer; 4 x hidden_size when None. position_table: what the
    learned table begins as; from sinusoids (Vaswani et al. 2017) one linear map reaches the same
    neighbour of every position, from random rows each position has to learn its own.
    first_attention: where heads look before training: anywhere, or each of the first block at one
    neighbouring position (on a sinusoidal table; of `t5`, by its biases, half of all heads).
    """

    type: Literal["gpt2", "bert", "t5"]
    hidden_size: Count
    layers: Count
    heads: Count
    positions: Count
    feed_forward: Count | None = None
    position_table: Literal["random", "sinusoidal"] = "random"
    first_attention: Literal["random", "neighbours"] = "random"
    dropout: LessThanOne = 0.0

    @model_validator(mode="after")
    def _heads_divide(self) -> "Architecture":
        if self.hidden_size % self.heads:
            raise ValueError("heads must divide hidden_size")
        if self.type == "t5" and self.position_table != "random":
            raise ValueError("t5 has no position table")
        if self.first_attention == "neighbours":
            if self.type != "t5" and self.position_table != "sinusoidal":
                raise ValueError("first_attention: neighbours are found on a sinusoidal table only")
            if self.hidden_size // self.heads % 2:
                raise ValueError("first_attention: neighbours need heads of an even width")
        return self


class TokenizerSettings(_Strict):
    """The tokenizer trained on the corpus when no shards are given."""

    kind: Kind = "bpe"
    vocab_size: Count = 8192


class CorpusSettings(_Strict):
    """What is encoded, and what the model card and the records must say about it."""

    tokens: Count | None = None
    mix: dict[str, Positive] | None = None
    seen_in_pretraining: list[str] = []
    licences: list[str] = []


class Budget(_Strict):
    """Exactly one of the two; the learning-rate and length schedules are fitted to it."""

    tokens: Count | None = None
    minutes: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if (self.tokens is None) == (self.minutes is None):
            raise ValueError("give tokens or minutes, one of the two")
        return self


class Length(_Strict):
    """A phase: this share of the budget at this sequence length in tokens.

    shifted: rows begin at a random position, the last of them at the table's end (Kiyono et al.
    2021, "SHAPE: Shifted Absolute Position Embedding for Transformers"), so that short rows train
    the whole of a position table. Else positions that no row has reached yet meet long rows as
    weight decay left them.
    """

    length: Annotated[int, Field(ge=2)]
    share: Annotated[float, Field(gt=0, le=1), _Number]
    shifted: bool = False


class Optimizer(_Strict):
    """`muon`: Muon with rate `lr` for the blocks' matrices, AdamW with `adamw_lr` for the rest.
    `adamw`: AdamW with rate `lr` for all. `adafactor`: likewise Adafactor (Shazeer and Stern 2018),
    whose rate is relative to a parameter's own scale; it has no betas."""

    name: Literal["muon", "adamw", "adafactor"]
    lr: Positive
    adamw_lr: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False), _Number] = 0.1
    betas: tuple[LessThanOne, LessThanOne] = (0.9, 0.95)

    @model_validator(mode="after")
    def _rates(self) -> "Optimizer":
        if (self.name == "muon") != (self.adamw_lr is not None):
            raise ValueError("adamw_lr is for muon, and muon needs it")
        return self


class Schedule(_Strict):
    """Linear warm-up over a share of the budget; then down to `floor` times the peak.

    decay: the share of the budget, at its end, over which the rate goes down; all that follows the
    warm-up when None. Up to there the rate is the peak's, so a run stopped before it can be given
    another budget (Haegele et al. 2024).
    """

    shape: Literal["cosine", "linear"] = "cosine"
    warmup: LessThanOne = 0.02
    decay: Annotated[float, Field(gt=0, le=1), _Number] | None = None
    floor: Share = 0.0

    @model_validator(mode="after")
    def _fits_the_budget(self) -> "Schedule":
        if self.decay is not None and self.warmup + self.decay > 1:
            raise ValueError("warmup and decay exceed the budget")
        return self


class Recipe(_Strict):
    """A whole pretraining run."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    objective: str
    objective_settings: dict[str, Any] = {}
    architecture: Architecture
    tokenizer: TokenizerSettings = TokenizerSettings()
    corpus: CorpusSettings = CorpusSettings()
    budget: Budget
    lengths: Annotated[list[Length], Field(min_length=1)]
    batch_tokens: Count
    accumulation: Count = 1
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    clip: Positive = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**63), _Number] = 0
    checkpoint_minutes: Positive = 5
    validation_tokens: Count = 32768

    @field_validator("objective")
    @classmethod
    def _objective_is_known(cls, name: str) -> str:
        try:
            objective_class(name)
        except InputError as error:
            raise ValueError(str(error)) from None
        return name

    @model_validator(mode="after")
    def _objective_fits(self) -> "Recipe":
        try:
            objective = self.make_objective()
        except ValidationError as error:
            known = list(objective_class(self.objective).model_fields)
            where, what = _first_error(error, known)
            key = f"objective_settings.{where}" if where else "objective_settings"
            raise ValueError(f"{key}: {what}") from None
        if self.architecture.type not in objective.architectures:
            raise ValueError(
                f"{self.objective} trains {', '.join(objective.architectures)}, "
                f"not {self.architecture.type}"
            )
        if min(phase.length for phase in self.lengths) < objective.shortest:
            raise ValueError(
                f"rows of {self.objective} have {objective.shortest} positions or more"
            )
        return self

    def make_objective(self) -> BaseObjective:
        """The objective with its settings."""
        return objective_class(self.objective)(**self.objective_settings)

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        if abs(sum(phase.share for phase in self.lengths) - 1) > 1e-6:
            raise ValueError("the shares in lengths must add up to 1")
        if any(a.length == b.length and a.shifted == b.shifted for a, b in pairwise(self.lengths)):
            raise ValueError("lengths names the same length twice in a row")
        if self.architecture.type == "t5" and any(phase.shifted for phase in self.lengths):
            raise ValueError("shifted is for position tables, and t5 has none")
        for phase in self.lengths:
            if phase.length > self.architecture.positions:
                raise ValueError(f"length {phase.length} exceeds architecture.positions")
            if self.batch_tokens % (phase.length * self.accumulation):
                raise ValueError(
                    f"batch_tokens must be a multiple of length {phase.length} x accumulation"
                )
        return self


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises InputError, one line, naming the file and the key."""
    if not path.is_file():
        raise InputError(f"no recipe {path}; the bundled ones are in baselines/recipes")
    try:
        text = path.read_text()
        content = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or root is None:
        raise InputError(f"{path}: a recipe is a mapping of settings")
    for key, line, first in repeated_keys(root):
        raise InputError(f"{path}:{line}: key `{key}` repeats the one of line {first}")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_line(error)}") from error


def _first_line(error: ValidationError) -> str:
    keys = [str(part) for part in _foremost(error)["loc"]]
    where, what = _first_error(error, _known_keys(keys[:-1]))
    return f"{where or 'recipe'}: {what}"


def _first_error(error: ValidationError, known: list[str]) -> tuple[str, str]:
    """(dotted key, what is wrong with it); for an unknown key, the nearest of the known ones."""
    first = _foremost(error)
    keys = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return ".".join(keys), first["msg"].removeprefix("Value error, ")
    near = difflib.get_close_matches(keys[-1], known, n=1)
    return ".".join(keys), "unknown key" + (f"; did you mean {near[0]}?" if near else "")


def _foremost(error: ValidationError) -> Any:
    """An unknown key before all else: a key that is missing may be the one misspelt."""
    found = error.errors()
    return next((one for one in found if one["type"] == "extra_forbidden"), found[0])


def _known_keys(path: list[str]) -> list[str]:
    """Keys allowed in the section at `path`."""
    section: type[BaseModel] = Recipe
    for key in path:
        if key.isdigit():
            continue
        section = _SECTIONS.get(key, _Strict)
    return list(section.model_fields)


_SECTIONS: dict[str, type[BaseModel]] = {
    "architecture": Architecture,
    "tokenizer": TokenizerSettings,
    "corpus": CorpusSettings,
    "budget": Budget,
    "lengths": Length,
    "optimizer": Optimizer,
    "schedule": Schedule,
}
