"""The gate's answer for people and for CI: rows of a table, Markdown, JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from benchsuite.check.arms import Verdict
from benchsuite.check.cost import CostVerdict
from benchsuite.check.result import Result
from benchsuite.console import clean
from benchsuite.report.markdown import escape, pipe_table
from benchsuite.report.numbers import METRIC_NAMES, PLAIN_METRICS, shown
from benchsuite.report.seeds import CORRELATIONS

HEADER = ("cell", "metric", "n", "baseline", "candidate", "difference", "margin", "p", "verdict")
COST_HEADER = ("profile", "measure", "baseline", "candidate", "ratio", "margin", "verdict")
FLIPS_SHOWN = 10
LEGEND = (
    "Difference: candidate - baseline, in points, with its one-sided bounds at {level:.3g}%. p: "
    "one-sided, of a loss, adjusted for the number of tests (Holm). fail: the loss is significant "
    "and, but for strict tasks, reaches the margin; pass: a loss of the margin is ruled out; "
    "inconclusive: neither."
)


def rows(result: Result) -> list[tuple[str, ...]]:
    """A row a verdict, under HEADER."""
    return [tuple(clean(cell) for cell in _row(one)) for one in result.verdicts]


def cost_rows(result: Result) -> list[tuple[str, ...]]:
    """A row a cost, under COST_HEADER."""
    return [tuple(clean(cell) for cell in _cost_row(one)) for one in result.costs]


def remarks(result: Result) -> list[str]:
    """What the table does not say: why, what is missing, what got better, which answers changed."""
    lines = [f"not comparable: {line}" for line in result.unlike]
    lines += [f"missing: {line}" for line in result.missing]
    lines += [f"not compared: {line}" for line in result.skipped]
    for one in result.verdicts:
        if one.outcome != "pass":
            lines.append(f"{one.name}: {one.outcome}: {_reason(one)}")
        if one.gained:
            lines.append(
                f"{one.name}: better by the margin or more; a broken extractor can do that, too"
            )
        lines += _flips(one)
    return [clean(line) for line in dict.fromkeys(lines)]


def summary(result: Result) -> str:
    """One line: the outcome and how many of each."""
    counts = {
        outcome: sum(one.outcome == outcome for one in result.judged)
        for outcome in ("fail", "inconclusive", "pass")
    }
    parts = [f"{count} {outcome}" for outcome, count in counts.items() if count]
    if result.missing:
        parts.insert(0, f"{len(result.missing)} missing")
    if result.unlike:
        parts.insert(0, f"{len(result.unlike)} not comparable")
    return f"{result.outcome}: {', '.join(parts)}"


def to_markdown(result: Result) -> str:
    """A comment for a pull request, the same for the same result."""
    lines = [f"# bench check: {escape(summary(result))}", ""]
    legend = LEGEND.format(level=100 * (1 - result.policy.alpha))
    lines += [
        f"Baseline {escape(result.baseline)}, candidate {escape(result.candidate)}. {legend}",
        "",
    ]
    if result.verdicts:
        lines += [*pipe_table(HEADER, rows(result), left=2), ""]
    if result.costs:
        lines += [*pipe_table(COST_HEADER, cost_rows(result), left=2), ""]
    lines += [f"- {escape(line)}" for line in remarks(result)]
    return clean("\n".join(lines).rstrip(), keep="\n") + "\n"


def to_junit(result: Result, allow_inconclusive: bool = False) -> str:
    """JUnit XML: a test case a verdict. Inconclusive ones fail, or are skipped where allowed."""
    suite = ET.Element("testsuite", name="bench check")
    failures = skipped = 0
    for one in result.judged:
        if isinstance(one, Verdict):
            name, text = one.name, f"{_reason(one)} ({_difference(one)})"
        else:
            name, text = f"{one.name} {one.measure}", f"{one.ratio:.3f} times the baseline's"
        case = ET.SubElement(suite, "testcase", classname="bench check", name=clean(name))
        if one.outcome == "inconclusive" and allow_inconclusive:
            ET.SubElement(case, "skipped", message=clean(text))
            skipped += 1
        elif one.outcome != "pass":
            ET.SubElement(case, "failure", type=one.outcome, message=clean(text))
            failures += 1
    for kind, lines in (("missing", result.missing), ("not comparable", result.unlike)):
        for line in lines:
            case = ET.SubElement(suite, "testcase", classname="bench check", name=clean(line))
            ET.SubElement(case, "failure", type=kind, message=clean(line))
            failures += 1
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _row(one: Verdict) -> tuple[str, ...]:
    seeds = f" ({one.seeds[0]} and {one.seeds[1]} seeds)" if one.seeds else ""
    return (
        one.name,
        METRIC_NAMES.get(one.metric, one.metric) + seeds,
        f"{one.n:,}",
        shown(one.metric, one.baseline),
        shown(one.metric, one.candidate),
        _difference(one),
        points(one.metric, one.margin),
        probability(one.adjusted),
        one.outcome,
    )


def _difference(one: Verdict) -> str:
    if one.d is None:
        return "-"
    text = points(one.metric, one.d, "+")
    if one.low is None or one.high is None:
        return text
    return f"{text} [{points(one.metric, one.low, '+')}, {points(one.metric, one.high, '+')}]"


def points(metric: str, value: float, sign: str = "") -> str:
    """A difference as people read it: points of percent, but for what is no share."""
    return f"{value:{sign}.3f}" if metric in PLAIN_METRICS else f"{100 * value:{sign}.2f}"


def _reason(one: Verdict) -> str:
    """Why the outcome is what it is."""
    if one.reason:
        return one.reason
    if one.outcome == "fail":
        return f"worse by {points(one.metric, -(one.d or 0.0))}, more than chance explains"
    if one.outcome == "pass":
        return f"a loss of {points(one.metric, one.margin)} or more is ruled out"
    text = "neither a loss of the margin nor its absence is shown"
    if one.detectable is None:
        return text
    least = -1.0 if one.metric in CORRELATIONS else 0.0
    if one.detectable > one.baseline - least:
        return f"{text}; nothing that there is to lose would fail in 80% of cases"
    found = points(one.metric, one.detectable)
    return f"{text}; a true loss of {found} would fail in 80% of cases"


def probability(p: float | None) -> str:
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _flips(one: Verdict) -> list[str]:
    """Which examples one arm alone has right, some of them by name."""
    lines = []
    for lost, words in (
        (True, "right in the baseline alone"),
        (False, "right in the candidate alone"),
    ):
        found = [flip for flip in one.flips if flip.lost == lost]
        if found:
            names = ", ".join(
                " ".join(part for part in (flip.subset, flip.id) if part)
                for flip in found[:FLIPS_SHOWN]
            )
            more = ", ..." if len(found) > FLIPS_SHOWN else ""
            lines.append(f"{one.name}: {len(found):,} {words}{one.often}: {names}{more}")
    return lines


def _cost_row(one: CostVerdict) -> tuple[str, ...]:
    return (
        one.name,
        one.measure,
        f"{one.baseline:,.4g} [{one.bands[0][0]:,.4g}, {one.bands[0][1]:,.4g}]",
        f"{one.candidate:,.4g} [{one.bands[1][0]:,.4g}, {one.bands[1][1]:,.4g}]",
        f"{one.ratio:.3f}",
        f"{one.margin:.0%}",
        one.outcome,
    )
