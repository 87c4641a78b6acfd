"""The schema of a task file: `tasks/**/*.yaml`, strict, no code per task.

A task says where its examples come from, what kind of answer it wants, how it is prompted and how
it is scored. `docs/adding-a-task.md` walks through one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

KINDS = ("classification", "regression", "tagging", "span", "choice", "minimal_pair")
Kind = Literal[
    "classification", "regression", "tagging", "span", "choice", "minimal_pair", "generation"
]

# Canonical fields of each kind: (inputs always there, inputs that may be there, the answer).
CANONICAL_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str | None]] = {
    "classification": (("text",), ("text_pair",), "label"),
    "regression": (("text",), ("text_pair",), "label"),
    "tagging": (("tokens",), (), "tags"),
    "span": (("context", "question"), ("title",), "answers"),
    "choice": (("question", "options"), ("context",), "label"),
    "minimal_pair": (("good", "bad"), (), None),
}

# Metrics a kind may name; the first a task names is its headline.
METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "matthews", "f1"),
    "regression": ("pearson", "spearman"),
    "tagging": ("entity_f1",),
    "span": ("f1", "em"),
    "choice": ("accuracy",),
    "minimal_pair": ("accuracy",),
}


class Strict(BaseModel):
    """A model that refuses unknown keys and is never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Strict):
    """Where examples come from: a hub dataset (or its mirror), or local files."""

    path: str | None = Field(default=None, description="hub dataset, `owner/name`")
    configs: list[str] = Field(default_factory=list, description="hub configurations")
    revision: str = Field(
        default="unverified",
        description="commit hash on the hub, or `unverified` where it could not be checked",
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

    @model_validator(mode="after")
    def _one_source(self) -> Dataset:
        if bool(self.path) == bool(self.files):
            raise ValueError("name either `path` (a hub dataset) or `files` (local), not both")
        if self.path and not self.configs:
            raise ValueError("a hub dataset needs `configs` (often [default])")
        if len(self.configs) > 1 and self.concat is None:
            raise ValueError("several `configs` need `concat: pool` or `concat: mean`")
        return self


class Truncation(Strict):
    """What is shortened when an input exceeds the window; everything else is kept."""

    shorten: str = Field(description="canonical field that is shortened")
    keep: Literal["start", "end"] = Field(default="start", description="the part that stays")


class Prompt(Strict):
    """One zero-shot prompt. Which keys apply depends on the kind and the method.

    method:
      cloze        context = template; one continuation a label (`verbalizers`), the best wins
      threshold    the rendered template is one text; its mean token log-probability against the
                   median of the selection slice decides between label 0 (below) and 1 (above)
      rating       context = template; expectation of `ratings` under the continuations' probability
      choice       context = template; `continuation` rendered once an option (variable `option`)
      pair         `template` rendered once a sentence (variable `text`); higher sum wins
      generate     greedy continuation of template, cut at the first of `stop`
      entity       template rendered once a candidate span (variable `span`); `verbalizers` name an
                   entity type each, and `O`
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
    norm: Literal["none", "token", "byte"] = Field(
        default="none", description="unit that log-probabilities are divided by"
    )


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
    cluster: str | None = Field(
        default=None,
        description="column or canonical field that examples of one cluster share (the passage)",
    )
    group: str | None = Field(
        default=None, description="column that groups subsets into a further result row each"
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

    @model_validator(mode="after")
    def _kind_agrees(self) -> TaskSpec:
        if self.kind == "generation":
            raise ValueError("kind `generation` is reserved and cannot be run yet")
        required, optional, answer = CANONICAL_FIELDS[self.kind]
        allowed = {*required, *optional, "id"} | ({answer} if answer else set())
        for name in self.fields:
            if name not in allowed:
                raise ValueError(f"field `{name}` is not one of {self.kind}: {sorted(allowed)}")
        for name in (*required, *([answer] if answer else [])):
            if name not in self.fields:
                raise ValueError(f"kind {self.kind} needs a field mapping for `{name}`")
        for metric in self.metrics:
            if metric not in METRICS[self.kind] and ":" not in metric:
                raise ValueError(f"metric `{metric}` is not one of {METRICS[self.kind]}")
        if self.kind in ("classification", "tagging") and len(self.labels) < 2:
            raise ValueError(f"kind {self.kind} needs `labels`")
        if self.positive is not None and self.positive not in self.labels:
            raise ValueError(f"positive `{self.positive}` is not one of the labels {self.labels}")
        if self.kind == "regression" and self.range is None:
            raise ValueError("kind regression needs `range: [low, high]`")
        names = [prompt.name for prompt in self.prompts]
        if len(names) != len(set(names)):
            raise ValueError(f"prompt names repeat: {names}")
        for prompt in self.prompts:
            _check_prompt(self, prompt)
        return self


METHODS: dict[str, tuple[str, ...]] = {
    "classification": ("cloze", "threshold"),
    "regression": ("rating",),
    "tagging": ("entity",),
    "span": ("generate",),
    "choice": ("choice",),
    "minimal_pair": ("pair",),
}


def _check_prompt(task: TaskSpec, prompt: Prompt) -> None:
    """Raise ValueError when a prompt lacks what its method needs."""
    where = f"prompt `{prompt.name}`"
    if prompt.method not in METHODS[task.kind]:
        raise ValueError(f"{where}: method {prompt.method} is not one of {METHODS[task.kind]}")
    if prompt.method == "cloze" and set(prompt.verbalizers) != set(task.labels):
        raise ValueError(f"{where}: verbalizers must name exactly the labels {task.labels}")
    if prompt.method == "entity" and set(prompt.verbalizers) != {*task.entity_types, "O"}:
        raise ValueError(f"{where}: verbalizers must name {[*task.entity_types, 'O']}")
    if prompt.method == "rating" and len(prompt.ratings) < 2:
        raise ValueError(f"{where}: method rating needs `ratings`")
    if prompt.method == "choice" and prompt.continuation is None:
        raise ValueError(f"{where}: method choice needs `continuation`")
    if prompt.method == "threshold" and len(task.labels) != 2:
        raise ValueError(f"{where}: method threshold needs two labels")


class Suite(Strict):
    """A named list of tasks with caps a user can lift (`tasks/suites/*.yaml`)."""

    description: str
    tasks: list[str] = Field(min_length=1)
    limit: int | None = Field(default=None, description="cap of evaluation examples a subset")
    train_limit: int | None = Field(default=None, description="cap of training examples")
    limits: dict[str, int] = Field(
        default_factory=dict, description="task -> its own cap of evaluation examples a subset"
    )
    id: str = Field(default="", exclude=True)
