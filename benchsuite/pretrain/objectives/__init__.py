"""Pretraining objectives by name: a module of this package each, with a class `Objective`."""

import difflib
import importlib
import pkgutil

from benchsuite.errors import InputError
from benchsuite.pretrain.objectives.base import BaseObjective


def objective_names() -> list[str]:
    """Names of the objectives there are, sorted."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base")


def objective_class(name: str) -> type[BaseObjective]:
    """The class of an objective. Raises InputError for an unknown name, with the nearest one."""
    names = objective_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
        raise InputError(f"unknown objective {name!r}{hint}")
    found: type[BaseObjective] = importlib.import_module(f"{__name__}.{name}").Objective
    return found
