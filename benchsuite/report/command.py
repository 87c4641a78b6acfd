"""What the modules have in common that write one page of records."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from benchsuite.console import print_error
from benchsuite.errors import InputError


def write_page(
    module: str,
    description: str | None,
    write: Callable[[Sequence[Path], Path | None], Path],
    arguments: Sequence[str] | None,
) -> int:
    """Write a page of stores and print its path; 2 and one line where the input is bad.

    module: as it is run, `benchsuite.report.scaling`. write: from the stores and the page's folder.
    """
    parser = argparse.ArgumentParser(f"python -m {module}", description=description)
    parser.add_argument(
        "--store", type=Path, action="append", help="folder of records; may be given again"
    )
    parser.add_argument("--out", type=Path, help="folder of the page; default: STORE/report")
    options = parser.parse_args(arguments)
    try:
        print(write(options.store or [Path("runs")], options.out))
    except InputError as error:
        print_error(str(error))
        return 2
    return 0
