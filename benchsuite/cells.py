"""Cells: task x model x regime x seed, with every setting spelled out. Pure: no I/O, no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from benchsuite.errors import InputError

Value = str | int | float | bool | None


class RegimeCall(BaseModel):
    """A regime with its options as the command line spells them: `zeroshot:threshold=tuned`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    options: dict[str, Value] = {}

    def __str__(self) -> str:
        return format_regime(self)


class Cell(BaseModel):
    """The unit of work, of caching, of resuming and of distribution."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    task: str
    regime: RegimeCall
    seed: int | None = None
    limit: int | None = None
    train_limit: int | None = None
    splits: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    score: str = "own"
    dtype: str = "float32"
    device: str = "cpu"
    batch_tokens: int = 8192
    max_length: int | None = None
    tune: bool = False


def parse_value(text: str) -> Value:
    """`true`/`false`/`none`, an integer, a number with a point, or the string itself."""
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if lowered in ("none", "null"):
        return None
    for convert in (int, float):
        try:
            number = convert(text)
        except ValueError:
            continue
        if str(number) in ("nan", "inf", "-inf") or "_" in text:
            break
        return number
    return text


def format_value(value: Value) -> str:
    """The inverse of parse_value for every value it can give."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def parse_regime(text: str) -> RegimeCall:
    """Parse `name`, `name:value` (one positional, key "") or `name:key=value+key=value`.

    Raises InputError on an empty name, an empty key or a repeated key.
    """
    name, colon, rest = text.strip().partition(":")
    if not name or (colon and not rest):
        raise InputError(
            f"regime '{text}' is not of the form name or name:option=value+option=value"
        )
    options: dict[str, Value] = {}
    for part in rest.split("+") if rest else []:
        key, equals, value = part.partition("=")
        if not equals:
            key, value = "", part
        elif not key:
            raise InputError(f"regime '{text}': an option lacks its name in '{part}'")
        if not value:
            raise InputError(f"regime '{text}': option '{part}' lacks a value")
        if key in options:
            raise InputError(f"regime '{text}': option '{key or part}' is given twice")
        options[key] = parse_value(value)
    return RegimeCall(name=name, options=options)


def format_regime(call: RegimeCall) -> str:
    """The inverse of parse_regime, options in their order."""
    parts = [
        f"{key}={format_value(value)}" if key else format_value(value)
        for key, value in call.options.items()
    ]
    return f"{call.name}:{'+'.join(parts)}" if parts else call.name


def parse_seeds(text: str) -> list[int]:
    """Parse `0`, `0,1,2` or `0..4` (both ends included), also mixed; duplicates fold."""
    seeds: list[int] = []
    for part in text.split(","):
        low, dots, high = part.strip().partition("..")
        try:
            found = range(int(low), int(high) + 1) if dots else [int(low)]
        except ValueError:
            raise InputError(f"seeds '{text}': write 0 or 0,1,2 or 0..4") from None
        if not found:
            raise InputError(f"seeds '{text}': the range '{part}' is empty")
        seeds.extend(found)
    if any(seed < 0 for seed in seeds):
        raise InputError(f"seeds '{text}': seeds are not negative")
    return list(dict.fromkeys(seeds))


def plan(
    models: Sequence[str],
    regimes: Sequence[RegimeCall],
    tasks: Iterable[tuple[str, int | None, int | None]],
    seeds: Sequence[int],
    randomized: dict[str, bool],
    **settings: Any,
) -> list[Cell]:
    """The cells of a run, in a stable order: model, task, regime, seed.

    tasks: (id, limit, train_limit). randomized: regime name -> whether its result depends on the
    seed; a regime without randomness has seed null, so that seeds do not make copies.
    """
    cells: list[Cell] = []
    tasks = list(tasks)
    for model in models:
        for task, limit, train_limit in tasks:
            for regime in regimes:
                for seed in seeds if randomized[regime.name] else [None]:
                    cells.append(
                        Cell(
                            model=model,
                            task=task,
                            regime=regime,
                            seed=seed,
                            limit=limit,
                            train_limit=train_limit,
                            **settings,
                        )
                    )
    return cells


def digest(parts: dict[str, Any]) -> str:
    """SHA-256 of canonical JSON, in hexadecimal."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
