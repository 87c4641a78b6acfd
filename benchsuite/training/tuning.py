"""A learning rate chosen on the selection slice by successive halving.

Source: Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization": all candidates on a small budget, the better half on twice as much, and so on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchsuite.errors import CellFailed, Diverged
from benchsuite.files import write_atomically

FILE = "tuning.json"
FACTORS = (0.1, 0.3, 1.0, 3.0)
"""Of the regime's default rate."""
RUNGS = ((4, 0.25), (2, 0.5))
"""How many candidates are tried, on which share of the epochs; the best of the last is taken."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A rate that was tried for a share of the epochs.

    metric, confidence: on the selection slice, in the end; the metric is None where it is
    undefined, both are where the run diverged.
    """

    lr: float
    share: float
    metric: float | None
    confidence: float | None

    @property
    def score(self) -> tuple[float, float]:
        """Larger is better."""
        metric = -math.inf if self.metric is None else self.metric
        return metric, -math.inf if self.confidence is None else self.confidence

    @property
    def diverged(self) -> bool:
        """Whether nothing finite came of it."""
        return self.confidence is None


def successive_halving(
    rates: Sequence[float],
    attempt: Callable[[float, float], tuple[float, float]],
    done: Sequence[Trial] = (),
    noted: Callable[[list[Trial]], None] | None = None,
) -> tuple[float, list[Trial]]:
    """The best rate and all trials, in order.

    attempt: trains at a rate for a share of the epochs and gives (metric, confidence); Diverged
    counts as the worst, any other failure ends the search. done: trials of an earlier, interrupted
    search. noted: hears of all trials after each. Raises CellFailed where every rate diverged.
    """
    trials: list[Trial] = []
    left = list(rates)
    for count, share in RUNGS:
        found: list[Trial] = []
        for rate in left[:count]:
            known = [one for one in done if (one.lr, one.share) == (rate, share)]
            found.append(known[0] if known else _try(rate, share, attempt))
            trials.append(found[-1])
            if noted is not None:
                noted(trials)
        # Of equals the one tried first, so sorting must be stable.
        found.sort(key=lambda trial: trial.score, reverse=True)
        left = [trial.lr for trial in found]
        if found[0].diverged:
            raise CellFailed(
                f"training diverged at every rate tried ({', '.join(f'{r:g}' for r in rates)}); "
                f"set a lower one (lr=...)"
            )
    return left[0], trials


def _try(
    rate: float, share: float, attempt: Callable[[float, float], tuple[float, float]]
) -> Trial:
    try:
        metric, confidence = attempt(rate, share)
    except Diverged:
        return Trial(rate, share, None, None)
    if not math.isfinite(confidence):
        return Trial(rate, share, None, None)
    return Trial(rate, share, metric if math.isfinite(metric) else None, confidence)


def save(scratch: Path, run: str, trials: Sequence[Trial], seconds: float) -> None:
    """Keep the trials of a search that may be interrupted, and the seconds they took."""
    scratch.mkdir(parents=True, exist_ok=True)
    found = {"run": run, "trials": [asdict(one) for one in trials], "seconds": seconds}
    content = json.dumps(found).encode()
    write_atomically(scratch / FILE, lambda file: file.write(content))


def load(scratch: Path, run: str) -> tuple[list[Trial], float]:
    """The trials of this run's search so far, and the seconds they took.

    None and 0 where the file is of another run, or torn.
    """
    try:
        content = json.loads((scratch / FILE).read_text(encoding="utf-8"))
        if content["run"] != run:
            return [], 0.0
        return [Trial(**one) for one in content["trials"]], float(content["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return [], 0.0


def remove(scratch: Path) -> None:
    """Forget a search that is finished."""
    (scratch / FILE).unlink(missing_ok=True)
