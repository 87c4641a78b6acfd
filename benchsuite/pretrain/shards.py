"""Token shards: compressed arrays of uint16 token ids, written once and read whole."""

import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.pretrain.corpus import CorpusCounts

# 20 M tokens of two bytes are 38.1 MiB: under 45 MiB even where nothing compresses
SHARD_TOKENS = 20_000_000
META = "shards.json"
# what it tells at least, and of each source
TOLD = {
    "train_tokens": int,
    "validation_tokens": int,
    "tokenizer_hash": str,
    "decontaminated": bool,
    "sources": dict,
}
COUNTED = {*CorpusCounts().as_dict(), "train_tokens", "validation_tokens"}


def write_shards(arrays: Iterable[np.ndarray], folder: Path, split: str) -> int:
    """Write a stream of token arrays as `<split>-00000.npz`, ...; returns the token count.

    Shards of the split that are there already are replaced once the new ones are complete, and
    `shards.json` goes with them: it describes them no longer.

    Raises InputError for ids that uint16 cannot hold; the folder is then left as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{split}-", dir=folder) as name:
        staging = Path(name)
        total = _write(arrays, staging, split)
        (folder / META).unlink(missing_ok=True)
        # all the old ones go before any new one comes: the two are never mixed
        for path in folder.glob(f"{split}-*.npz"):
            path.unlink()
        for path in sorted(staging.iterdir()):
            path.replace(folder / path.name)
    return total


def _write(arrays: Iterable[np.ndarray], folder: Path, split: str) -> int:
    """Cut the stream into shards in an empty folder; returns the token count."""
    buffer: list[np.ndarray] = []
    held = number = total = 0

    def flush(tokens: np.ndarray) -> None:
        nonlocal number
        path = folder / f"{split}-{number:05d}.npz"
        write_atomically(path, lambda file: np.savez_compressed(file, tokens=tokens))
        number += 1

    for array in arrays:
        if len(array) and int(array.max()) >= 2**16:
            raise InputError("a vocabulary of more than 65,536 tokens does not fit uint16 shards")
        buffer.append(array.astype(np.uint16))
        held += len(array)
        total += len(array)
        while held >= SHARD_TOKENS:
            joined = np.concatenate(buffer)
            flush(joined[:SHARD_TOKENS])
            buffer = [joined[SHARD_TOKENS:]]
            held = len(buffer[0])
    if held:
        flush(np.concatenate(buffer))
    return total


def read_shards(folder: Path, split: str) -> np.ndarray:
    """All tokens of a split in order, (tokens,) uint16. Raises InputError for none or damage."""
    paths = sorted(folder.glob(f"{split}-*.npz"))
    if not paths:
        raise InputError(
            f"no {split} shards in {folder}; encode a corpus, or a larger one, "
            f"with `bench tokenizer encode`"
        )
    parts = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as archive:
                parts.append(archive["tokens"])
            if parts[-1].dtype != np.uint16 or parts[-1].ndim != 1:
                raise ValueError("no array of uint16 ids")
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            OSError,
        ) as error:
            raise InputError(
                f"{path} is damaged; copy it again, or encode again with `bench tokenizer encode`"
            ) from error
    return np.concatenate(parts)


def digest_of(folder: Path, *splits: np.ndarray) -> str:
    """Hash of what a run reads: all tokens, and the tokenizer that they are of."""
    digest = _tokenizer_digest(folder)
    for tokens in splits:
        digest.update(tokens.tobytes())
    return digest.hexdigest()


def tokenizer_hash(folder: Path) -> str:
    """Hash of the tokenizer beside the shards, as `shards.json` tells it."""
    return _tokenizer_digest(folder).hexdigest()


def _tokenizer_digest(folder: Path) -> "hashlib.blake2b":
    return hashlib.blake2b((folder / "tokenizer" / "tokenizer.json").read_bytes(), digest_size=16)


def check_shards(tokens: np.ndarray, folder: Path, split: str, vocab_size: int) -> None:
    """Raises InputError where a split is not that of `shards.json` or of the tokenizer."""
    meta = read_meta(folder)
    told = meta[f"{split}_tokens"]
    if len(tokens) != told:
        raise InputError(
            f"{folder} has {len(tokens):,} {split} tokens, {META} tells {told:,}; copy all shards, "
            f"and no others"
        )
    if meta["tokenizer_hash"] != tokenizer_hash(folder) or tokens.max(initial=0) >= vocab_size:
        raise InputError(f"the {split} shards in {folder} are of another tokenizer than is there")


def read_meta(folder: Path) -> dict:
    """What `encode_corpus` recorded about the shards."""
    path = folder / META
    if not path.is_file():
        raise InputError(f"{folder} has no {META}; make shards with `bench tokenizer encode`")
    try:
        meta = json.loads(path.read_text())
        if not isinstance(meta, dict) or any(
            type(meta.get(name)) is not kind for name, kind in TOLD.items()
        ):
            raise ValueError("not what the encoder writes")
        if not all(
            isinstance(one, dict) and one.keys() >= COUNTED for one in meta["sources"].values()
        ):
            raise ValueError("a source without its counts")
    except ValueError as error:
        raise InputError(f"{path} is damaged; copy it again, or encode again") from error
    return meta
