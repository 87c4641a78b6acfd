"""The errors a user can cause or repair, each one clear line."""


class BenchsuiteError(Exception):
    """Base of the errors the command line prints as one line, without a traceback."""


class InputError(BenchsuiteError):
    """Bad input: nothing was run because of it (exit code 2)."""


class DataUnavailable(BenchsuiteError):
    """A task's data is neither in the mirror nor on the hub; the message says how to get it."""


class CellFailed(BenchsuiteError):
    """One cell cannot be finished (NaN score, corrupt record); the others go on (exit code 1)."""


class Diverged(CellFailed):
    """A training whose numbers left the finite: another learning rate may do better."""


class NotApplicable(BenchsuiteError):
    """A model cannot be brought to a task this way; stored as `not_applicable` with the reason.

    condition: which of the support table's conditions it is (`regimes.support.CONDITIONS`).
    """

    def __init__(self, message: str, condition: str = "") -> None:
        super().__init__(message)
        self.condition = condition
