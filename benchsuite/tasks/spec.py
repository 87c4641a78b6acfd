"""The schema of a task file: `tasks/**/*.yaml`, strict, no code per task.

A task says where its examples come from, what kind of answer it wants, how it is prompted and how
it is scored. `docs/adding-a-task.md` walks through one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchsuite.tasks import checks
from benchsuite.tasks.kinds import (
    CANONICAL_FIELDS,
    UNVERIFIED,
    SpecError,
)

__all__ = [
    "CANONICAL_FIELDS",
    "Dataset",
    "Prompt",
    "SpecError",
    "Suite",
    "TaskSpec",
    "Truncation",
]

Kind = Literal[
    "classification", "regression", "tagging", "span", "choice", "minimal_pair", "generation"
]
Cap = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """A model that refuses unknown keys and is never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Strict):
    """Where examples come from: a hub dataset (or its mirror), or local files."""

    path: str | None = Field(default=None, description="hub dataset, `owner/name`")
    configs: list[str] = Field(default_factory=list, description="hub configurations")
    revision: str = Field(
        default=UNVERIFIED,
        min_length=1,
        description="commit hash or ref on the hub; `unverified`: no revision is pinned",
    )
    verified: bool = Field(
        default=False, description="whether that revision was loaded from the hub and counted"
    )
    files: dict[str, str] = Field(
        default_factory=dict,
        description="split -> CSV, JSONL or parquet file, relative to the YAML",
    )
    splits: dict[str, str] = Field(
        default_factory=dict, description="our split name -> the hub's; default: same names"
    )
    eval_splits: list[str] = Field(
        default_factory=lambda: ["validation"],
        description="splits that are scored; the headline is the mean over them",
    )
    train_split: str | None = Field(default="train", description="null: the task has none")
    train_from: str | None = Field(
        default=None, description="id of the task whose training this task uses (AX: MNLI)"
    )
    concat: Literal["pool", "mean"] | None = Field(
        default=None,
        description="several configs as one task: `pool` scores all examples together, `mean` "
        "takes the unweighted mean over configs; each config is a subset row either way",
    )
    rows: dict[str, int | dict[str, int]] = Field(
        default_factory=dict,
        description="official rows a split (over all configs), or config -> rows",
    )

    @property
    def hub_revision(self) -> str | None:
        """The revision to ask the hub for; None: its main branch."""
        return None if self.revision == UNVERIFIED else self.revision

    @property
    def revision_label(self) -> str:
        """The revision as people read it: marked where it was not verified."""
        if self.revision == UNVERIFIED or self.verified:
            return self.revision
        return f"{self.revision} ({UNVERIFIED})"

    @model_validator(mode="after")
    def _agrees(self) -> Dataset:
        checks.check_dataset(self)
        return self


class Truncation(Strict):
    """What is shortened when an input exceeds the window; everything else is kept."""

    shorten: str = Field(description="canonical field that is shortened")
    keep: Literal["start", "end"] = Field(default="start", description="the part that stays")


class Prompt(Strict):
    """One prompt. Which keys apply depends on the kind and the method.

    method:
      cloze        context = template; one continuation a label (`verbalizers`), the best wins
      threshold    the rendered template is one text; its mean token log-probability against the
                   median of the selection slice decides between label 0 (below) and 1 (above)
      rating       context = template; expectation of `ratings` under the continuations' probability
      choice       context = template; `continuation` rendered once an option (variable `option`)
      pair         `template` rendered once a sentence (variable `text`); higher sum wins
      generate     greedy continuation of template, cut at the first of `stop`
      entity       template rendered once a candidate span (variables `span` and `sentence`, the
                   tokens with spaces between); `verbalizers` name an entity type each, and `O`
    """

    name: str
    method: Literal["cloze", "threshold", "rating", "choice", "pair", "generate", "entity"]
    template: str = Field(description="Jinja, sandboxed; canonical fields are its variables")
    verbalizers: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="label -> continuation, or several whose probabilities are added",
    )
    ratings: dict[str, float] = Field(default_factory=dict, description="continuation -> rating")
    continuation: str | None = None
    stop: list[str] = Field(default_factory=lambda: ["\n"])
    max_new_tokens: Annotated[int, Field(ge=1, le=256)] = 24
    no_answer: list[str] = Field(
        default_factory=list, description="generated texts that mean `no answer`, lower case"
    )
    score: Literal["likelihood", "pmi", "calibrated"] = Field(
        default="likelihood", description="what the answers are compared by"
    )
    premise: str | None = Field(
        default=None, description="text of the domain without an example, for `pmi`"
    )
    norm: Literal["none", "token", "byte"] = Field(
        default="none", description="unit that the log-probabilities of `likelihood` are divided by"
    )
    why: str = Field(default="", description="one line: the source or reason of score and norm")


