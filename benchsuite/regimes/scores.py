"""From log-likelihoods to the scores that answers are compared by. Pure.

Sources: Holtzman et al. 2021, "Surface Form Competition" (PMI against a domain premise); Zhao et
al. 2021, "Calibrate Before Use" (contextual calibration); Brown et al. 2020 (log-likelihood a
token, GPT-3, section 2.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.scoring.types import Score
from benchsuite.tasks.kinds import SCORES
from benchsuite.tasks.spec import Prompt

NORMS = ("none", "token", "byte")

CONTENT_FREE = ("N/A", "[MASK]", "")
"""Inputs that say nothing (Zhao et al. 2021, section 5)."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of scoring a prompt's answers.

    path: how the engine scores. score: how result rows name it: the path, or `pmi`, `calibrated`,
    `generate`. norm: unit that log-likelihoods are divided by.
    """

    path: str
    score: str
    norm: str


def ways(prompt: Prompt, paths: Sequence[str], every: bool = False) -> list[Way]:
    """The prompt's own way first; with `every`, all others after it.

    paths: scoring paths of the method and family, the one that counts first. PMI and calibration
    are taken over that one.
    """
    first = paths[0]
    if prompt.method == "generate":
        return [Way(first, "generate", "none")]
    norm = "token" if prompt.method == "threshold" else prompt.norm
    own = Way(first, first if prompt.score == "likelihood" else prompt.score, norm)
    if not every:
        return [own]
    others = [Way(path, path, unit) for path in paths for unit in NORMS]
    if prompt.premise is not None:
        others.append(Way(first, "pmi", "none"))
    if "calibrated" in SCORES[prompt.method]:
        others.append(Way(first, "calibrated", "none"))
    return [own, *(way for way in others if way != own)]


def normalized(score: Score, norm: str) -> list[float]:
    """Log-likelihoods (nats) divided by the unit: none, token or byte."""
    if norm == "token":
        units: Sequence[int] = score.token_counts
    elif norm == "byte":
        units = score.byte_counts
    else:
        return list(score.log_likelihoods)
    return [value / unit for value, unit in zip(score.log_likelihoods, units, strict=True)]


def log_sum_exp(values: Sequence[float]) -> float:
    """Logarithm of the sum of exponentials; exactly the value itself for a single one."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values))


def log_mean_exp(values: Sequence[float]) -> float:
    """Logarithm of the mean of exponentials; exactly their value where all are equal."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))


def pmi(values: Sequence[float], premise: Sequence[float]) -> list[float]:
    """log p(answer | context) - log p(answer | premise) of each answer, nats.

    Ranks answers by their mutual information with the context, given the domain (Holtzman et al.
    2021, PMI_DC).
    """
    return [value - prior for value, prior in zip(values, premise, strict=True)]


def calibrated(values: Sequence[float], content_free: Sequence[Sequence[float]]) -> list[float]:
    """log (p / p_cf) of each answer: contextual calibration (Zhao et al. 2021, W = diag(p_cf)^-1).

    values: log-probabilities of the answers, up to a constant. content_free: the same for each
    content-free input. Both are normalized over the answers first; p_cf is the mean over inputs.
    """
    normal = [_log_normalized(one) for one in content_free]
    prior = [log_mean_exp(column) for column in zip(*normal, strict=True)]
    return [value - bias for value, bias in zip(_log_normalized(values), prior, strict=True)]


def _log_normalized(values: Sequence[float]) -> list[float]:
    total = log_sum_exp(values)
    return [value - total for value in values]
