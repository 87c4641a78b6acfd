"""`python -m benchsuite.report.scaling --store DIR [--out DIR]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchsuite.report.command import write_page
from benchsuite.report.scaling.page import write_scaling


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the curves of a store and print the page's path; 2 where the input is bad."""
    return write_page("benchsuite.report.scaling", __doc__, write_scaling, arguments)


if __name__ == "__main__":
    sys.exit(main())
