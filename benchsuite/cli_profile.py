"""`bench profile`: what models under regimes cost."""

from __future__ import annotations

from typing import Annotated

import typer

from benchsuite.cli_options import RUNS, Json, Store, TasksDir


def profile(
    model: Annotated[str, typer.Option(help="Names, joined by commas.")] = "gpt",
    regime: Annotated[str, typer.Option(help="Regimes: name:option=value+option=value,...")] = (
        "zeroshot"
    ),
    task: Annotated[str, typer.Option(help="Task ids, joined by commas.")] = "mini/sentiment",
    examples: Annotated[int, typer.Option(help="Examples to train on and to predict.")] = 64,
    repeats: Annotated[int, typer.Option(help="Repeats of each timed thing, 5 or more.")] = 5,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16")] = "float32",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    batch_tokens: Annotated[int, typer.Option(help="Token budget of a batch.")] = 8192,
    max_length: Annotated[int | None, typer.Option(help="Window; the model's where not given")] = (
        None
    ),
    store: Store = RUNS,
    tasks_dir: TasksDir = None,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Measure though others use the machine.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Redo profiles that stand.")] = False,
    as_json: Json = False,
) -> None:
    """Measure what models under regimes cost on tasks: speed, latency, FLOPs, memory, size."""
    from benchsuite import api, console
    from benchsuite.efficiency import profile_cells
    from benchsuite.profiles import Profile
    from benchsuite.report.costs import PROFILE_HEADER, profile_rows

    plan = api.prepare(
        model,
        regime,
        task,
        dtype=dtype,
        device=device,
        batch_tokens=batch_tokens,
        max_length=max_length,
        store=store,
        tasks_dir=tasks_dir or [],
    )
    api.check_store(plan.store)

    def told(one: Profile, standing: bool) -> None:
        how = "stands already" if standing else one.status
        console.err.print(
            f"{one.name}: {how}{f': {one.reason}' if one.reason else ''}", markup=False
        )

    found = profile_cells(
        plan.cells,
        plan.tasks,
        plan.store,
        examples=examples,
        repeats=repeats,
        tasks_dir=tasks_dir or [],
        force=force,
        allow_busy=allow_busy,
        told=told,
    )
    if as_json:
        console.print_json([one.model_dump() for one in found])
    else:
        for hardware, rows in profile_rows(found).items():
            console.print_table(hardware, PROFILE_HEADER, rows)
    if any(one.status == "failed" for one in found):
        raise typer.Exit(1)
