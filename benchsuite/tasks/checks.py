"""What the parts of a task file must agree on, beyond their types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, meta

from benchsuite.tasks.kinds import (
    CANONICAL_FIELDS,
    METHODS,
    METRICS,
    PROMPT_KEYS,
    SCORES,
    SpecError,
)
from benchsuite.tasks.prompts import ENVIRONMENT

if TYPE_CHECKING:
    from benchsuite.tasks.spec import Dataset, Prompt, Suite, TaskSpec


_LEARNED = ("kind", "labels", "range")
"""What a task must have in common with the one whose training it uses."""


def check_dataset(dataset: Dataset) -> None:
    """Raise SpecError unless the source, its configs and its splits agree."""
    if bool(dataset.path) == bool(dataset.files):
        raise SpecError("name either `path` (a hub dataset) or `files` (local), not both")
    if dataset.path and not dataset.configs:
        raise SpecError("a hub dataset needs `configs` (often [default])")
    for key in ("configs", "concat", "splits", "revision", "verified"):
        if dataset.files and key in dataset.model_fields_set:
            raise SpecError(f"`{key}` goes with a hub dataset, not with `files`", key)
    if len(dataset.configs) > 1 and dataset.concat is None:
        raise SpecError("several `configs` need `concat: pool` or `concat: mean`", "configs")
    if len(dataset.configs) != len(set(dataset.configs)):
        raise SpecError("a config is named twice", "configs")
    if dataset.verified and not re.fullmatch("[0-9a-f]{40}", dataset.revision):
        raise SpecError("only a commit hash of 40 digits can be verified", "verified")
    if not dataset.eval_splits:
        raise SpecError("at least one split must be scored", "eval_splits")
    if len(dataset.eval_splits) != len(set(dataset.eval_splits)):
        raise SpecError("a split is named twice", "eval_splits")
    for split, rows in dataset.rows.items():
        for config in rows if isinstance(rows, dict) else ():
            if config not in dataset.configs:
                raise SpecError(f"`{config}` is not one of the configs", "rows", split, config)
    if dataset.train_from and dataset.train_split:
        raise SpecError("`train_from` goes with `train_split: null`", "train_from")
    if dataset.train_split in dataset.eval_splits:
        raise SpecError("a split that is scored cannot be trained on", "train_split")
    for split in dataset.eval_splits if dataset.files else ():
        if split not in dataset.files:
            raise SpecError(f"`files` lacks the scored split `{split}`", "files")
    if dataset.files and dataset.train_split and dataset.train_split not in dataset.files:
        raise SpecError(
            f"`files` lacks `{dataset.train_split}`; write `train_split: null` if there is none",
            "files",
        )


def check_task(task: TaskSpec) -> None:
    """Raise SpecError unless fields, labels, metrics and prompts suit the kind."""
    if task.kind == "generation":
        raise SpecError("kind `generation` is reserved and cannot be run yet", "kind")
    _check_fields(task)
    for place, metric in enumerate(task.metrics):
        if metric not in METRICS[task.kind] and ":" not in metric:
            raise SpecError(
                f"metric `{metric}` is not one of {_listed(METRICS[task.kind])}",
                "metrics",
                place,
            )
    if len(task.metrics) != len(set(task.metrics)):
        raise SpecError("a metric is named twice", "metrics")
    _check_labels(task)
    if (task.kind == "regression") != (task.range is not None):
        raise SpecError("`range: [low, high]` goes with kind regression, no other", "range")
    if task.range is not None and not task.range[0] < task.range[1]:
        raise SpecError("`range` is [low, high] with low below high", "range")
    if task.similarity and not (task.is_pair and len(task.labels) in (0, 2)):
        raise SpecError("`similarity` goes with pairs and two labels or a number", "similarity")
    if task.group_names and task.group is None:
        raise SpecError("`group_names` need `group`", "group_names")
    if task.truncation is not None:
        _check_truncation(task, task.truncation.shorten)
    names = [prompt.name for prompt in task.prompts]
    if len(names) != len(set(names)):
        raise SpecError(f"prompt names repeat: {_listed(names)}", "prompts")
    for place, prompt in enumerate(task.prompts):
        _check_prompt(task, prompt, place)


def train_from_fault(task: TaskSpec, source: TaskSpec) -> str | None:
    """Why what is learned from the examples of `source` would not answer the task's, if so."""

    def inputs(spec: TaskSpec) -> list[str]:
        return sorted({*spec.fields} - {"id"})

    compared = {name: (getattr(task, name), getattr(source, name)) for name in _LEARNED}
    for name, (here, there) in {**compared, "fields": (inputs(task), inputs(source))}.items():
        if here != there:
            return (
                f"key `dataset.train_from`: `{name}` is {here} here and {there} in {source.id}; "
                "they must be the same"
            )
    return None


