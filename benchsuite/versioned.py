"""JSON files that name the version of their schema, read into pydantic models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from benchsuite.errors import InputError

Migrations = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
"""From an older schema version to the next one; applied in turn."""


class Part(BaseModel):
    """A strict part of a file: a field it does not know is an error."""

    model_config = ConfigDict(extra="forbid")


Schema = TypeVar("Schema", bound=Part)


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def read_versioned(
    path: Path, schema: type[Schema], version: int, migrations: Migrations, *, redo: str
) -> Schema:
    """Read a file of one schema, migrating older versions.

    redo: what makes the file anew, for the message. Raises InputError, one line that names the
    file, where it is none.
    """
    what = schema.__name__.lower()
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text, parse_constant=_refuse)
        if "\\ud" in text.lower():  # half of a surrogate pair is no text that a file can hold
            json.dumps(raw, ensure_ascii=False).encode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as a {what} ({error})") from None
    found = raw.get("schema_version") if isinstance(raw, dict) else None
    while isinstance(found, int) and found in migrations:
        raw = migrations[found](raw)
        found = raw["schema_version"]
    if found != version:
        raise InputError(
            f"{path}: schema version {found}, but this benchsuite reads {version}; "
            f"{redo} or use a matching benchsuite"
        )
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}") from None
