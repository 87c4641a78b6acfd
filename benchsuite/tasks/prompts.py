"""Prompts: Jinja templates rendered in a sandbox, and inputs shortened to fit a model's window.

Rendering is pure: no globals, no randomness, and the text of an example is only ever a value,
never a template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from benchsuite.errors import CellFailed, InputError
from benchsuite.scoring.types import Request
from benchsuite.tasks.example import Example

if TYPE_CHECKING:
    from benchsuite.tasks.spec import Prompt, TaskSpec, Truncation

ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined, keep_trailing_newline=True
)
ENVIRONMENT.globals.clear()  # `lipsum` is random, the others are not needed
del ENVIRONMENT.filters["random"]

# What stands for a field where a prompt is shortened: the tokens are read as a sentence.
_SHORTENED = {"tokens": "sentence"}


@lru_cache(maxsize=256)
def _template(source: str) -> jinja2.Template:
    return ENVIRONMENT.from_string(source)


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


class Window(Protocol):
    """What of a model shortening asks for; every `Scorer` has it."""

    max_length: int

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text on its own."""
        ...

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        """The first (`keep="start"`) or last (`"end"`) part of text of at most `tokens` tokens."""
        ...


def fit_to_window(
    values: Mapping[str, Any],
    build: Callable[[Mapping[str, Any]], list[Request]],
    truncation: Truncation | None,
    scorer: Window,
    reserve: int = 0,
    apart: bool = False,
) -> tuple[list[Request], bool]:
    """Requests built from values, the one field a task names shortened until they fit.

    reserve: tokens to be left free for generation. apart: see `texts_to_fit`. Everything but the
    named field stays whole; where the rest alone exceeds the window the field is emptied and the
    engine cuts the context on the left. Returns (requests, whether anything was shortened).
    """
    requests = build(values)
    room = scorer.max_length - reserve
    # No token is shorter than a byte, so short requests need no count.
    texts = texts_to_fit(requests, apart)
    if truncation is None or all(len(text.encode()) <= room for text in texts):
        return requests, False
    excess = max(scorer.count_tokens(texts)) - room
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
        excess = max(scorer.count_tokens(texts_to_fit(requests, apart))) - room
    return requests, True


def texts_to_fit(requests: Sequence[Request], apart: bool = False) -> list[str]:
    """Texts that each have to fit the window: each context with each of its continuations.

    apart: context and continuation stand on two sides of a model (encoder-decoders), each with a
    window of its own: each of them alone.
    """
    if apart:
        return [text for one in requests for text in (one.context, *one.continuations)]
    return [
        request.context + continuation
        for request in requests
        for continuation in request.continuations or ("",)
    ]
