"""Prompts: Jinja templates rendered in a sandbox, and inputs shortened to fit a model's window.

Rendering is pure: no globals, no randomness, and the text of an example is only ever a value,
never a template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from benchsuite.errors import CellFailed, InputError
from benchsuite.scoring.types import Request, Scorer
from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import CANONICAL_FIELDS, Prompt, TaskSpec, Truncation

_ENV = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
_ENV.globals.clear()  # `lipsum` is random, the others are not needed
del _ENV.filters["random"]

# What stands for a field where a prompt is shortened: the tokens are read as a sentence.
_SHORTENED = {"tokens": "sentence"}


@lru_cache(maxsize=256)
def _template(source: str) -> jinja2.Template:
    return _ENV.from_string(source)


def variables(task: TaskSpec) -> list[str]:
    """Names a template of the task may use (`option` also, in a choice's continuation)."""
    if task.kind == "minimal_pair":
        return ["text"]
    if task.kind == "tagging":
        return ["sentence", "span", "tokens"]
    required, optional, _ = CANONICAL_FIELDS[task.kind]
    return sorted([*required, *(name for name in optional if name in task.fields)])


def check_templates(task: TaskSpec) -> None:
    """Check every template of a task before anything is run.

    Raises InputError naming the prompt when a template is malformed or uses an unknown variable,
    and when `truncation` names what cannot be shortened.
    """
    known = variables(task)
    for prompt in task.prompts:
        _check_template(task, prompt.name, prompt.template, known)
        if prompt.continuation is not None:
            _check_template(task, prompt.name, prompt.continuation, [*known, "option"])
    if task.truncation is None:
        return
    if task.kind == "minimal_pair":
        raise InputError(f"task '{task.id}': minimal pairs are not shortened; drop `truncation`")
    if task.truncation.shorten not in known or task.truncation.shorten == "options":
        texts = ", ".join(name for name in known if name not in ("options", "sentence", "span"))
        raise InputError(
            f"task '{task.id}': truncation cannot shorten '{task.truncation.shorten}', "
            f"only one of: {texts}"
        )


def _check_template(task: TaskSpec, name: str, source: str, known: Sequence[str]) -> None:
    where = f"task '{task.id}': prompt '{name}'"
    try:
        _template(source)
        used = meta.find_undeclared_variables(_ENV.parse(source))
    except jinja2.TemplateError as error:
        raise InputError(f"{where}: {error}") from None
    for variable in sorted(used - set(known)):
        near = get_close_matches(variable, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(known)}"
        raise InputError(f"{where}: unknown variable '{variable}'; {hint}")


def render(prompt: Prompt, source: str, values: Mapping[str, Any]) -> str:
    """Render `source` (a template of `prompt`) with an example's values.

    Raises CellFailed naming the prompt where the template cannot take these values.
    """
    try:
        return _template(source).render(values)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise CellFailed(f"prompt '{prompt.name}' cannot be rendered: {error}") from None


def values_of(task: TaskSpec, example: Example) -> dict[str, Any]:
    """An example's canonical fields as a template sees them (tagging: and `sentence`)."""
    values = dict(example.fields)
    if task.kind == "tagging":
        values["sentence"] = " ".join(values["tokens"])
    return values


def select_prompts(task: TaskSpec, names: Sequence[str] | None) -> list[Prompt]:
    """The prompts of a task with these names, in the task's order; all of them for None.

    Raises InputError, with a suggestion, for a name that the task does not have.
    """
    if names is None:
        return list(task.prompts)
    known = [prompt.name for prompt in task.prompts]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(known) or 'none'}"
            raise InputError(f"task '{task.id}' has no prompt '{name}'; {hint}")
    return [prompt for prompt in task.prompts if prompt.name in names]


def fit_to_window(
    values: Mapping[str, Any],
    build: Callable[[Mapping[str, Any]], list[Request]],
    truncation: Truncation | None,
    scorer: Scorer,
    reserve: int = 0,
) -> tuple[list[Request], bool]:
    """Requests built from values, the one field a task names shortened until they fit.

    reserve: tokens to be left free for generation. Everything but the named field stays whole;
    where the rest alone exceeds the window the field is emptied and the engine cuts the context
    on the left. Returns (requests, whether anything was shortened).
    """
    requests = build(values)
    room = scorer.max_length - reserve
    # No token is shorter than a byte, so short requests need no count.
    if truncation is None or all(len(text.encode()) <= room for text in _texts(requests)):
        return requests, False
    excess = max(scorer.count_tokens(_texts(requests))) - room
    if excess <= 0:
        return requests, False
    name = _SHORTENED.get(truncation.shorten, truncation.shorten)
    whole = values[name]
    tokens = scorer.count_tokens([whole])[0]
    while excess > 0 and tokens > 0:
        # Tokens at the seams depend on their neighbours, so one step may not be enough.
        tokens = max(0, tokens - excess)
        part = scorer.shorten(whole, tokens, truncation.keep) if tokens else ""
        requests = build({**values, name: part})
        excess = max(scorer.count_tokens(_texts(requests))) - room
    return requests, True


def _texts(requests: list[Request]) -> list[str]:
    """Whole texts that have to fit: each context with each of its continuations."""
    return [
        request.context + continuation
        for request in requests
        for continuation in request.continuations or ("",)
    ]
