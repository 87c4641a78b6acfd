"""The study behind the regimes' default learning rates, as the page `docs/defaults.md`.

    python -m benchsuite.report.defaults --store DIR > docs/defaults.md

reads the records of `bench run --tune` in a store and nothing else. For each regime and family the
default is the rate nearest to the geometric mean of the rates that won on each task.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.console import print_error
from benchsuite.errors import BenchsuiteError
from benchsuite.records import Record
from benchsuite.regimes.registry import get_regime
from benchsuite.report import readable_records
from benchsuite.report.markdown import pipe_table
from benchsuite.report.table import percent

HEADER = ("family", "model", "task", "rates tried: selection score", "taken", "evaluation", "seed")


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
        notes: dict[str, Any] = record.provenance.get("chosen", {}).get("", {})
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
    """Of the rates tried the one nearest, in ratio, to the geometric mean of those that won."""
    middle = sum(math.log(one.taken) for one in found) / len(found)
    rates = sorted({rate for one in found for rate in one.tried})
    return min(rates, key=lambda rate: abs(math.log(rate) - middle))


def page(found: Sequence[Record]) -> str:
    """The page: a section a regime call, with the default in the code beside the study's."""
    by_regime: dict[tuple[str, int], list[Search]] = defaultdict(list)
    for one in searches(found):
        cell = one.record.cell
        by_regime[cell["regime"], cell.get("train_limit") or 0].append(one)
    lines = [
        "# Default learning rates",
        "",
        "Made by `python -m benchsuite.report.defaults` from records of `bench run --tune`: four",
        "rates for a quarter of the epochs, the better two for half, the best for all, compared on",
        "the selection slice (successive halving). `evaluation` is the score of the whole run at",
        "the rate that was taken; it decided nothing. Below each table: the study's rate, and the",
        "code's default where that is another.",
    ]
    for (regime, limit), mine in sorted(by_regime.items()):
        lines += [
            "",
            f"## {regime}",
            "",
            f"Training examples: {limit or 'all'}.",
            "",
            *pipe_table(HEADER, [_row(one) for one in mine], left=4),
            "",
        ]
        for family in dict.fromkeys(one.record.cell["family"] for one in mine):
            some = [one for one in mine if one.record.cell["family"] == family]
            regime_class: Any = get_regime(some[0].record.cell["regime_name"])
            default = regime_class.default_lr[family]
            best = recommended(some)
            same = "the default" if math.isclose(best, default) else f"the default is {default:g}"
            lines.append(f"- {family}: {best:g} ({same})")
    return "\n".join(lines) + "\n"


def _row(one: Search) -> tuple[str, ...]:
    cell, headline = one.record.cell, one.record.headline
    tried = ", ".join(
        f"{rate:g}: {'diverged' if metric is None else percent(metric)}"
        for rate, metric in sorted(one.tried.items())
    )
    return (
        str(cell["family"]),
        str(cell["model"]),
        str(cell["task"]),
        tried,
        f"{one.taken:g}",
        percent(headline.value if headline else None),
        str(cell.get("seed")),
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the page to standard output; 2 and one line where the store has no such record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("runs"))
    given = parser.parse_args(arguments)
    try:
        found, _ = readable_records(given.store)
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
