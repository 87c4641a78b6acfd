"""The pretraining text: reading, cleaning, de-duplication, the held-out slice, pieces."""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchsuite.errors import InputError

MIN_CHARACTERS = 200
DISAMBIGUATION_CHARACTERS = 2000
HELD_OUT_SHARE = 0.005
PIECE_CHARACTERS = 5000

_MARKUP_LINE = re.compile(
    r"\{\{|\}\}|\[\[|\]\]|\{\||\|-|<ref|</ref|thumb\||\|\||^\||^!|^==|^#REDIRECT"
)
_TAG = re.compile(r"</?(?:br|small|sub|sup|center|div|span|li|ul|tr|td|nowiki|blockquote)\b[^>]*>")
_EMPTY_BRACKETS = re.compile(r" ?\(\s*[;,]?\s*\)")
_SPACES = re.compile(r"[ \t\xa0]+")


@dataclass
class CorpusCounts:
    """What became of the documents of one source; words are whitespace-separated.

    contaminated_by: words that were removed for an n-gram in common with a dataset; those in common
    with several count for each.
    """

    documents: int = 0
    duplicates: int = 0
    stubs: int = 0
    paragraphs: int = 0
    contaminated_paragraphs: int = 0
    words: int = 0
    contaminated_words: int = 0
    contaminated_by: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The counts by name, for a report."""
        return dict(vars(self))


@dataclass
class Corpus:
    """Parquet files with a `text` column below one folder; the file's stem names its source.

    Raises InputError when the folder, the files or the column are missing, or a file is damaged.
    """

    folder: Path
    counts: dict[str, CorpusCounts] = field(default_factory=dict)
    _owners: dict[bytes, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # pyarrow is imported where it is used: shards are trained on without it
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.folder.is_dir():
            raise InputError(f"corpus folder {self.folder} does not exist; give --corpus a folder")
        if not self.sources():
            raise InputError(f"no .parquet file in {self.folder}; a corpus is parquet with `text`")
        for source in self.sources():
            path = self.folder / f"{source}.parquet"
            try:
                schema = pq.read_schema(path)
            except (pa.ArrowInvalid, OSError) as error:
                raise InputError(f"{path} is damaged or no parquet file; make it again") from error
            if "text" not in schema.names:
                raise InputError(f"{path} has no column `text`; a corpus file needs one")
            kind = schema.field("text").type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise InputError(f"{path}: column `text` holds {kind}; a corpus file has strings")

    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.parquet"))

    def raw(self, source: str) -> Iterator[str]:
        """The documents of one source as they stand in the file.

        Raises InputError where its footer was whole and its pages are not.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / f"{source}.parquet"
        try:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=256, columns=["text"]):
                yield from (text for text in batch.column("text").to_pylist() if text)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} is damaged; make it again") from error

    def documents(self, source: str) -> Iterator[str]:
        """Cleaned documents, exact duplicates and markup stubs left out; fills `counts`.

        Of a document that two sources have, the one that is read first keeps it.
        """
        counts = self.counts[source] = CorpusCounts()
        seen: set[bytes] = set()
        for text in self.raw(source):
            counts.documents += 1
            cleaned = clean(text)
            digest = _digest(cleaned)
            if digest in seen or self._owners.setdefault(digest, source) != source:
                counts.duplicates += 1
            elif is_stub(cleaned):
                counts.stubs += 1
            else:
                yield cleaned
            seen.add(digest)

    def sample(self, characters: int, held_out: bool = False) -> Iterator[str]:
        """Pieces from every source, equal parts, up to about `characters` in all.

        They come from the held-out slice or from the rest, and are the same each time.
        """
        sources = self.sources()
        for source in sources:
            texts = [
                piece
                for document in self.documents(source)
                if is_held_out(document) == held_out
                for piece in pieces(document)
            ]
            random.Random(source).shuffle(texts)
            taken = 0
            for text in texts:
                if taken >= characters / len(sources):
                    break
                taken += len(text)
                yield text


def clean(text: str) -> str:
    """Drop lines of left-over wiki markup, tags and emptied brackets; one paragraph a line."""
    lines = []
    for line in text.splitlines():
        if _MARKUP_LINE.search(line):
            continue
        line = _EMPTY_BRACKETS.sub("", _TAG.sub(" ", line))
        line = _SPACES.sub(" ", line).strip()
        if line:
            lines.append(line)
    return "\n".join(lines)


def is_stub(text: str) -> bool:
    """True for pages that hold no prose: a line or two, or a disambiguation list."""
    if len(text) < MIN_CHARACTERS:
        return True
    head = text[:400]
    return len(text) < DISAMBIGUATION_CHARACTERS and (
        "may refer to" in head or "can refer to" in head
    )


def is_held_out(text: str, share: float = HELD_OUT_SHARE) -> bool:
    """Whether a document belongs to the held-out slice: by hash of its text, so order-free."""
    return int.from_bytes(_digest(text)[:8], "big") < share * 2**64


def pieces(text: str, limit: int = PIECE_CHARACTERS) -> list[str]:
    """Cut a long document between paragraphs into pieces of about `limit` characters.

    A novel would otherwise fill whole batches, and the text after a document separator would
    almost always be a title.
    """
    result: list[str] = []
    current: list[str] = []
    size = 0
    for paragraph in text.split("\n"):
        if current and size + len(paragraph) > limit:
            result.append("\n".join(current))
            current, size = [], 0
        current.append(paragraph)
        size += len(paragraph) + 1
    result.append("\n".join(current))
    return result


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
