"""From a corpus to pre-tokenized shards."""

import json
import random
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.pretrain.corpus import Corpus, is_held_out, pieces
from benchsuite.pretrain.decontaminate import NgramIndex, build_index, evaluation_files
from benchsuite.pretrain.shards import META, tokenizer_hash, write_shards
from benchsuite.pretrain.tokenizer import (
    END_OF_TEXT,
    load_tokenizer,
    save_tokenizer,
    special_tokens,
)

ENCODE_BATCH = 64


def check_encoding(
    corpus: Path, tokens: int | None, mix: dict[str, float] | None, data: Path | None
) -> Corpus:
    """The corpus to encode; raises InputError for what `encode_corpus` cannot work with."""
    if tokens is not None and tokens <= 0:
        raise InputError("the number of tokens must be above 0")
    if mix is not None and tokens is None:
        raise InputError("a corpus mix needs a token count: give --tokens")
    texts = Corpus(corpus)
    unknown = sorted(set(mix or {}) - set(texts.sources()))
    if unknown:
        raise InputError(f"the mix names {unknown[0]!r}; {corpus} has {', '.join(texts.sources())}")
    if data is not None:
        evaluation_files(data)
    return texts


def encode_corpus(
    corpus: Path,
    tokenizer: Path,
    out: Path,
    *,
    tokens: int | None = None,
    mix: dict[str, float] | None = None,
    data: Path | None = None,
    seed: int = 0,
    made: dict | None = None,
) -> dict:
    """Encode a corpus into shuffled `train` and `validation` shards of uint16 ids in `out`.

    Each piece of a document is followed by the end-of-text token.

    Args:
        tokens: about how many training tokens to take; everything when None.
        mix: share of the tokens by source (normalized here); needs `tokens`. A source that has
            less gives all it has.
        data: mirror of the evaluation data; paragraphs that share a 13-gram with it are dropped.
        made: settings to note in `shards.json`, for who asks later whether the shards are theirs.

    Returns the written `shards.json`: token counts, per-source counts and removed shares.
    """
    texts = check_encoding(corpus, tokens, mix, data)
    faced = load_tokenizer(tokenizer)
    backend = faced.backend_tokenizer
    # a text that spells `<|endoftext|>` or `[MASK]` says these letters, no more
    backend.encode_special_tokens = True
    for token in special_tokens():
        if backend.token_to_id(str(token)) is None:
            raise InputError(f"{tokenizer} has no {token}; make one with `bench tokenizer train`")
    index = build_index(data) if data is not None else None
    shares = _shares(texts.sources(), mix)
    train: list[np.ndarray] = []
    validation: list[np.ndarray] = []
    per_source: dict[str, dict] = {}
    for source in texts.sources():
        if mix is not None and source not in mix:
            continue
        limit = None if tokens is None else int(tokens * shares[source])
        kept, held = _encode_source(texts, source, backend, index, limit, seed)
        train += kept
        validation += held
        per_source[source] = texts.counts[source].as_dict() | {
            "train_tokens": sum(map(len, kept)),
            "validation_tokens": sum(map(len, held)),
        }
    random.Random(seed).shuffle(train)
    random.Random(seed).shuffle(validation)
    counts = {
        "train_tokens": write_shards(train, out, "train"),
        "validation_tokens": write_shards(validation, out, "validation"),
    }
    # shards mean nothing without their tokenizer: it stays beside them
    save_tokenizer(faced, out / "tokenizer")
    meta = {
        **counts,
        "end_of_text": backend.token_to_id(END_OF_TEXT),
        "vocab_size": backend.get_vocab_size(),
        "tokenizer_hash": tokenizer_hash(out),
        "decontaminated": index is not None,
        "sources": per_source,
        **({"made": made} if made is not None else {}),
    }
    # last: with it the shards count as complete
    write_atomically(out / META, lambda file: file.write(json.dumps(meta, indent=1).encode()))
    return meta


def _encode_source(
    corpus: Corpus,
    source: str,
    backend: Tokenizer,
    index: NgramIndex | None,
    limit: int | None,
    seed: int,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Training and held-out pieces of one source as id arrays, in random order."""
    documents = list(corpus.documents(source))
    split: dict[bool, list[str]] = {False: [], True: []}
    for document in documents:
        split[is_held_out(document)] += pieces(document)
    result = {}
    for held_out, texts in split.items():
        random.Random(f"{seed}-{source}").shuffle(texts)
        result[held_out] = _encode(texts, backend, index, limit, corpus, source)
    return result[False], result[True]


def _encode(
    texts: list[str],
    backend: Tokenizer,
    index: NgramIndex | None,
    limit: int | None,
    corpus: Corpus,
    source: str,
) -> list[np.ndarray]:
    end = backend.token_to_id(END_OF_TEXT)
    encoded: list[np.ndarray] = []
    total = 0
    for start in range(0, len(texts), ENCODE_BATCH):
        batch = _drop_contaminated(texts[start : start + ENCODE_BATCH], index, corpus, source)
        for encoding in backend.encode_batch_fast(batch, add_special_tokens=False):
            encoded.append(np.array([*encoding.ids, end], dtype=np.uint16))
            total += len(encoded[-1])
            if limit is not None and total >= limit:
                return encoded
    return encoded


def _drop_contaminated(
    texts: list[str], index: NgramIndex | None, corpus: Corpus, source: str
) -> list[str]:
    """Texts without their contaminated paragraphs; texts left empty are gone."""
    counts = corpus.counts[source]
    paragraphs = [text.split("\n") for text in texts]
    flat = [paragraph for text in paragraphs for paragraph in text]
    drop = index.overlaps(flat) if index is not None else np.zeros(len(flat), dtype=bool)
    sizes = [len(paragraph.split()) for paragraph in flat]
    counts.paragraphs += len(flat)
    counts.contaminated_paragraphs += int(drop.sum())
    counts.words += sum(sizes)
    counts.contaminated_words += int(np.dot(drop, sizes))
    if index is not None:
        for number in np.flatnonzero(drop):
            for dataset in index.datasets_of(flat[number]):
                by = counts.contaminated_by
                by[dataset] = by.get(dataset, 0) + sizes[number]
    kept, position = [], 0
    for text in paragraphs:
        flags = drop[position : position + len(text)]
        position += len(text)
        rest = "\n".join(part for part, gone in zip(text, flags, strict=True) if not gone)
        if rest:
            kept.append(rest)
    return kept


def _shares(sources: list[str], mix: dict[str, float] | None) -> dict[str, float]:
    weights = mix if mix is not None else dict.fromkeys(sources, 1.0)
    return {source: weight / sum(weights.values()) for source, weight in weights.items()}
