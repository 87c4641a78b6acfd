"""Reports read records and nothing else: records -> table -> Markdown, terminal."""

from __future__ import annotations

from pathlib import Path

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.files import write_atomically


def write_report(store: Path, out: Path | None = None) -> Path:
    """Write `leaderboard.md` of a store's records and return its path.

    out: folder, default `<store>/report`. A record that cannot be read is named in the report and
    left out of its tables. Raises InputError where the store holds no record or the
    folder cannot be written.
    """
    from benchsuite.report import markdown, table

    folders = records.store_folders(store)
    if not folders:
        raise InputError(f"{store}: no records here; make some with `bench run --store {store}`")
    found, unreadable = [], []
    for folder in folders:
        try:
            found.append(records.read(folder))
        except InputError as error:
            unreadable.append(str(error))
    boards = table.build(found)
    target = (out or store / "report") / "leaderboard.md"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        content = markdown.render(boards, unreadable).encode("utf-8")
        write_atomically(target, lambda file: file.write(content))
    except OSError as error:
        raise InputError(f"{target.parent} cannot be written ({error.strerror})") from None
    return target
