"""The leaderboard as Markdown that GitHub renders; every string from outside is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from benchsuite.console import clean
from benchsuite.report.costs import COST_HEADER, PROFILE_HEADER
from benchsuite.report.numbers import percent, rank_text
from benchsuite.report.table import Board, Entry

MOST_MODELS = 12

INTRODUCTION = (
    "Which pretrained architecture, adapted how, is worth its cost on this task? "
    "Scores are percent; **bold** is what is not significantly worse than the best of its column. "
    "[How to read the tables](#how-to-read-the-tables)"
)
LEGEND = "\n\n".join(
    (
        "Scores are percent of the task's headline metric on its evaluation split; brackets hold "
        "the 95% interval, over examples (bootstrap, passages stay whole) or, of several seeds, "
        "over examples and seeds.",
        "**Bold**: not significantly worse than the best of the column (same examples, paired, "
        "Holm; 5%), of several seeds over examples and seeds, of single ones over examples alone. "
        "`mean` and `rank` (1 is best, with its 95% interval, likewise) are of rows that have all "
        "columns on the same data and caps; GLUE's mean takes both metrics of MRPC, QQP and STS-B, "
        "and leaves WNLI and AX out.",
        "`trivial` is the best of answers that are always the same: the majority label (by F1 the "
        "positive one, if that is better), no entity, or no answer; `bag of words`, a linear "
        "classifier on the words of the same training examples.",
        "Marks. `±x`: the score is a mean over prompts, x the standard deviation between them, in "
        "points; `±x over n seeds`: likewise of seeds; `1 seed`: another seed may give another "
        "score; `unstable k/n`: k of n trained seeds are no better than the trivial answer, within "
        "their interval; `cap`: not all examples were used; `part`: the split at hand is not the "
        "whole official one; `N labels`: so many labelled examples were looked at; `seen`: the "
        "model's pretraining text holds this task's training passages; `untuned`: the model says "
        "itself that there is no answer, by no threshold but 0; `apart`: on fewer or "
        "other examples than the column's, or trained on more or fewer than most there, and so not "
        "bold; "
        "`untested`: without its outcomes, which bold needs.",
        "Costs are of whole cells, scoring included; `(busy)`: the machine did other work beside.",
    )
)


PROFILE_LEGEND = (
    "By `bench profile`, each row in a process of its own: medians, the range of the repeats in "
    "brackets. Training is timed over three epochs, whatever is cached included; FLOPs are those "
    "of matrix products, a training example's of one epoch. Latency is that of an example on its "
    "own; memory that of the whole process. `(busy)`: other processes ran beside."
)


MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {sign: f"\\{sign}" for sign in "\\`*_[]#|~$"}
)


# What GitHub makes a link, a mention or an emoji of wherever it stands in a text.
LIVE = re.compile(
    r"(?<![\w/])@(?=\w)|(?<=[\w.+-])@(?=[\w-]+\.\w)|\\#(?=\d)|:(?=//)|\bwww(?=\.)|:(?=\w+:)",
    re.IGNORECASE,
)


@lru_cache(maxsize=16_384)  # names and intervals come back in many cells
def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line: markup and HTML lose their meaning.

    An empty comment parts what GitHub would turn into a link, for nothing else stops it.
    """
    text = clean(" ".join(text.split())).translate(MARKUP)
    text = LIVE.sub(lambda found: found[0] + "<!-- -->", text)
    return re.sub(r"^([-+]|\d+[.)])(?=\s)", lambda start: start[0][:-1] + "\\" + start[0][-1], text)


