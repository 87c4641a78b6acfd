"""`--map OLD=NEW`: a model or regime of the baseline, and the candidate's that stands for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from benchsuite.cells import RegimeCall, parse_regime
from benchsuite.errors import InputError

if TYPE_CHECKING:
    from benchsuite.check.pairs import Stored

Renamed = Mapping[str, str]


def parse_map(
    text: str, baseline: Sequence[Stored], candidate: Sequence[Stored]
) -> tuple[str, str]:
    """`OLD=NEW` of `--map`; options hold signs of equality, so that names decide where it parts."""
    mine, theirs = _known(baseline), _known(candidate)
    for place in [place for place, letter in enumerate(text) if letter == "="]:
        old, new = text[:place], text[place + 1 :]
        if any(
            canonical(old) in _names(baseline, part) and canonical(new) in _names(candidate, part)
            for part in ("model", "regime")
        ):
            return old, new
    raise InputError(
        f"--map {text}: give OLD=NEW, a model or regime of the baseline ({_list(mine)}) and one of "
        f"the candidate ({_list(theirs)})"
    )


def _known(stored: Sequence[Stored]) -> set[str]:
    """Names of models and regimes."""
    return _names(stored, "model") | _names(stored, "regime")


def _names(stored: Sequence[Stored], part: str) -> set[str]:
    return {canonical(one.record.cell[part]) for one in stored}


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def check_renamed(
    renamed: Renamed, baseline: Sequence[Stored], candidate: Sequence[Stored]
) -> None:
    """Raise InputError where a name is not there: a slip would look like a loss."""
    for stored, names, where in (
        (baseline, renamed.keys(), "baseline"),
        (candidate, renamed.values(), "candidate"),
    ):
        known = _known(stored)
        for name in names:
            if name not in known:
                raise InputError(
                    f"--map: the {where} has no model or regime '{name}'; it has {_list(known)}"
                )


def canonical(text: str) -> str:
    """A regime with its options in one order; any other name as it is."""
    try:
        call = parse_regime(text)
    except InputError:
        return text
    return str(RegimeCall(name=call.name, options=dict(sorted(call.options.items()))))
