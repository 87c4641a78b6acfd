"""The gate: did a model get worse, and how sure is that?

`check` compares two stores of records, `assert_no_regression` does it inside a test. No torch here.
"""

from benchsuite.check.result import Result, assert_no_regression, check

__all__ = ["Result", "assert_no_regression", "check"]
