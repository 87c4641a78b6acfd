"""Options that several commands of `bench` share."""

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")
Store = Annotated[Path, typer.Option("--store", help="Folder of the records.")]
TasksDir = Annotated[
    list[Path] | None, typer.Option("--tasks-dir", help="Folder of further task files.")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Corpus = Annotated[
    Path | None, typer.Option(envvar="BENCHSUITE_CORPUS", help="Folder of parquet files of text.")
]
NeededCorpus = Annotated[
    Path, typer.Option(envvar="BENCHSUITE_CORPUS", help="Folder of parquet files of text.")
]
Decontaminate = Annotated[
    Path | None,
    typer.Option(envvar="BENCHSUITE_DATA", help="Mirror whose evaluation text is left out."),
]


def split(names: str | None) -> list[str]:
    """Names joined by commas; an empty one is refused where it is looked up."""
    return [] if names is None else [name.strip() for name in names.split(",")]
