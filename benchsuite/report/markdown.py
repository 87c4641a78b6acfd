"""The leaderboard as Markdown that GitHub renders; every string from outside is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from benchsuite.report.costs import PROFILE_HEADER
from benchsuite.report.table import Board, Entry, percent, rank_text

LEGEND = (
    "Scores are percent of the task's headline metric on its evaluation split; brackets hold the "
    "95% interval, over examples (bootstrap, passages stay whole) or, of several seeds, over "
    "examples and seeds. `trivial` is the majority label, no entity, or no answer; `bag of words`, "
    "a linear classifier on the words of the same training examples. Marks: "
    "`±x`: the score is a mean over prompts, x the standard deviation between them, in points; "
    "`±x over n seeds`: likewise of seeds; `1 seed`: another seed may give another score; "
    "`unstable k/n`: k of n trained seeds are no better than the trivial answer, within their "
    "interval; `cap`: not all examples were used; `part`: the split at hand is not the whole "
    "official one; `N labels`: so many labelled examples were looked at; `seen`: the model's "
    "pretraining text holds this task's training passages. **Bold**: not significantly worse than "
    "the best of the column (same examples, paired, Holm; 5%). `mean` and `rank` (1 is best, with "
    "its 95% interval over examples and seeds) are of rows that have all columns on the same data; "
    "GLUE's mean takes both metrics of MRPC, QQP and STS-B, and leaves WNLI and AX out."
)


PROFILE_LEGEND = (
    "By `bench profile`, each row in a process of its own: medians, the range of the repeats in "
    "brackets. Training is timed over three epochs, whatever is cached included; FLOPs are those "
    "of matrix products, a training example's of one epoch. Latency is that of an example on its "
    "own; memory that of the whole process. `(busy)`: other processes ran beside."
)


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line: markup and HTML lose their meaning."""
    text = html.escape(" ".join(text.split()), quote=False)
    text = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", text)
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
    lines = ["# Leaderboard", "", LEGEND, ""]
    for board in boards:
        lines += [f"## {escape(board.title)}", ""]
        lines += _scores(board)
        if board.notes:
            lines += ["", "Notes:", ""]
            lines += [f"- {escape(note)}" for note in dict.fromkeys(board.notes)]
        for hardware, rows in sorted(board.costs.items()):
            lines += ["", f"### Cost on {escape(hardware)}", ""]
            header = ("model", "regime", "task", "seconds", "examples/s", "trained parameters")
            lines += pipe_table(header, rows, left=3)
        lines.append("")
    lines += sections
    for hardware, measured in sorted((profiles or {}).items()):
        lines += [f"## Measured on {escape(hardware)}", "", PROFILE_LEGEND, ""]
        lines += [*pipe_table(PROFILE_HEADER, measured, left=3), ""]
    if unreadable:
        lines += ["## Records that could not be read", ""]
        lines += [f"- {escape(line)}" for line in unreadable]
    return "\n".join(lines).rstrip() + "\n"


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
    return Ready(" ".join(part for part in (*parts, *map(escape, entry.marks)) if part))


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
