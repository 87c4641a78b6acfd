"""From boards to `leaderboard.html`: the template, its data, and the libraries put into it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchsuite.errors import InputError
from benchsuite.profiles import Profile
from benchsuite.records import Record
from benchsuite.report.charts import require_charts
from benchsuite.report.costs import COST_HEADER, PROFILE_HEADER, profile_rows
from benchsuite.report.family import LEGEND as FAMILY_LEGEND
from benchsuite.report.family import Families
from benchsuite.report.figures.plot import depth_svg, sizes_svg
from benchsuite.report.figures.points import by_depth, by_size
from benchsuite.report.html.cells import Cell, cells_of, detail, short
from benchsuite.report.html.plots import (
    FLOPS,
    TRAINABLE,
    cost_svg,
    drawn_cells,
    family_svg,
    heat_svg,
    latency_of,
    regime_name,
)
from benchsuite.report.kept import HEADER
from benchsuite.report.markdown import LEGEND, PROFILE_LEGEND
from benchsuite.report.numbers import percent, rank_text
from benchsuite.report.published import published_rows
from benchsuite.report.scaling.plot import to_svg as scaling_svg
from benchsuite.report.scaling.points import collect
from benchsuite.report.table import Board

SIZES = (1e6, 1e7, 1e8, 1e9)
SIZE_NAMES = ("below 1 M", "1 to 10 M", "10 to 100 M", "100 M to 1 B", "1 B and more")


def render(
    boards: Sequence[Board],
    found: Sequence[Record],
    families: Families,
    profiles: Sequence[Profile] = (),
    unreadable: Sequence[str] = (),
    texts: Mapping[str, list[dict[str, Any]]] | None = None,
) -> str:
    """The page, the same bytes for the same records.

    families: the family report of the same records. texts: wrong answers with their texts, by the
    key of the record.

    Raises InputError where the libraries of the extra `report` are not installed.
    """
    require_charts()
    script, style = _datatables()
    cells = cells_of(boards, profiles)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    here = Path(__file__).parent
    return environment.get_template("page.html.j2").render(
        boards=boards,
        families=families,
        family_header=HEADER,
        family_legend=FAMILY_LEGEND.replace("`", ""),
        plots=_plots(cells, found),
        costs=sorted(profile_rows(profiles).items()),
        cost_header=COST_HEADER,
        profile_header=PROFILE_HEADER,
        profile_legend=PROFILE_LEGEND,
        legend=LEGEND.replace("**", "").replace("`", ""),
        published=published_rows(boards),
        unreadable=unreadable,
        facts=_script_json(_facts(boards, cells, texts or {})),
        css=(here / "page.css").read_text(encoding="utf-8"),
        js=(here / "page.js").read_text(encoding="utf-8"),
        datatables_js=base64.b64encode(script).decode(),
        datatables_css=style,
    )


def _datatables() -> tuple[bytes, str]:
    """DataTables with its style, as itables bundles it."""
    try:
        import itables
    except ImportError:
        raise InputError("the page needs itables: pip install 'benchsuite[report]'") from None
    folder = Path(itables.__file__).parent / "html"
    style = (folder / "dt_bundle.css").read_text(encoding="utf-8")
    return (folder / "dt_bundle.js").read_bytes(), style.replace("</", "<\\/")


def _facts(
    boards: Sequence[Board], cells: Sequence[Cell], texts: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """All that the script shows: rows of the tables, values of the filters, details of cells."""
    details: list[dict[str, Any]] = []
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    made = []
    for board in boards:
        scales = {}
        for task in board.columns:
            ends = [
                end
                for cell in cells
                if cell.board == board.title and cell.task == task
                for end in (cell.score.low, cell.score.value, cell.score.high)
                if end is not None
            ]
            scales[task] = [min(ends), max(ends)] if ends else [0, 1]
        for number, row in enumerate(board.rows):
            rows[board.title, number] = {
                "model": row.model,
                "regime": row.regime,
                "kind": row.regime.partition(":")[0],
                "family": "unknown",
                "bucket": None,
                "mean": short(row.mean),
                "mean_text": percent(row.mean),
                "rank": None if row.rank is None else short(row.rank.value),
                "rank_text": rank_text(row.rank),
                "cells": {},
            }
        made.append(
            {
                "columns": board.columns,
                "metrics": board.metrics,
                "scales": scales,
                "ranked": any(row.mean is not None for row in board.rows),
                "rows": [rows[board.title, number] for number in range(len(board.rows))],
            }
        )
    for cell in cells:
        mine = rows[cell.board, cell.row]
        mine["family"], mine["kind"] = cell.family, regime_name(cell)
        if cell.size is not None:
            mine["bucket"] = sum(cell.size >= limit for limit in SIZES)
        mine["cells"][cell.task] = {
            "value": short(cell.score.value),
            "low": short(cell.score.low),
            "high": short(cell.score.high),
            "text": cell.entry.text,
            "interval": cell.entry.interval,
            "marks": cell.entry.marks,
            "best": cell.entry.best,
            "detail": len(details),
        }
        details.append(detail(cell) | {"texts": texts.get(cell.entry.records[0].key, [])})
    every = rows.values()
    return {
        "boards": made,
        "details": details,
        "family": sorted({row["family"] for row in every}),
        "regime": sorted({row["kind"] for row in every}),
        "task": sorted({task for board in boards for task in board.columns}),
        "sizes": SIZE_NAMES,
    }


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    escaped = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028"}
    for letter, code in (escaped | {"\u2029": "\\u2029"}).items():
        text = text.replace(letter, code)
    return text


def _own_ids(svg: str, name: str) -> str:
    """A picture whose ids are its own: they are counted through a process, and share a page."""
    for number, old in enumerate(re.findall(r' id="([^"]+)"', svg)):
        new = f"{name}-{number}"
        for form in (' id="{}"', "url(#{})", 'href="#{}"'):
            svg = svg.replace(form.format(old), form.format(new))
    return svg


def _plots(cells: Sequence[Cell], found: Sequence[Record]) -> list[dict[str, str]]:
    """The pictures there are records for, with a title and what they show."""
    drawn, left_out = drawn_cells(cells)
    plots: list[tuple[str, str, str, str | None, list[str]]] = []
    if drawn:
        front = "Dashed: the scores that no other reaches at the same cost or less (Pareto front)."
        hardware, latency = latency_of(drawn)
        alone = f" Medians of examples one by one, on {hardware}."
        for name, title, cost, more in (
            ("trainable", "Score against trained parameters", TRAINABLE, ""),
            ("flops", "Score against FLOPs", FLOPS, ""),
            ("latency", "Score against latency", latency, alone),
        ):
            drawing, without = cost_svg(drawn, cost)
            plots.append((name, title, front + more, drawing, left_out + without))
        heat, without = heat_svg(drawn)
        caps = " A number in parentheses: training examples, of a regime that has several."
        text = f"Scores, a panel a model.{caps}"
        plots.append(("heat", "Regime by task", text, heat, left_out + without))
        text = f"Scores with their intervals.{caps}"
        plots.append(("families", "By family", text, family_svg(drawn), left_out))
    depths, sizes = by_depth(found), by_size(found)
    scaling = collect([one for one in found if not one.cell["task"].startswith("lm-eval:")])
    checkpoints = len({one.model for one in scaling.checkpoints})
    if depths:
        text = "Score against the share of blocks that is frozen."
        plots.append(("depth", "Depth curve", text, depth_svg(depths), []))
    if sizes:
        text = "Score against training examples; dashed: the same architecture untrained."
        plots.append(("sizes", "Train-size curve", text, sizes_svg(sizes), []))
    if checkpoints > len({one.series for one in scaling.checkpoints}):
        text = "Zero-shot scores against tokens read, and FLOPs spent, in pretraining."
        plots.append(("scaling", "Scaling curve", text, scaling_svg(scaling), []))
    return [
        {
            "id": name,
            "title": title,
            "text": text,
            "left_out": f"Not drawn: {'; '.join(without)}." if without else "",
            "svg": _own_ids(svg, name),
        }
        for name, title, text, svg, without in plots
        if svg is not None
    ]