def render(
    boards: Sequence[Board],
    unreadable: Sequence[str] = (),
    profiles: Mapping[str, Sequence[Sequence[str]]] | None = None,
    sections: Sequence[str] = (),
) -> str:
    """All boards as one document, the same for the same records.

    unreadable: what is wrong with records of the store that are not in the boards. profiles: rows
    by hardware, as `costs.profile_rows` gives them. sections: lines to stand below the boards.
    """
    lines = ["# Leaderboard", "", INTRODUCTION, "", *_models(boards)]
    for board in boards:
        lines += [f"## {escape(board.title)}", ""]
        lines += _scores(board)
        if board.notes:
            lines += ["", "Notes:", ""]
            lines += [f"- {escape(note)}" for note in dict.fromkeys(board.notes)]
        lines.append("")
    lines += sections
    for board in boards:
        for hardware, rows in sorted(board.costs.items()):
            lines += [f"## Cost: {escape(board.title)}", "", f"On {escape(hardware)}.", ""]
            lines += [*pipe_table(COST_HEADER, rows, left=3), ""]
    for hardware, measured in sorted((profiles or {}).items()):
        lines += [f"## Measured on {escape(hardware)}", "", PROFILE_LEGEND, ""]
        lines += [*pipe_table(PROFILE_HEADER, measured, left=3), ""]
    lines += ["## How to read the tables", "", LEGEND, ""]
    if unreadable:
        lines += ["## Records that are not in the tables", ""]
        lines += [f"- {escape(line)}" for line in unreadable]
    return "\n".join(lines).rstrip() + "\n"


def _models(boards: Sequence[Board]) -> list[str]:
    """A line a model: its family, its size, and what it was pretrained on where that is known."""
    lines: dict[str, str] = {}
    entries = [entry for board in boards for row in board.rows for entry in row.entries.values()]
    for record in (record for entry in entries for record in entry.records):
        model, pretraining = record.cell["model"], record.provenance.get("pretraining")
        size = record.cost.get("parameters_total")
        if size is None or model in lines or record.is_checkpoint:
            continue
        facts = [record.cell.get("family") or "family unknown", f"{size / 1e6:,.1f} M parameters"]
        if pretraining and pretraining.get("tokens"):
            facts.append(f"pretrained on {pretraining['tokens'] / 1e6:,.1f} M tokens")
        lines[model] = f"- {escape(model)}: {', '.join(map(escape, facts))}"
    shown = [lines[model] for model in sorted(lines)]
    if len(shown) > MOST_MODELS:
        shown[MOST_MODELS:] = [f"- and {len(shown) - MOST_MODELS} more"]
    return [*shown, ""] if shown else []


def _scores(board: Board) -> list[str]:
    header = ["model", "regime"]
    for task in board.columns:
        metric = board.metrics.get(task)
        header.append(f"{task} ({metric})" if metric else task)
    ranked = any(row.mean is not None for row in board.rows)
    header += ["mean", "rank"] * ranked
    rows = []
    for row in board.rows:
        cells = [row.model, row.regime]
        cells += [_score(row.entries.get(task)) for task in board.columns]
        cells += [percent(row.mean), rank_text(row.rank)] * ranked
        rows.append(cells)
    for name, values in board.references:
        cells = [values.get(task, "-") for task in board.columns] + ["-", "-"] * ranked
        rows.append([name, "baseline", *cells])
    return pipe_table(header, rows, left=2)


class Ready(str):
    """Text that is Markdown already, and not to be escaped."""


def _score(entry: Entry | None) -> str:
    """A score, its interval and its marks; the score is bold where none is significantly better."""
    if entry is None:
        return "-"
    text = escape(entry.text)
    parts = [f"**{text}**" if entry.best else text, escape(entry.interval)]
    return Ready(" ".join(part for part in (*parts, ", ".join(map(escape, entry.marks))) if part))


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """A pipe table; the first `left` columns to the left, the others to the right."""
    rule = ["---" if index < left else "---:" for index in range(len(header))]
    lines = [header, rule, *rows]
    return [
        "| " + " | ".join(cell if line is rule else _cell(cell) for cell in line) + " |"
        for line in lines
    ]


def _cell(text: str) -> str:
    return text if isinstance(text, Ready) else escape(text)
