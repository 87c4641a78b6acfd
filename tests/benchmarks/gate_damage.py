"""The gate on real records: `gpt` with noise on its weights, and other candidates.

    BENCHSUITE_DATA=DIR python -m tests.benchmarks.gate_damage --store runs/gate [--plot FILE]

Noise of a matrix is normal with a standard deviation of so many times that of the matrix's own
values. The other candidates are checkpoints of `gpt`'s training (`gpt@<step>`, where they are at
hand), bfloat16, and another batch size. The baseline is `gpt` as it is. Records that stand in the
store are used again; prints a Markdown table.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import benchsuite
from benchsuite.check import check
from benchsuite.check.arms import Verdict
from benchsuite.check.render import HEADER, rows
from benchsuite.errors import InputError
from benchsuite.models.registry import resolve_model
from benchsuite.paths import baselines_root
from benchsuite.report.markdown import pipe_table

NOISE = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
TASKS = ("blimp", "glue/sst2", "race/middle")
LIMITS = {"blimp": 200}
STEPS = (256, 512, 2048)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model, or a way of running `gpt`, that is compared with `gpt` itself."""

    name: str
    model: str
    settings: dict[str, Any]
    noise: float | None = None


def damaged(folder: Path, noise: float) -> Path:
    """A copy of `gpt` with noise on every matrix of its weights."""
    import torch
    from safetensors.torch import load_file, save_file

    if not (folder / "model.safetensors").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(baselines_root() / "models" / "gpt", folder)
        generator = torch.Generator().manual_seed(0)
        weights = load_file(folder / "model.safetensors")
        for name, value in sorted(weights.items()):
            if value.ndim == 2:
                drawn = torch.randn(value.shape, generator=generator)
                weights[name] = (value.float() + noise * value.float().std() * drawn).to(
                    value.dtype
                )
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def candidates(store: Path) -> list[Candidate]:
    """All that is compared; checkpoints only where their weights are at hand."""
    found = [
        Candidate(f"noise {noise:g}", str(damaged(store / f"noise-{noise:g}", noise)), {}, noise)
        for noise in NOISE
    ]
    for step in STEPS:
        try:
            resolve_model(f"gpt@{step}")
        except InputError:
            continue
        found.append(Candidate(f"gpt@{step}", f"gpt@{step}", {}))
    found.append(Candidate("bfloat16", "gpt", {"dtype": "bfloat16"}))
    found.append(Candidate("batches of 1,024 tokens", "gpt", {"batch_tokens": 1024}))
    return found


def answer(store: Path, model: str, settings: dict[str, Any]) -> Path:
    """A store with the records of one candidate on all tasks."""
    for task in TASKS:
        benchsuite.run(
            model=model,
            regime="zeroshot",
            task=task,
            limit=LIMITS.get(task),
            store=store,
            **settings,
        )
    return store


def plot(shown: list[tuple[float, Verdict]], path: Path) -> None:
    """Difference and bounds against noise, a panel a task, coloured by verdict."""
    import altair as alt

    from benchsuite.report.charts import svg_of

    data = alt.Data(
        values=[
            {
                "noise": noise,
                "task": one.task,
                "difference": 100 * (one.d or 0.0),
                "low": 100 * (one.low or 0.0),
                "high": 100 * (one.high or 0.0),
                "verdict": one.outcome,
            }
            for noise, one in shown
        ]
    )
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(
            domain=["pass", "inconclusive", "fail"], range=["#1b7837", "#b8860b", "#b2182b"]
        ),
    )
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=["pass", "inconclusive", "fail"]))
    base = alt.Chart(data).encode(
        x=alt.X(
            "noise:Q",
            scale=alt.Scale(type="log", domain=[0.008, 0.4], nice=False),
            axis=alt.Axis(title="noise, standard deviations of a matrix", values=list(NOISE)),
        )
    )
    bars = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("low:Q", title="candidate - baseline, points"), y2="high:Q", color=colour
    )
    points = base.mark_point(filled=True, size=60).encode(
        y="difference:Q", color=colour, shape=shape
    )
    margin = (
        alt.Chart(alt.Data(values=[{"margin": -2.0}]))
        .mark_rule(strokeDash=[4, 4])
        .encode(y="margin:Q")
    )
    panels = [
        alt.layer(
            bars.transform_filter(alt.datum.task == task),
            points.transform_filter(alt.datum.task == task),
            margin,
        ).properties(width=230, height=200, title=task)
        for task in TASKS
    ]
    path.write_text(svg_of(alt.hconcat(*panels)))


def main() -> None:
    """Make what is missing, compare, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("runs/gate"))
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    base = answer(given.store / "baseline", "gpt", {})
    table: list[tuple[str, ...]] = []
    shown: list[tuple[float, Verdict]] = []
    for one in candidates(given.store):
        folder = given.store / one.name.replace(" ", "-").replace(",", "")
        answer(folder / "records", one.model, one.settings)
        renamed = {} if one.model == "gpt" else {"gpt": one.model}
        result = check(base, folder / "records", renamed=renamed)
        for verdict, line in zip(result.verdicts, rows(result), strict=True):
            table.append((one.name, verdict.task, *line[3:]))
        if one.noise is not None:
            shown += [(one.noise, verdict) for verdict in result.verdicts]
    print("\n".join(pipe_table(("candidate", "task", *HEADER[3:]), table, left=2)))
    if given.plot:
        plot(shown, given.plot)


if __name__ == "__main__":
    main()
