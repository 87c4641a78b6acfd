"""Numbers as people read them, in every table, page and message."""

from __future__ import annotations

from benchsuite.stats import Rank

METRIC_NAMES = {
    "accuracy": "accuracy",
    "matthews": "Matthews r",
    "f1": "F1",
    "em": "EM",
    "pearson": "Pearson r",
    "spearman": "Spearman r",
    "entity_f1": "entity F1",
}
# lm-eval's measures of surprise are no shares: shown as they are.
PLAIN_METRICS = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def shown(metric: str, value: float | None) -> str:
    """A metric's value as people read it: percent, but for what is no share."""
    return f"{value:.3f}" if value is not None and metric in PLAIN_METRICS else percent(value)


def digits(value: float) -> str:
    """A number with three digits that count, and without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rank_text(rank: Rank | None) -> str:
    """A mean rank with its interval; a dash where there is none."""
    if rank is None:
        return "-"
    interval = "" if rank.low is None else f" [{rank.low:.1f}, {rank.high:.1f}]"
    return f"{rank.value:.1f}{interval}"
