"""Rows of a table -> examples, by the task's kind. What cannot be mapped is an InputError that
names the file, the row and the column."""

from __future__ import annotations

import hashlib
import json
import math
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchsuite.errors import InputError
from benchsuite.tasks.data import Table, parse_json
from benchsuite.tasks.example import Example, hash16, own_cluster
from benchsuite.tasks.spec import CANONICAL_FIELDS, TaskSpec

LISTS = ("tokens", "options")


def examples_of(spec: TaskSpec, table: Table, split: str, subset: str) -> list[Example]:
    """All examples of a table, in its order.

    Raises InputError naming the row of the first value that does not fit.
    """
    answer = CANONICAL_FIELDS[spec.kind][2]
    inputs = {name: column for name, column in spec.fields.items() if name not in (answer, "id")}
    target_of = TARGETS[spec.kind]
    answers = table.columns[spec.fields[answer]] if answer else None
    id_column = spec.fields.get("id")
    clusters = _cluster_column(spec)
    seen: Counter[str] = Counter()
    examples: list[Example] = []
    for row in range(table.rows):
        try:
            fields = {
                name: _field(name, table.columns[column][row]) for name, column in inputs.items()
            }
            answer_of_row = answers[row] if answers is not None else None
            target = target_of(spec, fields, answer_of_row)
            starts = _starts(fields, target, answer_of_row) if spec.kind == "span" else ()
        except ValueError as error:
            raise InputError(f"{table.where(row)}: {error}") from error
        name = str(row) if id_column is None else _identifier(table, id_column, row)
        name = _unique(name, seen)
        shared = table.columns[clusters][row] if clusters else None
        group = table.columns[spec.group][row] if spec.group else None
        examples.append(
            Example(
                id=name,
                split=split,
                subset=subset,
                cluster=own_cluster(subset, name) if shared is None else hash16(str(shared)),
                group="" if group is None else spec.group_name(str(group)),
                fields=fields,
                target=target,
                starts=starts,
            )
        )
    return examples


def data_hash(examples: list[Example]) -> str:
    """SHA-256 of the canonical JSON of the examples in use, in order, whatever their source.

    A line an example: id, subset, group, cluster, fields, target and, where there are any, the
    answers' places; keys sorted, UTF-8, floats by `repr`, no Unicode normalization.
    """
    digest = hashlib.sha256()
    for example in examples:
        row = {
            "id": example.id,
            "subset": example.subset,
            "group": example.group,
            "cluster": example.cluster,
            "fields": example.fields,
            "target": example.target,
        }
        if example.starts:
            row["starts"] = example.starts
        text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest.update(text.encode("utf-8") + b"\n")
    return digest.hexdigest()


def _cluster_column(spec: TaskSpec) -> str | None:
    """The column whose value examples of a cluster share; `cluster` names it or its field."""
    return None if spec.cluster is None else spec.fields.get(spec.cluster, spec.cluster)


def _identifier(table: Table, column: str, row: int) -> str:
    value = table.columns[column][row]
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InputError(f"{table.where(row)}: id in column '{column}' is {_show(value)}")
    return str(value)


def _unique(name: str, seen: Counter[str]) -> str:
    """The name itself, or `name#2`, `name#3`... where it was given before; counts both in seen."""
    candidate = name
    while seen[candidate]:
        seen[name] += 1
        candidate = f"{name}#{seen[name]}"
    seen[candidate] += 1
    return candidate


def _field(name: str, value: Any) -> Any:
    """A canonical input: a string, or a list of strings (`tokens`, `options`)."""
    if name in LISTS:
        texts = _texts(name, value)
        if len(texts) < (2 if name == "options" else 1):
            raise ValueError(f"`{name}` has {len(texts)} entries")
        return texts
    if not isinstance(value, str):
        raise ValueError(f"`{name}` must be text, not {_show(value)}")
    return value


def _json(name: str, value: Any) -> Any:
    """A list or object, which a CSV cell spells as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError as error:
        raise ValueError(f"`{name}` must be a list (in a CSV: JSON), not {_show(value)}") from error


def _texts(name: str, value: Any) -> list[str]:
    value = _json(name, value)
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"`{name}` must be a list of texts, not {_show(value)}")
    return value


def _index(value: Any) -> int | None:
    """An integer, however it is spelt (3, 3.0, "3"); None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if isinstance(value, int | float) else None


