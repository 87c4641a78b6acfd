"""Reports read records and nothing else: records -> table -> Markdown, terminal."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any

from benchsuite import profiles, records
from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.records import Record


def readable_records(store: Path, *, needed: bool = True) -> tuple[list[Record], list[str]]:
    """A store's records, sorted by folder name, and what is wrong with those that cannot be read.

    Raises InputError where the store holds no record, though one is `needed`.
    """
    folders = records.store_folders(store)
    if needed and not folders:
        raise InputError(f"{store}: no records here; make some with `bench run --store {store}`")
    found, unreadable = [], []
    for folder in folders:
        try:
            found.append(records.read(folder))
        except InputError as error:
            unreadable.append(str(error))
    return found, unreadable


def records_of(stores: Sequence[Path]) -> tuple[list[Record], list[str]]:
    """The records of several stores together, as `readable_records` has each store's.

    Without those of a model's earlier weights, of which a line tells.
    """
    from benchsuite.report.superseded import of_newest_weights

    each = [readable_records(store) for store in stores]
    found, superseded = of_newest_weights([record for found, _ in each for record in found])
    return found, [*(message for _, unreadable in each for message in unreadable), *superseded]


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write files (name -> content) into a folder; InputError where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            content = text.encode("utf-8") if isinstance(text, str) else text
            write_atomically(folder / name, methodcaller("write", content))
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror})") from None


TEXTS = 5
"""Wrong answers a cell that a page with texts shows."""


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Keep Python's collector of garbage away: it walks over thousands of records again and again.

    What a report holds it holds to its end: there is no garbage to speak of.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_no_collector()
def write_report(
    store: Path,
    out: Path | None = None,
    *,
    page: bool = True,
    with_text: bool = False,
    tasks_dirs: Sequence[Path] = (),
) -> Path:
    """Write `leaderboard.md`, `.csv`, `.parquet` and `.html` of a store; the path of the first.

    out: folder, default `<store>/report`. page: whether to write the HTML, which takes seconds;
    one that is there already is written anew all the same, or goes. tasks_dirs: of a user's tasks.
    with_text: put texts of the datasets into it, of some wrong answers, from local data where it is
    what a record was made from. A record that cannot be read, or that is of a model's earlier
    weights, is left out, and the report says so. Raises InputError where the store holds neither
    record nor profile, the folder cannot be written, or the page's libraries are not installed.
    """
    from benchsuite.report import family, index, long_form, markdown, table
    from benchsuite.report.costs import profile_rows
    from benchsuite.report.superseded import newest_profiles, of_newest_weights

    profiled, torn = profiles.read_all(store)
    stored, unreadable = index.read_store(store, needed=not profiled, tasks_dirs=tasks_dirs)
    target = out or store / "report"
    found, superseded = of_newest_weights([one.record for one in stored])
    measured = newest_profiles(profiled, found)
    left = [*unreadable, *torn, *superseded]
    boards = table.build(found, index.by_key(stored))
    families = family.families_of(boards, found, measured)
    sections = family.to_markdown(families)
    text = markdown.render(boards, left, profile_rows(measured), sections)
    files: dict[str, str | bytes] = {
        "leaderboard.md": text,
        "leaderboard.csv": long_form.to_csv(found),
        "leaderboard.parquet": long_form.to_parquet(found),
    }
    earlier = target / "leaderboard.html"
    if page or earlier.is_file():
        from benchsuite.report import html

        texts = _texts(store, found, tasks_dirs) if with_text else {}
        try:
            files["leaderboard.html"] = html.render(boards, found, families, measured, left, texts)
        except InputError:
            if page:
                raise
            earlier.unlink()  # without its libraries: none is better than one of older records
    write_files(target, files)
    return target / "leaderboard.md"


def _texts(
    store: Path, found: Sequence[Record], tasks_dirs: Sequence[Path]
) -> dict[str, list[dict[str, Any]]]:
    """Wrong answers with their texts, by key, of the records whose data is at hand."""
    from benchsuite.report import inspect

    texts = {}
    for record in found:
        if record.status == "done":
            with contextlib.suppress(InputError):
                folder = store / records.folder_name(record.cell)
                texts[record.key] = inspect.errors(record, folder, TEXTS, tasks_dirs)
    return texts
