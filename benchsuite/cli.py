"""The command `bench`: parses, calls, prints. No logic lives here; heavy imports are local."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from benchsuite import cli_check, cli_profile, cli_tokenizer
from benchsuite.cli_options import RUNS, Corpus, Decontaminate, Json, Store, TasksDir, split
from benchsuite.errors import BenchsuiteError, InputError

app = typer.Typer(
    name="bench",
    help="Which pretrained architecture, adapted how, is worth its cost on this task?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Benchmark data: what is there, and getting it.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(cli_tokenizer.app, name="tokenizer")
app.command()(cli_profile.profile)
app.command()(cli_check.check)
app.command()(cli_check.compare)


@app.command()
def run(
    model: Annotated[str, typer.Option(help="Names, joined by commas: gpt, ./path, hf:id@rev.")] = (
        "gpt"
    ),
    regime: Annotated[str, typer.Option(help="Regimes: name:option=value+option=value,...")] = (
        "zeroshot"
    ),
    task: Annotated[str | None, typer.Option(help="Task ids, joined by commas.")] = None,
    suite: Annotated[str | None, typer.Option(help="A suite's name; mini where neither.")] = None,
    seeds: Annotated[str, typer.Option(help="0,1,2 or 0..4")] = "0",
    limit: Annotated[
        int | None, typer.Option(help="Cap of evaluation examples a subset; 0 lifts a suite's.")
    ] = None,
    train_limit: Annotated[
        int | None, typer.Option(help="Cap of training examples; 0 lifts a suite's.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Splits to score instead of the own.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Prompts to use; all where not given.")] = None,
    score: Annotated[
        str, typer.Option(help="own: each prompt's own score; all: every other beside it")
    ] = "own",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16")] = "float32",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    batch_tokens: Annotated[int, typer.Option(help="Token budget of a batch.")] = 8192,
    max_length: Annotated[int | None, typer.Option(help="Window; the model's where not given")] = (
        None
    ),
    tune: Annotated[
        bool, typer.Option("--tune", help="Search the learning rate on the selection slice.")
    ] = False,
    store: Store = RUNS,
    tasks_dir: TasksDir = None,
    keep_artifacts: Annotated[
        bool, typer.Option("--keep-artifacts", help="Keep what was trained.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Redo cells whose record stands.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the cells; run nothing.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Local files and the hub's cache only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run models x regimes x tasks and store a record for each."""
    if offline:  # read by the hub's libraries when they are imported
        os.environ["HF_HUB_OFFLINE"] = "1"
    from benchsuite import api, console
    from benchsuite.cells import parse_seeds

    plan = api.prepare(
        model,
        regime,
        task,
        suite,
        seeds=parse_seeds(seeds),
        limit=limit,
        train_limit=train_limit,
        split=split,
        prompt=prompt,
        score=score,
        dtype=dtype,
        device=device,
        batch_tokens=batch_tokens,
        max_length=max_length,
        tune=tune,
        store=store,
        tasks_dir=tasks_dir or [],
        offline=offline,
    )
    if dry_run:
        if as_json:
            console.print_json([cell.model_dump(mode="json") for cell in plan.cells])
        else:
            console.print_table(
                f"{len(plan.cells)} cells",
                ("model", "regime", "task", "seed", "limit"),
                [(c.model, str(c.regime), c.task, c.seed, c.limit) for c in plan.cells],
            )
        return
    api.check_store(plan.store)
    from benchsuite.execute import run_cells
    from benchsuite.report import index, terminal, write_report

    with console.ProgressListener(len(plan.cells)) as listener:
        found = run_cells(
            plan.cells,
            plan.tasks,
            plan.store,
            force=force,
            keep_artifacts=keep_artifacts,
            listener=listener,
        )
    if as_json:
        console.print_json([record.model_dump() for record in found])
    else:
        stored, _ = index.read_store(plan.store, needed=False, tasks_dirs=tasks_dir or ())
        terminal.show(found, index.by_key(stored))
    path = write_report(plan.store, page=False, tasks_dirs=tasks_dir or ())
    console.err.print(f"leaderboard: {path}", markup=False)
    if any(record.status == "failed" for record in found):
        raise typer.Exit(1)