def check_suite(suite: Suite) -> None:
    """Raise SpecError unless its caps speak of its tasks."""
    if len(suite.tasks) != len(set(suite.tasks)):
        raise SpecError("a task is named twice", "tasks")
    for task in suite.limits:
        if task not in suite.tasks:
            raise SpecError(f"`{task}` is not a task of this suite", "limits", task)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _check_fields(task: TaskSpec) -> None:
    """Raise SpecError unless the mapped fields are those of the kind."""
    required, optional, answer = CANONICAL_FIELDS[task.kind]
    needed = [*required, *([answer] if answer else [])]
    allowed = [*needed, *optional, "id"]
    for name in task.fields:
        if name not in allowed:
            close = get_close_matches(name, allowed, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            raise SpecError(
                f"field `{name}` is not one of kind {task.kind}: {_listed(allowed)}{hint}",
                "fields",
                name,
            )
    for name in needed:
        if name not in task.fields:
            raise SpecError(f"kind {task.kind} needs a column for `{name}`", "fields")


def _check_labels(task: TaskSpec) -> None:
    """Raise SpecError unless the labels suit the kind."""
    if task.kind in ("classification", "tagging"):
        if len(task.labels) < 2:
            raise SpecError(f"kind {task.kind} needs at least two `labels`", "labels")
    elif task.labels:
        raise SpecError(f"kind {task.kind} has no `labels`", "labels")
    if len(task.labels) != len(set(task.labels)):
        raise SpecError("a label is named twice", "labels")
    if task.positive is not None and task.positive not in task.labels:
        raise SpecError(
            f"positive `{task.positive}` is not one of the labels {_listed(task.labels)}",
            "positive",
        )
    if task.kind != "tagging":
        return
    if "O" not in task.labels:
        raise SpecError("the tags need `O`", "labels")
    for place, tag in enumerate(task.labels):
        if tag != "O" and not re.fullmatch("[BI]-.+", tag):
            raise SpecError(f"tag `{tag}` is not IOB2: O, B-TYPE or I-TYPE", "labels", place)
        if tag.startswith("I-") and f"B{tag[1:]}" not in task.labels:
            raise SpecError(f"tag `{tag}` lacks its `B{tag[1:]}`", "labels", place)


def _check_prompt(task: TaskSpec, prompt: Prompt, place: int) -> None:
    """Raise SpecError when a prompt lacks what its method needs, or has what it never reads."""
    methods = METHODS[task.kind]
    here = ("prompts", place)
    if prompt.method not in methods:
        raise SpecError(
            f"method {prompt.method} is not one of kind {task.kind}: {_listed(methods)}",
            *here,
            "method",
        )
    for key in sorted(prompt.model_fields_set - {"name", "method", "template", "why"}):
        if key not in PROMPT_KEYS[prompt.method]:
            raise SpecError(f"method {prompt.method} does not read `{key}`", *here, key)
    if prompt.method == "cloze" and set(prompt.verbalizers) != set(task.labels):
        raise SpecError(
            f"verbalizers must name exactly the labels {_listed(task.labels)}", *here, "verbalizers"
        )
    if prompt.method == "entity" and set(prompt.verbalizers) != {*task.entity_types, "O"}:
        raise SpecError(
            f"verbalizers must name exactly {_listed([*task.entity_types, 'O'])}",
            *here,
            "verbalizers",
        )
    if prompt.method == "rating" and len(prompt.ratings) < 2:
        raise SpecError("method rating needs at least two `ratings`", *here, "ratings")
    if prompt.method == "choice" and prompt.continuation is None:
        raise SpecError("method choice needs `continuation`", *here, "continuation")
    if prompt.method == "threshold" and len(task.labels) != 2:
        raise SpecError("method threshold needs exactly two labels", *here, "method")
    if "\n" in prompt.why.strip():
        raise SpecError("a reason is one line", *here, "why")
    _check_score(prompt, here)
    if prompt.method == "generate" and not all(prompt.stop):
        raise SpecError("an empty text stops nothing", *here, "stop")
    _check_template(prompt.template, _variables(task, prompt, "template"), (*here, "template"))
    if prompt.continuation is not None:
        where = (*here, "continuation")
        _check_template(prompt.continuation, _variables(task, prompt, "continuation"), where)
    _check_continuations(prompt, here)


def _check_score(prompt: Prompt, here: tuple[str | int, ...]) -> None:
    """Raise SpecError unless the score is one of the method's and has what it needs."""
    scores = SCORES[prompt.method]
    if "score" in prompt.model_fields_set and prompt.score not in scores:
        raise SpecError(
            f"score {prompt.score} is not one of method {prompt.method}: {_listed(scores)}",
            *here,
            "score",
        )
    if prompt.score == "pmi" and prompt.premise is None:
        raise SpecError("score pmi needs a `premise`", *here, "score")
    if prompt.score != "likelihood" and prompt.norm != "none":
        raise SpecError(f"score {prompt.score} is divided by nothing; drop `norm`", *here, "norm")
    if prompt.premise is not None:
        where = (*here, "premise")
        if not prompt.premise.strip() or prompt.premise != prompt.premise.rstrip():
            raise SpecError("a premise is not empty and does not end in white space", *where)
        if "{{" in prompt.premise or "{%" in prompt.premise:
            raise SpecError("a premise is plain text, the same for all examples", *where)


def _check_truncation(task: TaskSpec, shortened: str) -> None:
    """Raise SpecError unless the field is one that can lose words and stay what it is."""
    if task.kind == "minimal_pair":
        raise SpecError("minimal pairs are not shortened", "truncation")
    fixed = ("id", "options", CANONICAL_FIELDS[task.kind][2])
    allowed = [name for name in task.fields if name not in fixed]
    if shortened not in allowed:
        raise SpecError(
            f"`{shortened}` cannot be shortened, only {_listed(allowed)}", "truncation", "shorten"
        )


def _variables(task: TaskSpec, prompt: Prompt, key: str) -> set[str]:
    """What a template may name."""
    if prompt.method == "pair":
        return {"text"}
    answer = CANONICAL_FIELDS[task.kind][2]
    inputs = {name for name in task.fields if name not in ("id", answer)}
    if key == "continuation":
        inputs.add("option")
    return inputs | ({"span", "sentence"} if prompt.method == "entity" else set())


def _check_template(template: str, allowed: set[str], where: tuple[str | int, ...]) -> None:
    """Raise SpecError unless the template is sound Jinja over the allowed variables."""
    try:
        ENVIRONMENT.from_string(template)
    except TemplateSyntaxError as error:
        raise SpecError(f"the template is not valid Jinja: {error.message}", *where) from None
    for name in sorted(meta.find_undeclared_variables(ENVIRONMENT.parse(template)) - allowed):
        close = get_close_matches(name, allowed, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise SpecError(
            f"the template names `{name}`, which is not one of {_listed(sorted(allowed))}{hint}",
            *where,
        )
    if template != template.rstrip():
        raise SpecError(
            "the template ends with white space; continuations begin with it instead "
            "(after `template: |` write `|-`)",
            *where,
        )


def _continuations(prompt: Prompt) -> Iterator[tuple[str, str, str]]:
    """(prompt key, key below it, continuation) of everything that is scored after a template."""
    for label, words in prompt.verbalizers.items():
        for word in [words] if isinstance(words, str) else words:
            yield "verbalizers", label, word
    for word in prompt.ratings:
        yield "ratings", word, word
    if prompt.continuation is not None:
        yield "continuation", "", prompt.continuation


def _check_continuations(prompt: Prompt, here: tuple[str | int, ...]) -> None:
    """Raise SpecError on continuations that are empty, run into the template, or are shared."""
    for label, words in prompt.verbalizers.items():
        if not words:
            raise SpecError(f"label `{label}` has no continuation", *here, "verbalizers", label)
    seen: set[str] = set()
    for key, below, text in _continuations(prompt):
        where = (*here, key, *([below] if below else []))
        if not text.strip():
            raise SpecError("a continuation may not be empty", *where)
        if text[0].isascii() and (text[0].isalnum() or text[0] == "{"):
            raise SpecError(
                f"the continuation `{text}` runs into the template; begin it with a space", *where
            )
        if text in seen:
            raise SpecError(f"the continuation `{text}` stands for two answers", *where)
        seen.add(text)
