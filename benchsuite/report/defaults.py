"""The study behind the regimes' default learning rates, as the page `docs/defaults.md`.

    python -m benchsuite.report.defaults --store DIR > docs/defaults.md

reads the records of `bench run --tune` in a store, and those of the same cells trained at the rate
that they recommend: for each regime and family the one nearest to the geometric mean of the rates
that won on each task. The evaluation split has no say in it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchsuite.console import print_error
from benchsuite.errors import BenchsuiteError
from benchsuite.records import Record
from benchsuite.regimes.registry import get_regime
from benchsuite.report import records_of
from benchsuite.report.markdown import pipe_table
from benchsuite.report.numbers import percent
from benchsuite.report.seeds import OverSeeds, is_collapsed, over_seeds
from benchsuite.report.table import one_a_seed, settings

HEADER = (
    "family",
    "model",
    "task",
    "rates tried: selection score",
    "taken",
    "evaluation",
    "at the study's rate",
    "trivial",
)


@dataclass(frozen=True, slots=True)
class Search:
    """One tuned cell: what was tried at first (rate -> selection metric) and what won."""

    record: Record
    tried: dict[float, float | None]
    taken: float


def searches(found: Sequence[Record]) -> list[Search]:
    """The searches among records, in the order of family, task and seed."""
    result = []
    for record in found:
        notes = _notes(record)
        if record.status == "done" and "tuning" in notes:
            shares = [one["share"] for one in notes["tuning"]]
            tried = {
                one["lr"]: one["metric"] for one in notes["tuning"] if one["share"] == min(shares)
            }
            result.append(Search(record, tried, notes["lr"]))
    return sorted(
        result,
        key=lambda one: (
            one.record.cell["family"],
            one.record.cell["task"],
            one.record.cell["model"],
            one.record.cell.get("seed") or 0,
        ),
    )


def recommended(found: Sequence[Search]) -> float:
    """Of the rates tried the one nearest, in ratio, to the geometric mean of those that won.

    Of two as near the lower: what all rates were compared in, a quarter of the epochs, suits high
    ones.
    """
    middle = fmean(math.log(one.taken) for one in found)
    rates = sorted({rate for one in found for rate in one.tried})
    return min(rates, key=lambda rate: round(abs(math.log(rate) - middle), 3))


def at_rate(found: Sequence[Record], like: Record, rate: float) -> OverSeeds | None:
    """The scores of a tuned record's cell trained at one rate, not searched; None without any."""
    same = [
        record
        for record in found
        if record.status == "done"
        and not record.cell.get("tune")
        and _question(record) == _question(like)
        and math.isclose(_notes(record).get("lr", math.nan), rate)
    ]
    return over_seeds(one_a_seed(same)) if same else None


def page(found: Sequence[Record]) -> str:
    """The page: a section a regime call, with the default in the code beside the study's."""
    by_regime: dict[tuple[str, int], list[Search]] = defaultdict(list)
    for one in searches(found):
        cell = one.record.cell
        by_regime[cell["regime"], cell.get("train_limit") or 0].append(one)
    lines = [
        "# Default learning rates",
        "",
        "Made by `python -m benchsuite.report.defaults --store DIR` from records of",
        "`bench run --tune`: four rates for a quarter of the epochs, the better two for half, the",
        "best for all, compared on the selection slice (successive halving). `taken` is the rate",
        "that won, `evaluation` the score of the whole run at it, which decided nothing. Below",
        "each table: the study's rate for the family, nearest to the geometric mean of those",
        "taken, and the code's default where that is another. `*`: no better than the trivial",
        "answer, within the interval: such a rate may have won by chance. The last columns: mean",
        "and standard deviation over seeds at the study's rate (`-`: not run), and the trivial",
        "answer. `lowest` and `highest` mark a winner at an end of what was tried: a better rate",
        "may lie beyond it. The rates are 0.1, 0.3, 1 and 3 times what the default then was.",
    ]
    for (regime, limit), mine in sorted(by_regime.items()):
        rates = {
            family: recommended([one for one in mine if one.record.cell["family"] == family])
            for family in dict.fromkeys(one.record.cell["family"] for one in mine)
        }
        rows = [_row(one, at_rate(found, one.record, rates[_family(one)])) for one in mine]
        lines += [
            "",
            f"## {regime}",
            "",
            f"Training examples: {limit or 'all'}.",
            "",
            *pipe_table(HEADER, rows, left=4),
            "",
        ]
        regime_class: Any = get_regime(mine[0].record.cell["regime_name"])
        for family, rate in rates.items():
            default = regime_class.default_lr[family]
            same = "the default" if math.isclose(rate, default) else f"the default is {default:g}"
            lines.append(f"- {family}: {rate:g} ({same})")
    return "\n".join(lines) + "\n"


def _row(one: Search, seeds: OverSeeds | None) -> tuple[str, ...]:
    cell, headline = one.record.cell, one.record.headline
    tried = ", ".join(
        f"{rate:g}: {'diverged' if metric is None else percent(metric)}"
        for rate, metric in sorted(one.tried.items())
    )
    of_default = "-"
    if seeds is not None:
        spread = "" if seeds.spread is None else f" ±{percent(seeds.spread)}"
        of_default = f"{percent(seeds.value)}{spread} over {seeds.seeds}"
    return (
        _family(one),
        str(cell["model"]),
        str(cell["task"]),
        tried,
        _taken(one),
        percent(headline.value if headline else None) + "*" * is_collapsed(one.record),
        of_default,
        percent(one.record.trivial),
    )


def _taken(one: Search) -> str:
    """The rate that won; marked where it is the last of those tried on its side."""
    ends = {min(one.tried): " lowest", max(one.tried): " highest"}
    return f"{one.taken:g}{ends.get(one.taken, '')}"


def _family(one: Search) -> str:
    return str(one.record.cell["family"])


def _notes(record: Record) -> dict[str, Any]:
    """What the regime chose in training."""
    notes: dict[str, Any] = record.provenance.get("chosen", {}).get("", {})
    return notes


def _question(record: Record) -> dict[str, Any]:
    """What a searched cell and a plain one of the same settings share."""
    cell = record.cell
    options = {name: value for name, value in cell.get("options", {}).items() if name != "lr"}
    same = {name: cell.get(name) for name in ("model", "task", "regime_name", "train_limit")}
    return {**same, "options": options, "settings": [s for s in settings(record) if s != "tuned"]}


def main(arguments: list[str] | None = None) -> int:
    """Write the page to standard output; 2 and one line where the store has no such record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("runs"))
    given = parser.parse_args(arguments)
    try:
        found, _ = records_of([given.store])
    except BenchsuiteError as error:
        print_error(str(error))
        return 2
    if not searches(found):
        print_error(f"{given.store}: no record of `bench run --tune`")
        return 2
    sys.stdout.write(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
