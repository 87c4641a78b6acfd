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
    newest: dict[str, tuple[str, str]] = {}
    for record in found:
        if weights := _weights(record):
            one = (str(record.provenance.get("time", "")), weights)
            newest[record.cell["model"]] = max(one, newest.get(record.cell["model"], one))
    kept: list[Record] = []
    left: Counter[str] = Counter()
    for record in found:
        model = record.cell["model"]
        if _weights(record) in (None, newest.get(model, ("", None))[1]):
            kept.append(record)
        else:
            left[model] += 1
    return kept, [
        f"{model}: {count} record(s) of other weights than its newest one's; delete them, or run "
        "their cells again"
        for model, count in sorted(left.items())
    ]


def _weights(record: Record) -> str | None:
    """The hash of the weights; None of a record that does not say, as of what is not applicable."""
    found = record.cell.get("key_parts", {}).get("weights")
    return None if found is None else str(found)


def newest_profiles(measured: Sequence[Profile]) -> list[Profile]:
    """Of the profiles of one cell on one kind of machine the newest done one, in their order."""
    newest: dict[tuple[str, ...], Profile] = {}
    for one in sorted(measured, key=lambda one: str(one.provenance.get("time", ""))):
        if one.status == "done":
            newest[(*place_of(one.cell), str(one.cell["hardware"]), *unusual(one))] = one
    kept = {id(one) for one in newest.values()}
    return [one for one in measured if one.status != "done" or id(one) in kept]
