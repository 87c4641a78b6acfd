"""Data sets for lm-eval's tasks: the mirror is looked at before the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
import pyarrow.parquet as pq

from benchsuite.tasks.data import mirror_root

# Names that the hub itself redirects, as tasks still write them.
RENAMED = {
    "blimp": "nyu-mll/blimp",
    "conll2003": "eriktks/conll2003",
    "glue": "nyu-mll/glue",
    "race": "ehovy/race",
    "squad": "rajpurkar/squad",
    "squad_v2": "rajpurkar/squad_v2",
}


@contextmanager
def mirrored_datasets(offline: bool = False) -> Iterator[None]:
    """Within, `datasets.load_dataset` takes from the mirror what the mirror holds.

    offline: what the mirror does not hold comes from named files only, never from the hub.
    """
    original = datasets.load_dataset

    def load(path: str, name: str | None = None, *rest: Any, **settings: Any) -> Any:
        # Files that are named outright are no part of a mirror's layout.
        named = bool({"data_files", "data_dir"} & set(settings))
        folder = None if named else mirror_folder(path, name)
        split = settings.get("split")
        if folder is not None and split is None:
            return _read(folder)
        if folder is not None and (folder / f"{split}.parquet").is_file():
            return _read(folder)[split]
        if offline and not named:
            raise ConnectionError("offline: the hub is not tried")
        return original(path, name, *rest, **settings)

    datasets.load_dataset = load
    try:
        yield
    finally:
        datasets.load_dataset = original


def mirror_folder(path: str, name: str | None) -> Path | None:
    """The mirror's folder of a configuration of a hub data set; None where it has none.

    Without a name the only configuration there is is meant.
    """
    root = mirror_root()
    relative = PurePosixPath(RENAMED.get(path, path))
    parts = [*relative.parts, *PurePosixPath(name or "").parts]
    if root is None or relative.is_absolute() or ".." in parts:
        return None
    folder = root.joinpath(*parts)
    if name is None:
        configs = [one for one in sorted(folder.glob("*")) if one.is_dir()]
        folder = configs[0] if len(configs) == 1 else folder
    return folder if any(folder.glob("*.parquet")) else None


def _read(folder: Path) -> datasets.DatasetDict:
    """Every split of a folder of the mirror, with the hub's own columns."""
    return datasets.DatasetDict(
        {
            file.stem: datasets.Dataset(pq.read_table(file))
            for file in sorted(folder.glob("*.parquet"))
        }
    )