def _label(spec: TaskSpec, value: Any, what: str) -> int | None:
    """Index of a label: a name, else an integer in the task's coding; None for -1."""
    if isinstance(value, str) and value in spec.labels:
        return spec.labels.index(value)
    if isinstance(value, bool):
        raise ValueError(f"{what} is {value}; write the label's name or its index")
    index = _index(value)
    if index == -1 and what == "label":
        return None
    if index is None or not 0 <= index < len(spec.labels):
        names = ", ".join(spec.labels[:12]) + (", ..." if len(spec.labels) > 12 else "")
        raise ValueError(
            f"{what} {_show(value)} is neither one of {names} nor an index below {len(spec.labels)}"
        )
    if spec.labels[index] != str(index) and str(index) in spec.labels:
        raise ValueError(f"{what} {index} is ambiguous: an index and another label's name")
    return index


def _classification(spec: TaskSpec, fields: dict[str, Any], value: Any) -> int | None:
    return None if value is None or value == "" else _label(spec, value, "label")


def _regression(spec: TaskSpec, fields: dict[str, Any], value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    low, high = spec.range or (-math.inf, math.inf)
    if number == -1 and not low <= number <= high:
        return None
    if not low <= number <= high:
        raise ValueError(f"label {_show(value)} is not a number between {low} and {high}")
    return number


def _tagging(spec: TaskSpec, fields: dict[str, Any], value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    tags = _json("tags", value)
    if not isinstance(tags, list):
        raise ValueError(f"`tags` must be a list, not {_show(value)}")
    if len(tags) != len(fields["tokens"]):
        raise ValueError(f"{len(fields['tokens'])} tokens but {len(tags)} tags")
    found = [_label(spec, tag, "tag") for tag in tags]
    return tuple(tag for tag in found if tag is not None)


def _span(spec: TaskSpec, fields: dict[str, Any], value: Any) -> tuple[str, ...] | None:
    """Gold answers: {"text": [...], ...}, [{"text": ...}, ...], a list of texts, or one text."""
    if value is None:
        return None
    if isinstance(value, str) and not value.startswith(("{", "[")):
        return (value,) if value else ()
    value = _json("answers", value)
    if isinstance(value, dict):
        if "text" not in value:
            raise ValueError(f"`answers` has no `text`; there are: {', '.join(value)}")
        value = value["text"]
    elif isinstance(value, list) and all(isinstance(one, dict) and "text" in one for one in value):
        value = [one["text"] for one in value]
    return tuple(_texts("answers", value))


def _starts(fields: dict[str, Any], target: Any, value: Any) -> tuple[int, ...]:
    """Where each gold answer begins in the context, as `answer_start` says.

    () where it says nothing, or another text stands at one of its places: only training looks at
    them, and it can look for the answer itself.
    """
    if not target:
        return ()
    value = _json("answers", value) if str(value).startswith(("{", "[")) else value
    if isinstance(value, dict):
        given = value.get("answer_start")
    elif isinstance(value, list) and isinstance(value[0], dict):
        given = [one.get("answer_start") for one in value]
    else:
        given = None
    if not isinstance(given, list) or not all(isinstance(start, int) for start in given):
        return ()
    starts = tuple(given)
    stands = [
        fields["context"][start : start + len(text)] == text
        for start, text in zip(starts, target, strict=False)
    ]
    return starts if len(starts) == len(target) and all(stands) else ()


def _choice(spec: TaskSpec, fields: dict[str, Any], value: Any) -> int | None:
    """Index of the right option: an index, else a letter, else the option's own text."""
    if value is None or value == "":
        return None
    options = fields["options"]
    index = _index(value)
    if index is None and isinstance(value, str):
        if len(value) == 1 and value in string.ascii_uppercase[: len(options)]:
            index = string.ascii_uppercase.index(value)
        elif options.count(value) == 1:
            index = options.index(value)
    if index == -1:
        return None
    if index is None or not 0 <= index < len(options):
        raise ValueError(
            f"label {_show(value)} is no index, letter or text of the {len(options)} options"
        )
    return index


def _minimal_pair(spec: TaskSpec, fields: dict[str, Any], value: Any) -> int:
    """The good sentence; there is no column to read."""
    return 0


TARGETS: dict[str, Callable[[TaskSpec, dict[str, Any], Any], Any]] = {
    "classification": _classification,
    "regression": _regression,
    "tagging": _tagging,
    "span": _span,
    "choice": _choice,
    "minimal_pair": _minimal_pair,
}


def _show(value: Any) -> str:
    """A value in a message: short, and on one line."""
    if value is None:
        return "null"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
