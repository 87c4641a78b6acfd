"""`python -m benchsuite.report.figures --store DIR [--out DIR]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchsuite.report.command import write_page
from benchsuite.report.figures.page import write_figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figures of a store and print the page's path; 2 where the input is bad."""
    return write_page("benchsuite.report.figures", __doc__, write_figures, arguments)


if __name__ == "__main__":
    sys.exit(main())
