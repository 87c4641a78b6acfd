"""`python -m benchsuite.report.figures --store DIR [--out DIR]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchsuite.console import print_error
from benchsuite.errors import InputError
from benchsuite.report.figures.page import write_figures


def main(arguments: list[str] | None = None) -> int:
    """Write the figures of a store and print the page's path; 2 where the input is bad."""
    parser = argparse.ArgumentParser("python -m benchsuite.report.figures", description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("runs"), help="folder of the records")
    parser.add_argument("--out", type=Path, help="folder of the page; default: STORE/report")
    options = parser.parse_args(arguments)
    try:
        print(write_figures(options.store, options.out))
    except InputError as error:
        print_error(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
