"""Removal of paragraphs that share an n-gram of words with an evaluation example.

The n-gram test is that of GPT-3 (Brown et al. 2020, appendix C) with n = 13: lower-cased words of
letters and digits. N-grams are 64-bit hashes in a sorted array, not strings in a set: ten million
evaluation n-grams are 80 MB, and a paragraph is looked up by binary search.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchsuite.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

N = 13
_WORD = re.compile(r"[a-z0-9]+")
_BASE = 0x9E3779B97F4A7C15
_EVALUATION = ("validation*.parquet", "test*.parquet")


class NgramIndex:
    """Sorted hashes of the word n-grams of the evaluation texts, all and by dataset."""

    def __init__(self, n: int = N) -> None:
        self.n = n
        self.by_dataset: dict[str, np.ndarray] = {}
        self.hashes = np.empty(0, dtype=np.uint64)
        self._ids: dict[str, int] = {}
        # base^(n-1) ... base^0 modulo 2^64: a polynomial hash of the n word hashes
        self._powers = [pow(_BASE, n - 1 - i, 2**64) for i in range(n)]

    def add(self, texts: Iterable[str], dataset: str) -> None:
        """Put the n-grams of each of a dataset's texts into the index."""
        found = [self._hash(text) for text in texts]
        known = self.by_dataset.get(dataset, self.hashes[:0])
        self.by_dataset[dataset] = np.unique(np.concatenate([known, *found]))
        self.hashes = np.unique(np.concatenate([self.hashes, self.by_dataset[dataset]]))

    def datasets_of(self, paragraph: str) -> list[str]:
        """The datasets that a paragraph shares an n-gram with."""
        hashes = self._hash(paragraph)
        return [name for name, known in self.by_dataset.items() if _found(hashes, known).any()]

    def overlaps(self, paragraphs: list[str]) -> np.ndarray:
        """(len(paragraphs),) bool: which of them share an n-gram with the index."""
        hashes = [self._hash(paragraph) for paragraph in paragraphs]
        sizes = [len(part) for part in hashes]
        flat = np.concatenate(hashes) if hashes else self.hashes[:0]
        result = np.zeros(len(paragraphs), dtype=bool)
        hit = _found(flat, self.hashes)
        result[np.repeat(np.arange(len(paragraphs)), sizes)[hit]] = True
        return result

    def _hash(self, text: str) -> np.ndarray:
        words = _WORD.findall(text.lower())
        if len(words) < self.n:
            return np.empty(0, dtype=np.uint64)
        ids = np.fromiter((self._word(word) for word in words), np.uint64, len(words))
        count = len(words) - self.n + 1
        total = np.zeros(count, dtype=np.uint64)
        for i, power in enumerate(self._powers):
            total += ids[i : i + count] * np.uint64(power)
        return total

    def _word(self, word: str) -> int:
        """A well-mixed 64-bit number for a word, the same within one index."""
        value = self._ids.get(word)
        if value is None:
            mixed = ((len(self._ids) + 1) * 0xBF58476D1CE4E5B9) % 2**64
            value = self._ids[word] = mixed ^ (mixed >> 29)
        return value


def _found(hashes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which of the hashes are among known, sorted ones: by binary search, `known` being long."""
    if not len(known):
        return np.zeros(len(hashes), dtype=bool)
    position = np.searchsorted(known, hashes)
    position[position == len(known)] = 0
    return known[position] == hashes


def evaluation_files(data: Path) -> list[Path]:
    """The validation and test splits below a data mirror, BLiMP's included.

    Training splits are left out: a model may be fitted on them anyway. BLiMP names its only
    split `train` but is an evaluation set. Raises InputError when there is no such split.
    """
    paths = {path for pattern in _EVALUATION for path in data.rglob(pattern)}
    paths |= set(data.glob("nyu-mll/blimp/*/train.parquet"))
    if not paths:
        raise InputError(f"{data} holds no evaluation split to decontaminate against")
    return sorted(paths)


def _texts(path: Path) -> Iterable[str]:
    """Every string of a split. Raises InputError for a damaged file."""
    # pyarrow is imported where it is used: shards are trained on without it
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is damaged; pull it again with `bench data pull`") from error
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name != "id":
            yield from _strings(column)


def _strings(column: "pa.ChunkedArray") -> Iterable[str]:
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # contexts repeat once a question
        yield from {text for text in column.unique().to_pylist() if text}
    elif pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
        yield from (" ".join(words) for words in column.to_pylist() if words)


def build_index(data: Path) -> NgramIndex:
    """The index of a whole data mirror; BLiMP's paradigms are one dataset."""
    index = NgramIndex()
    files: dict[str, list[Path]] = {}
    for path in evaluation_files(data):
        folder = path.parent.relative_to(data)
        whole = folder.parent if folder.parent.name == "blimp" else folder
        files.setdefault(whole.as_posix(), []).append(path)
    for dataset, paths in files.items():
        index.add((text for path in paths for text in _texts(path)), dataset)
    return index