@app.command()
def tasks(
    name: Annotated[str | None, typer.Argument(help="A task to show.")] = None,
    validate: Annotated[Path | None, typer.Option(help="Check a folder of task files.")] = None,
    tasks_dir: TasksDir = None,
    examples: Annotated[int, typer.Option(help="Rendered examples to show.")] = 2,
    as_json: Json = False,
) -> None:
    """List the tasks, show one with rendered examples, or check a folder of task files."""
    from benchsuite import console
    from benchsuite.tasks import describe, registry

    if validate is not None:
        problems = registry.validate_dir(validate)
        for problem in problems:
            console.print_error(problem)
        if problems:
            raise typer.Exit(2)
        console.out.print(f"{validate}: all task files are valid", markup=False)
        return
    known = registry.Registry(tasks_dir or [])
    if name is not None:
        shown = describe.describe(known, name, examples)
        if as_json:
            console.print_json(shown)
        else:
            describe.render(shown, console.out)
        return
    rows = describe.listing(known)
    if as_json:
        console.print_json(rows)
    else:
        console.print_table("", list(rows[0]), [list(row.values()) for row in rows])


@app.command()
def models(as_json: Json = False) -> None:
    """List the models of this installation."""
    from benchsuite import console
    from benchsuite.models.registry import describe_models

    rows = describe_models()
    if as_json:
        console.print_json(rows)
    else:
        columns = list(rows[0]) if rows else ["name"]
        console.print_table("", columns, [list(row.values()) for row in rows])
        also = "also: ./path, hf:<id>@<revision>, <name>@<step>, <name>:untrained"
        console.out.print(also, markup=False)


@app.command()
def regimes(as_json: Json = False) -> None:
    """List the regimes: what they train, their options, defaults and source."""
    from benchsuite import console
    from benchsuite.regimes.registry import describe_regimes

    rows = describe_regimes()
    if as_json:
        console.print_json(rows)
    else:
        training = {row.pop("training") for row in rows} - {""}
        console.print_table("", list(rows[0]), [list(row.values()) for row in rows])
        for options in training:
            also = f"regimes trained by gradient descent (frozen to full) also take {options}"
            console.out.print(also, markup=False)


@app.command()
def show(
    cell: Annotated[str, typer.Argument(help="Folder name, key, or a part of either.")],
    errors: Annotated[int, typer.Option(help="Wrong predictions to show with their text.")] = 0,
    store: Store = RUNS,
    tasks_dir: TasksDir = None,
    as_json: Json = False,
) -> None:
    """Show one record; `--errors N` joins text from local data for reading."""
    from benchsuite import console
    from benchsuite.report import inspect

    record, folder = inspect.find(store, cell)
    rows = inspect.errors(record, folder, errors, tasks_dir or []) if errors else []
    if as_json:
        console.print_json({"record": record.model_dump(), "errors": rows})
    else:
        inspect.render(record, folder, rows, console.out)


@app.command()
def export(
    cell: Annotated[str, typer.Argument(help="Folder name, key, or a part of either.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to write; it must not be there.")],
    shards: Annotated[
        Path | None, typer.Option(help="Pretraining shards: note the held-out loss, too.")
    ] = None,
    store: Store = RUNS,
    tasks_dir: TasksDir = None,
) -> None:
    """Write the network that a cell trained (--keep-artifacts) as a checkpoint without a head."""
    from benchsuite import console
    from benchsuite.report import inspect
    from benchsuite.training.export import export as write

    _, folder = inspect.find(store, cell)
    console.out.print(str(write(folder, to, tasks_dir or [], shards)), markup=False)


