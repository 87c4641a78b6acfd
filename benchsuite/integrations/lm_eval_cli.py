"""`bench lm-eval`: lm-eval's own command line, with this project's engines as a model."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchsuite.integrations import require_lm_eval


def main(arguments: Sequence[str]) -> int:
    """Run `lm-eval ARGUMENTS` with the model `benchsuite` registered; returns its exit code.

    Data sets that the mirror holds are read from there. Raises InputError where lm-eval is not
    installed, and what the engines raise.
    """
    require_lm_eval()
    from lm_eval.__main__ import cli_evaluate

    import benchsuite.integrations.lm_eval  # noqa: F401  (registers the model)
    from benchsuite.integrations.lm_eval_data import mirrored_datasets

    before = sys.argv
    sys.argv = ["lm-eval", *arguments]  # its parser reads them from there
    try:
        with mirrored_datasets():
            cli_evaluate()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    finally:
        sys.argv = before
    return 0