class TaskSpec(Strict):
    """One task file."""

    version: Annotated[int, Field(ge=1)]
    kind: Kind
    description: str
    citation: str = ""
    licence: str = "unknown"
    dataset: Dataset
    fields: dict[str, str] = Field(description="canonical field -> column")
    labels: list[str] = Field(
        default_factory=list,
        description="names in the column's integer coding (tagging: the IOB2 tags); a column of "
        "strings is matched by name",
    )
    positive: str | None = Field(
        default=None, description="the label F1 speaks of; default: the last one"
    )
    range: tuple[float, float] | None = Field(default=None, description="regression: low, high")
    similarity: bool = Field(
        default=False,
        description="pairs: whether the second label, or a higher number, means that the two "
        "texts say more of the same; then a cosine can answer",
    )
    cluster: str | None = Field(
        default=None,
        description="column or canonical field that examples of one cluster share (the passage)",
    )
    group: str | None = Field(
        default=None, description="column that groups subsets into a further result row each"
    )
    group_names: dict[str, str] = Field(
        default_factory=dict,
        description="spelling in the `group` column -> the group's name, where the data differ",
    )
    metrics: list[str] = Field(min_length=1, description="the first is the headline")
    truncation: Truncation | None = None
    prompts: list[Prompt] = Field(default_factory=list)

    # Set by the registry, not in the file.
    id: str = Field(default="", exclude=True)
    source: str = Field(default="", exclude=True, description="path of the YAML")

    @property
    def is_pair(self) -> bool:
        """Whether a classification or regression task has two texts."""
        return "text_pair" in self.fields

    @property
    def is_mini(self) -> bool:
        """Whether the examples are this project's own small ones."""
        return self.id.startswith("mini/")

    @property
    def headline_metric(self) -> str:
        """The metric a leaderboard shows."""
        return self.metrics[0]

    @property
    def positive_index(self) -> int:
        """Index in `labels` of the class F1 speaks of."""
        return self.labels.index(self.positive) if self.positive else len(self.labels) - 1

    @property
    def entity_types(self) -> list[str]:
        """Entity types of a tagging task, in the order of its labels."""
        return list(dict.fromkeys(tag[2:] for tag in self.labels if tag != "O"))

    def group_name(self, value: str) -> str:
        """The group an example with this value of the `group` column belongs to."""
        return self.group_names.get(value, value)

    @model_validator(mode="after")
    def _agrees(self) -> TaskSpec:
        checks.check_task(self)
        return self


class Suite(Strict):
    """A named list of tasks with caps a user can lift (`tasks/suites/*.yaml`)."""

    description: str
    tasks: list[str] = Field(min_length=1)
    limit: Cap | None = Field(default=None, description="cap of evaluation examples a subset")
    train_limit: Cap | None = Field(default=None, description="cap of training examples")
    limits: dict[str, Cap] = Field(
        default_factory=dict, description="task -> its own cap of evaluation examples a subset"
    )
    id: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _agrees(self) -> Suite:
        checks.check_suite(self)
        return self
