"""`bench compare`: two models, regimes or stores on the same examples, without a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchsuite import records
from benchsuite.check.arms import Flip, Verdict
from benchsuite.check.pairs import Pair, Stored, pair, read_records
from benchsuite.check.policy import Policy
from benchsuite.check.render import clean, points, probability
from benchsuite.check.verdict import measure, permutations_for
from benchsuite.errors import InputError
from benchsuite.outcomes import NotJudged
from benchsuite.report.inspect import examples_of, texts_of
from benchsuite.report.markdown import escape, pipe_table
from benchsuite.report.numbers import METRIC_NAMES, shown
from benchsuite.stats import holm
from benchsuite.tasks.task import load_task

HEADER = ("cell", "metric", "n", "A", "B", "B - A", "p")
LEGEND = (
    "B - A in points, with its 95% interval on the same examples (of three seeds or more: over "
    "examples and seeds). p: two-sided, adjusted for the number of rows (Holm)."
)
# Two-sided statements at 95% are two one-sided ones at 97.5%.
TWO_SIDED = Policy(alpha=0.025)


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of A beside B's. difference: B - A with its interval; p: adjusted, two-sided.

    seeds: of A and B, where there are any. flips: examples that one alone has right, of several
    answers in most, which `often` says; `lost` says A.
    """

    name: str
    task: str
    metric: str
    n: int
    a: float
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str
    seeds: tuple[int, int] | None
    often: str
    flips: tuple[Flip, ...]

    def cells(self) -> tuple[str, ...]:
        """Under HEADER."""
        gap = "-" if self.difference is None else points(self.metric, self.difference, "+")
        if self.low is not None and self.high is not None:
            gap += f" [{points(self.metric, self.low, '+')}, {points(self.metric, self.high, '+')}]"
        return (
            self.name,
            METRIC_NAMES.get(self.metric, self.metric),
            f"{self.n:,}",
            shown(self.metric, self.a),
            shown(self.metric, self.b),
            gap,
            probability(self.p),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows, and lines on what was not compared; texts: of some flipped examples, by row."""

    a: str
    b: str
    rows: list[Row]
    left_out: list[str]
    texts: dict[str, list[dict[str, Any]]]

    def to_json(self) -> dict[str, Any]:
        """All of it in plain types."""
        return asdict(self)


def compare_all(
    a: str,
    b: str,
    store: Path,
    *,
    tasks: Sequence[str] | None = None,
    examples: int = 0,
    tasks_dir: Sequence[Path] = (),
) -> Comparison:
    """Compare two stores, or two models or regimes of one store, wherever both have records.

    Args:
        a, b: folders of records, else names of models or regimes in `store`.
        tasks: ids in scope; all without.
        examples: flipped examples a row to show with their text, where local data has it.

    Raises InputError where nothing is comparable.
    """
    mine, theirs, renamed = _sides(a, b, store, tasks)
    found = pair(mine, theirs, renamed)
    left_out = [*found.unlike, *found.missing, *found.skipped]
    permutations = permutations_for(len(found.pairs), TWO_SIDED)
    measured: list[tuple[Pair, Verdict]] = []
    for one in found.pairs:
        try:
            measured.append((one, measure(one, TWO_SIDED, tasks_dir, permutations, judged=False)))
        except NotJudged as error:
            left_out.append(f"{one.name}: {error}")
    if not measured:
        raise InputError(f"{a} and {b} have nothing to compare: {'; '.join(left_out[:3])}")
    adjusted = iter(holm([one.p for _, one in measured if one.p is not None]))
    return Comparison(
        a=a,
        b=b,
        rows=[_row(one, None if one.p is None else next(adjusted)) for _, one in measured],
        left_out=left_out,
        texts={
            one.name: _texts(pair, one.flips[:examples], tasks_dir)
            for pair, one in measured
            if examples and one.flips
        },
    )


def to_markdown(found: Comparison) -> str:
    """A comment for a pull request, the same for the same comparison."""
    lines = [f"# {escape(found.a)} (A) and {escape(found.b)} (B)", "", LEGEND, ""]
    lines += [*pipe_table(HEADER, [row.cells() for row in found.rows], left=2), ""]
    lines += [f"- {escape(line)}" for line in remarks(found)]
    return clean("\n".join(lines).rstrip(), keep="\n") + "\n"


def remarks(found: Comparison) -> list[str]:
    """Flipped examples, some with their text, and what was not compared."""
    lines = []
    for row in found.rows:
        lost = sum(flip.lost for flip in row.flips)
        if row.flips:
            gained = len(row.flips) - lost
            lines.append(f"{row.name}: {lost:,} right by A alone, {gained:,} by B alone{row.often}")
        if row.reason:
            lines.append(f"{row.name}: {row.reason}")
        for text in found.texts.get(row.name, []):
            lines.append("; ".join(f"{name}: {value}" for name, value in text.items()))
    return [*lines, *(f"not compared: {line}" for line in found.left_out)]


def _sides(
    a: str, b: str, store: Path, tasks: Sequence[str] | None
) -> tuple[list[Stored], list[Stored], dict[str, str]]:
    """The records of A, those of B, and which names stand for which."""
    if all(records.store_folders(Path(side)) for side in (a, b)):
        return read_records(Path(a), tasks), read_records(Path(b), tasks), {}
    stored = read_records(store, tasks)
    for part in ("model", "regime"):
        mine, theirs = ([x for x in stored if x.record.cell[part] == name] for name in (a, b))
        if mine and theirs:
            return mine, theirs, {a: b}
    known = sorted({one.record.cell[part] for one in stored for part in ("model", "regime")})
    there = ", ".join(known) or f"no record of {', '.join(tasks or [])}"
    raise InputError(
        f"'{a}' and '{b}' are neither two stores nor two models or regimes of {store}, which has "
        f"{there}"
    )


def _row(one: Verdict, p: float | None) -> Row:
    return Row(
        name=one.name,
        task=one.task,
        metric=one.metric,
        n=one.n,
        a=one.baseline,
        b=one.candidate,
        difference=one.d,
        low=one.low,
        high=one.high,
        p=p,
        reason=one.reason,
        seeds=one.seeds,
        often=one.often,
        flips=one.flips,
    )


def _texts(one: Pair, flips: Sequence[Flip], tasks_dir: Sequence[Path]) -> list[dict[str, Any]]:
    """Fields of flipped examples, from local data that is what the record was made from.

    What they lack where it is not.
    """
    record = one.baseline[0].record
    try:
        task = load_task(record.cell["task"], tasks_dirs=tuple(tasks_dir))
        examples = examples_of(record, task)
    except InputError as error:
        return [{"no texts": str(error)}]
    return [
        {
            "right": "A" if flip.lost else "B",
            "id": flip.id,
            **texts_of(task.spec, examples[flip.split, flip.subset, flip.id]),
        }
        for flip in flips
    ]
