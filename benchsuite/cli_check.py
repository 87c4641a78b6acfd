"""`bench check` and `bench compare`: did a model get worse, and which of two is better?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli_options import RUNS, Json, Store, TasksDir, split
from benchsuite.errors import InputError


def check(
    baseline: Annotated[Path, typer.Option(help="Store of the records to hold to.")],
    candidate: Annotated[
        Path | None, typer.Option(help="Store of the records to judge; not for --power.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Tasks in scope; all where not given.")] = None,
    policy: Annotated[Path | None, typer.Option(help="YAML: margins and the like.")] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", help="OLD=NEW: compare a model or regime with another."),
    ] = None,
    cost: Annotated[bool, typer.Option("--cost", help="Compare `bench profile`s, too.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Make the candidate's records the baseline.")
    ] = False,
    power: Annotated[
        bool, typer.Option("--power", help="Plan: how many examples or seeds are needed.")
    ] = False,
    task: Annotated[str | None, typer.Option(help="With --power: one task id.")] = None,
    margin: Annotated[float | None, typer.Option(help="With --power: instead of the own.")] = None,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit code 0 where nothing is shown.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="Also write this Markdown file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write this JUnit XML file.")] = None,
    tasks_dir: TasksDir = None,
    as_json: Json = False,
) -> None:
    """Say whether a candidate got worse: exit code 0 no, 1 yes, 2 not comparable, 3 unknown."""
    from benchsuite import console
    from benchsuite.check import render
    from benchsuite.check import result as results

    others = {
        "--map": renamed,
        "--cost": cost,
        "--markdown": markdown,
        "--junit": junit,
        "--allow-inconclusive": allow_inconclusive,
    }
    if power:
        refuse("--power", others | {"--candidate": candidate, "--update": update})
        if task is not None and suite is not None:
            raise InputError("give --task or --suite, not both")
        from benchsuite.check import planning

        plans = planning.plan(
            baseline,
            suite=suite,
            task=task,
            margin=margin,
            policy=policy,
            tasks_dir=tasks_dir or [],
        )
        if as_json:
            console.print_json([one.to_json() for one in plans])
        else:
            console.print_table("", planning.HEADER, [one.row() for one in plans])
            console.out.print(planning.LEGEND, markup=False)
        return
    refuse("a check without --power", {"--task": task, "--margin": margin})
    if update:
        refuse("--update", others | {"--policy": policy, "--json": as_json})
    if candidate is None:
        raise InputError("give --candidate, the store to judge")
    if update:
        from benchsuite.check.update import update as accept

        scope = results.tasks_of(suite, tasks_dir or [])
        for line in accept(baseline, candidate, scope, tasks_dir or []):
            console.out.print(render.clean(line), markup=False, soft_wrap=True)
        return
    found = results.check(
        baseline,
        candidate,
        suite=suite,
        policy=policy,
        renamed=renamed or [],
        cost=cost,
        tasks_dir=tasks_dir or [],
    )
    if markdown is not None:
        results.write_text(markdown, render.to_markdown(found))
    if junit is not None:
        results.write_text(junit, render.to_junit(found, allow_inconclusive))
    if as_json:
        console.print_json(found.to_json())
    else:
        console.print_table("", render.HEADER, render.rows(found))
        if found.costs:
            console.print_table("", render.COST_HEADER, render.cost_rows(found))
        for line in render.remarks(found):
            console.out.print(line, markup=False, soft_wrap=True)
        console.out.print(render.summary(found), markup=False, style="bold")
    raise typer.Exit(found.exit_code(allow_inconclusive))


def refuse(what: str, given: Mapping[str, object]) -> None:
    """Raise InputError for options that would be ignored."""
    names = ", ".join(name for name, value in given.items() if value not in (None, False, []))
    if names:
        raise InputError(f"{what} takes no {names}")


def compare(
    a: Annotated[str, typer.Argument(help="A store, or a model or regime of --store.")],
    b: Annotated[str, typer.Argument(help="What to set beside it.")],
    store: Store = RUNS,
    suite: Annotated[str | None, typer.Option(help="Tasks in scope; all where not given.")] = None,
    task: Annotated[str | None, typer.Option(help="Task ids, joined by commas.")] = None,
    examples: Annotated[
        int, typer.Option(help="Examples that one alone has right to show, with their text.")
    ] = 0,
    markdown: Annotated[Path | None, typer.Option(help="Also write this Markdown file.")] = None,
    tasks_dir: TasksDir = None,
    as_json: Json = False,
) -> None:
    """Set two models, regimes or stores beside each other on the same examples."""
    from benchsuite import console
    from benchsuite.check import comparison
    from benchsuite.check import result as results

    if task is not None and suite is not None:
        raise InputError("give --task or --suite, not both")
    scope = split(task) if task is not None else results.tasks_of(suite, tasks_dir or [])
    found = comparison.compare_all(
        a, b, store, tasks=scope, examples=examples, tasks_dir=tasks_dir or []
    )
    if markdown is not None:
        results.write_text(markdown, comparison.to_markdown(found))
    if as_json:
        console.print_json(found.to_json())
        return
    console.print_table("", comparison.HEADER, [row.cells() for row in found.rows])
    for line in comparison.remarks(found):
        console.out.print(line, markup=False, soft_wrap=True)
    console.out.print(comparison.LEGEND, markup=False)
