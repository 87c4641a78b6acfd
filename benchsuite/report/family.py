"""The family report: encoder, decoder, encoder-decoder under every regime, and what each costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.kept import HEADER, Kept, compare_families
from benchsuite.report.markdown import escape, pipe_table
from benchsuite.report.scaling.page import EqualTable, equal_tables, section
from benchsuite.report.table import Board

MOST_LEFT = 20
LEGEND = (
    "The mean is over the tasks that every family has done under a regime on the same data "
    "(headline metrics; without WNLI and AX); `trivial` is the same of what needs no model "
    "(majority label, no answer, or chance). `of full`: as a share of full finetuning of the same "
    "model, on the tasks that it has done, too (their number, where it is not all), if full "
    "finetuning is better than trivial there. Brackets: 95%, over examples and, of several seeds, "
    "over seeds. Trained parameters are a share of the model's. FLOPs: mean over tasks of the "
    "shares an example, by `bench profile`. Time: of all fitting together (searches of the rate "
    "and scoring of the selection slice included), on one kind of machine and never beside other "
    "work. A dash: not measured so, or not on all tasks."
)


@dataclass(frozen=True, slots=True)
class Families:
    """The whole report.

    left: a line for each row that has no place in it, with the reason. equality: what the bundled
    models have in common, first a header. equal: scores at equal tokens and at equal FLOPs.
    """

    kept: list[Kept]
    left: list[str]
    equality: list[tuple[str, ...]]
    equal: list[EqualTable]

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.kept or self.left)

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """(regime, names of its tasks), of rows of other settings apart."""
        return list(dict.fromkeys((one.regime, ", ".join(one.tasks)) for one in self.kept))


def families_of(
    boards: Sequence[Board], found: Sequence[Record], profiles: Sequence[Profile] = ()
) -> Families:
    """The report of the records `found`, which the boards show."""
    kept, left = compare_families(boards, profiles)
    equality, others = _equality(kept, found)
    left += [f"{name}: the installed model is of another training" for name in others]
    return Families(kept, left, equality, equal_tables(found) if kept else [])


def to_markdown(families: Families) -> list[str]:
    """The report as lines; none where there is nothing to say."""
    if not families:
        return []
    found, left, equality = families.kept, families.left, families.equality
    lines = ["## Encoder, decoder, encoder-decoder", ""]
    if equality:
        shared = pipe_table(equality[0], equality[1:], left=len(equality[0]))
        lines += ["What is equal and what is not:", "", *shared, ""]
    if found:
        lines += [*pipe_table(HEADER, [one.cells() for one in found], left=3), "", LEGEND, ""]
    lines += [f"- {escape(regime)}: {escape(names)}" for regime, names in families.tasks]
    lines += [f"- not in the table: {escape(line)}" for line in left[:MOST_LEFT]]
    if len(left) > MOST_LEFT:
        lines.append(f"- and {len(left) - MOST_LEFT} more rows are not in the table")
    return [*lines, "", *(line for one in families.equal for line in section(one, "###"))]


def _equality(
    kept: Sequence[Kept], found: Sequence[Record]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """What is equal between the bundled models that the report compares; first a header.

    And the names of those whose records tell of another training than the installed one's, of which
    nothing can be said.
    """
    from benchsuite.pretrain.equality import bundled_models, equality_table
    from benchsuite.pretrain.texts import run_hash

    names = {one.name for one in kept}
    said: dict[str, list[Any]] = defaultdict(list)
    for record in found:
        said[record.cell["model"]].append(record.provenance.get("pretraining"))
    models, others = {}, []
    for name, meta in bundled_models().items():
        installed = (meta["tokens"], run_hash(meta))
        told = {(one.get("tokens"), one.get("recipe")) for one in said[name] if one}
        if name in names and told <= {installed}:
            models[name] = meta
        elif name in names:
            others.append(name)
    if len(models) < 2:
        return [], others
    return [("", *models, ""), *equality_table(models)], others