@app.command()
def report(
    store: Store = RUNS,
    out: Annotated[Path | None, typer.Option(help="Default: STORE/report")] = None,
    with_text: Annotated[
        bool,
        typer.Option("--with-text", help="Put texts of some wrong answers, from local data, in."),
    ] = False,
    tasks_dir: TasksDir = None,
) -> None:
    """Write the leaderboard of a store: Markdown, HTML, CSV and parquet."""
    from benchsuite import console
    from benchsuite.report import write_report

    path = write_report(store, out, with_text=with_text, tasks_dirs=tasks_dir or ())
    console.out.print(str(path), markup=False)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Versions, processor, accelerators, data: what a bug report needs."""
    from benchsuite import console
    from benchsuite.doctor import examine

    facts = examine()
    if as_json:
        console.print_json(facts)
    else:
        console.print_table("", ("what", "found"), list(facts.items()))


@data_app.command("status")
def data_status(
    names: Annotated[str | None, typer.Argument(help="Task ids; all where not given.")] = None,
    tasks_dir: TasksDir = None,
    as_json: Json = False,
) -> None:
    """Per task and split: source, rows against official rows, partial or absent."""
    from benchsuite import console
    from benchsuite.tasks import mirror
    from benchsuite.tasks.registry import Registry

    rows = mirror.status(Registry(tasks_dir or []), split(names))
    if as_json:
        console.print_json([row.to_json() for row in rows])
    else:
        console.print_table(
            "",
            ("task", "split", "use", "source", "rows", "official", "state"),
            [(r.task, r.split, r.use, r.source, r.rows, r.official, r.words) for r in rows],
        )


@data_app.command("pull")
def data_pull(
    names: Annotated[str, typer.Argument(help="Task ids, joined by commas.")],
    to: Annotated[Path, typer.Option(help="Folder of the mirror.")],
    tasks_dir: TasksDir = None,
) -> None:
    """Write a mirror from the Hugging Face hub and print the licences."""
    from benchsuite import console
    from benchsuite.tasks import mirror
    from benchsuite.tasks.registry import Registry

    def say(line: str) -> None:
        console.out.print(line, markup=False, soft_wrap=True)

    rows = mirror.pull(Registry(tasks_dir or []), split(names), to, say)
    if any(row.state == "failed" for row in rows):
        raise typer.Exit(1)
    say(f"export BENCHSUITE_DATA={to}")


@app.command()
def pretrain(
    recipe: Annotated[Path, typer.Argument(help="A recipe, baselines/recipes/*.yaml.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoint, log and model; resumed from.")],
    corpus: Corpus = None,
    shards: Annotated[Path | None, typer.Option(help="Pre-tokenized shards to read.")] = None,
    data: Decontaminate = None,
    minutes: Annotated[float | None, typer.Option(help="Another budget than the recipe's.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Another budget than the recipe's.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads to compute with.")] = None,
) -> None:
    """Pretrain a model from a recipe; the same command resumes an interrupted run."""
    from benchsuite.pretrain.run import pretrain as run_recipe

    folder = run_recipe(
        recipe,
        corpus,
        out,
        shards=shards,
        minutes=minutes,
        tokens=tokens,
        threads=threads,
        data=data,
    )
    typer.echo(folder)


@app.command(
    "lm-eval",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def lm_eval(context: typer.Context) -> None:
    """Run lm-eval's own command line; its model `benchsuite` is this project's engines."""
    from benchsuite.integrations.lm_eval_cli import main as lm_eval_main

    raise typer.Exit(lm_eval_main(context.args))


# Typer keeps its usage errors private; they are what its public BadParameter derives from.
UsageError: type[Any] = typer.BadParameter.__bases__[0]


def main(arguments: list[str] | None = None) -> None:
    """Entry point: exit codes as documented, one line an error, no traceback for bad input."""
    from benchsuite.console import print_error

    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="bench", standalone_mode=False)
        sys.stdout.flush()  # a closed pipe shows here, not while Python ends
    except BenchsuiteError as error:
        print_error(str(error))
        code = 2 if isinstance(error, InputError) else 1
    except UsageError as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # a command group without a command
            typer.echo(message, err=True)
        else:
            print_error(f"{message} See: bench --help")
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = _leave_pipe()
    except OSError as error:
        print_error(f"{error.filename or 'input/output'}: {error.strerror or error}")
        code = 1
    if code == 130:
        print_error("interrupted; what is finished is stored, the same command goes on from there")
    sys.exit(code)


def _leave_pipe() -> int:
    """Nobody reads on (`bench show X | head`): nothing more is written, and nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
