"""One table from the Hugging Face hub or its local cache."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from benchsuite.errors import DataUnavailable

PARQUET_REVISION = "refs/convert/parquet"

# The signature of `datasets.load_dataset` as it is used here: (path, config, split=, revision=).
LoadDataset = Callable[..., Any]

# Why the hub could not be reached, once it was tried: each attempt without a network takes the
# libraries 20 seconds and more, so a process makes one.
_unreachable: list[str] = []


def hub_table(
    path: str,
    config: str,
    split: str,
    revision: str | None,
    offline: bool = False,
    load_dataset: LoadDataset | None = None,
) -> pa.Table:
    """One split from the hub or its local cache, all of its columns.

    With `offline` the hub is not tried; HF_HUB_OFFLINE or HF_DATASETS_OFFLINE leave its local
    cache. The revision `refs/convert/parquet` is the hub's own parquet conversion of a dataset
    whose script no longer loads; its files are named outright, since that branch has no card that
    would name configs. load_dataset replaces `datasets.load_dataset`. Raises DataUnavailable with
    the reason.
    """
    if load_dataset is None and not hub_is_offline():
        if offline:
            raise DataUnavailable("offline: the hub is not tried")
        if _unreachable:
            raise DataUnavailable(f"the hub could not be reached before: {_unreachable[0]}")
    load = load_dataset or _load_dataset()
    # The address in full: a bare `owner/name` would also match a folder of that name, which a
    # mirror in the working directory has.
    address = f"hf://datasets/{path}"
    try:
        with _quiet_retries():
            if revision == PARQUET_REVISION:
                pattern = f"{address}@{revision}/{config}/{split}/*.parquet"
                dataset = load("parquet", data_files={split: pattern}, split=split)
            else:
                dataset = load(address, config, split=split, revision=revision)
    except _failures() as error:
        reason = first_line(error)
        if load_dataset is None and isinstance(error, ConnectionError):
            _unreachable.append(reason)
        if "scripts are no longer supported" in reason:
            reason += f" (the task can name `revision: {PARQUET_REVISION}`)"
        raise DataUnavailable(
            f"{path}/{config}/{split} cannot be had from the hub: {reason}"
        ) from error
    table = dataset.with_format("arrow")[:]
    if table.num_rows == 0:
        raise DataUnavailable(f"{path}/{config}/{split} on the hub has no rows")
    return table


@contextlib.contextmanager
def _quiet_retries() -> Iterator[None]:
    """Keep the hub's warning about every retry off the terminal: the reason is raised anyway."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def hub_is_offline() -> bool:
    """Whether the Hugging Face libraries are told to use their local cache only."""
    names = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in names)


def first_line(error: Exception) -> str:
    """A library's message cut to one line, for a message of ours."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]


def _load_dataset() -> LoadDataset:
    # Imported here: slow to import, and most runs find their data in files or a mirror.
    import datasets

    return datasets.load_dataset


def _failures() -> tuple[type[Exception], ...]:
    """What loading raises when a table cannot be had, from any of the libraries below it."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    # The HTTP client's own base error is among the bases of the hub's: which client it is has
    # changed between versions, and a refused connection comes through as its error.
    return (OSError, ValueError, RuntimeError, DatasetsError, *HfHubHTTPError.__bases__)
