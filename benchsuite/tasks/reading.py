"""YAML into a strict model, with the line of every fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from benchsuite.tasks.spec import SpecError
from benchsuite.yaml_keys import repeated_keys

Key = str | int
Model = TypeVar("Model", bound=BaseModel)

# The registry sets these; a file that names them is at fault.
NOT_IN_FILES = ("id", "source")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file: what is wrong, and where (lines and columns from 1)."""

    message: str
    line: int
    column: int | None = None

    def line_of(self, path: Path) -> str:
        """The fault as one line, `file:line: message`."""
        where = f"{path}:{self.line}" + (f":{self.column}" if self.column else "")
        return f"{where}: {self.message}"


@dataclass(slots=True)
class Parsed(Generic[Model]):
    """What a file gave: the model, or the faults that forbid one; and where its keys stand."""

    model: Model | None
    faults: list[Fault]
    root: yaml.Node | None = None

    def line(self, where: Sequence[Key]) -> int:
        """Line of a key, or of the nearest thing above it that is in the file."""
        return _line(self.root, where) if self.root else 1


def parse(path: Path, kind: type[Model]) -> Parsed[Model]:
    """Read a YAML file as a model of this kind, by the safe loader; repeated keys are faults."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        return Parsed(None, [Fault(f"cannot be read: {error.strerror}", 1)])
    except UnicodeDecodeError:
        return Parsed(None, [Fault("is not UTF-8 text", 1)])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Parsed(None, [Fault(f"malformed YAML: {error.problem}", line, column)])
    except yaml.YAMLError as error:
        return Parsed(None, [Fault(f"malformed YAML: {str(error).splitlines()[0]}", 1)])
    if not isinstance(root, yaml.MappingNode):
        return Parsed(None, [Fault("must be a mapping of keys to values", 1)], root)
    faults = [
        Fault(f"key `{key}` repeats the one of line {first}", line)
        for key, line, first in repeated_keys(root)
    ]
    for key, _ in root.value:
        if key.value in NOT_IN_FILES:
            faults.append(Fault(f"unknown key `{key.value}` (ids come from paths)", _mark(key)))
    if faults:
        return Parsed(None, faults, root)
    try:
        return Parsed(kind.model_validate(data), [], root)
    except ValidationError as error:
        return Parsed(None, _translate(error, kind, root), root)


def _mark(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _line(root: yaml.Node, where: Sequence[Key]) -> int:
    node, line = root, _mark(root)
    for step in where:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    node, line = value, _mark(key)
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                return line
            node = node.value[step]
            line = _mark(node)
        else:
            return line
    return line


def _translate(error: ValidationError, kind: type[BaseModel], root: yaml.Node) -> list[Fault]:
    """pydantic's errors in our words: unknown keys first, since they explain missing ones."""
    found: list[tuple[bool, Fault]] = []
    seen: set[tuple[int, str]] = set()
    for entry in error.errors():
        # The members of a union and `[key]` are pydantic's steps, not the file's.
        where = [step for step in entry["loc"] if step != "[key]"]
        cause = entry.get("ctx", {}).get("error")
        if isinstance(cause, SpecError):
            where += cause.path
        where = _in_file(root, where, missing=entry["type"] == "missing")
        fault = Fault(_say(entry, where, cause, kind), _line(root, where))
        if (fault.line, fault.message) not in seen:
            seen.add((fault.line, fault.message))
            found.append((entry["type"] != "extra_forbidden", fault))
    return [fault for _, fault in sorted(found, key=lambda pair: (pair[0], pair[1].line))]


def _in_file(root: yaml.Node, where: Sequence[Key], missing: bool) -> list[Key]:
    """`where` cut at the first step that is not in the file (kept when it is a missing key)."""
    node: yaml.Node = root
    steps: list[Key] = []
    for place, step in enumerate(where):
        child = None
        if isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            child = node.value[step] if step < len(node.value) else None
        if child is None:
            return [*steps, step] if missing and place == len(where) - 1 else steps
        steps.append(step)
        node = child
    return steps


def _name(where: Sequence[Key]) -> str:
    """`prompts[0].template`, as people write it."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' if text else ''}{step}"
    return text


def _say(
    entry: Any, where: Sequence[Key], cause: BaseException | None, kind: type[BaseModel]
) -> str:
    """One line for one of pydantic's errors."""
    key = _name(where)
    if isinstance(cause, SpecError):
        return f"key `{key}`: {cause}" if key else str(cause)
    if entry["type"] == "extra_forbidden":
        known = _keys(kind, where[:-1])
        close = get_close_matches(str(where[-1]), known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
        return f"unknown key `{key}`; {hint}"
    if entry["type"] == "missing":
        return f"key `{key}` is missing"
    if entry["type"] == "literal_error":
        expected = str(entry["ctx"]["expected"])
        close = get_close_matches(str(entry["input"]), expected.replace("'", "").split(", "), n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        return f"key `{key}`: `{entry['input']}` is not one of {expected}{hint}"
    message = entry["msg"][0].lower() + entry["msg"][1:]
    if entry["type"] == "string_type" and isinstance(entry["input"], bool | int | float):
        message += f", not {str(entry['input']).lower()} (put quotation marks round it)"
    return f"key `{key}`: {message}"


def _keys(kind: type[BaseModel], where: Sequence[Key]) -> list[str]:
    """Keys of the model that stands at `where` below a model of this kind."""
    for step in where:
        if isinstance(step, int):
            continue
        annotation = kind.model_fields[step].annotation
        inner = [annotation, *get_args(annotation)]
        kind = next(
            part for part in inner if isinstance(part, type) and issubclass(part, BaseModel)
        )
    return [name for name in kind.model_fields if name not in NOT_IN_FILES]
