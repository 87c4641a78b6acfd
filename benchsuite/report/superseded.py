"""Records and profiles that newer ones of the same name replace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.costs import place_of, unusual


def of_newest_weights(found: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The records without those of a model's earlier weights, and a line a model that had some.

    A name is not a network: a model that was trained anew, in its folder or on its hub, is another
    one, and a row of both would be of none. The weights of a name are those of its newest record.
    """
    newest = _newest(found)
    kept: list[Record] = []
    left: Counter[str] = Counter()
    for record in found:
        model, weights = record.cell["model"], _weights(record)
        if weights is None or newest.get(model, weights) == weights:
            kept.append(record)
        else:
            left[model] += 1
    return kept, [
        f"{model}: {count} record(s) of other weights than its newest one's; delete their folders"
        for model, count in sorted(left.items())
    ]


def _newest(found: Sequence[Record]) -> dict[str, str]:
    """The weights of each model's newest done record."""
    done = (record for record in found if record.status == "done" and _weights(record))
    ordered = sorted(done, key=lambda record: str(record.provenance.get("time", "")))
    return {record.cell["model"]: str(_weights(record)) for record in ordered}


def _weights(record: Record) -> str | None:
    """The hash of the weights; None of a record that does not say, as of what is not applicable."""
    found = record.cell.get("key_parts", {}).get("weights")
    return None if found is None else str(found)


def newest_profiles(measured: Sequence[Profile], found: Sequence[Record]) -> list[Profile]:
    """Of the profiles of one cell on one kind of machine the newest done one, in their order.

    found: records; a profile of other weights than those of its model's newest record is left out.
    """
    weights = _newest(found)
    newest: dict[tuple[str, ...], int] = {}
    for one in sorted(measured, key=lambda one: str(one.provenance.get("time", ""))):
        mine = one.cell.get("weights")
        of_now = mine is None or weights.get(one.cell["model"], mine) == mine
        if one.status == "done" and of_now:
            newest[(*place_of(one.cell), str(one.cell["hardware"]), *unusual(one))] = id(one)
    kept = {*newest.values()}
    return [one for one in measured if one.status != "done" or id(one) in kept]
