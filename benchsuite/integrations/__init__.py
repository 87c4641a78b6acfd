"""Other harnesses: lm-eval with this project's engines, and lm-eval's tasks in `bench run`."""

from __future__ import annotations

from importlib.util import find_spec

from benchsuite.errors import InputError


def require_lm_eval() -> None:
    """Raise InputError, saying how to get it, where lm-eval is not installed."""
    if find_spec("lm_eval") is None:
        raise InputError("lm-eval is not installed; get it with: pip install 'benchsuite[lm-eval]'")
