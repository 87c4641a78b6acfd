"""The byte-level BPE tokenizer that the in-repo models share, and pre-tokenized shards."""

import json
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.pretrain.corpus import Corpus, is_held_out, pieces
from benchsuite.pretrain.decontaminate import NgramIndex, build_index, evaluation_files
from benchsuite.pretrain.shards import META, write_shards

END_OF_TEXT = "<|endoftext|>"
SENTINELS = 32
KINDS = ("bpe",)
MODEL_MAX_LENGTH = 1024
# BPE merges settle long before the whole corpus has been counted
TRAINING_CHARACTERS = 120_000_000
ENCODE_BATCH = 64
_WORD = re.compile(r"\w+")


def special_tokens() -> list[AddedToken]:
    """Special tokens of all three families, so that one vocabulary serves them all.

    [MASK] strips the space on its left: in "the [MASK] sat" it stands for a whole " word" token.
    """
    names = [END_OF_TEXT, "[PAD]", "[CLS]", "[SEP]"]
    tokens = [AddedToken(name, special=True, normalized=False) for name in names]
    tokens.append(AddedToken("[MASK]", lstrip=True, special=True, normalized=False))
    tokens += [
        AddedToken(f"<extra_id_{i}>", special=True, normalized=False) for i in range(SENTINELS)
    ]
    return tokens


def check_vocab_size(vocab_size: int) -> None:
    """Raises InputError when a vocabulary has no room for merges."""
    taken = len(special_tokens()) + len(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size <= taken:
        raise InputError(
            f"a vocabulary of {vocab_size} leaves no merges; bytes and special tokens alone "
            f"take {taken}"
        )


def train_bpe(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2) of at most `vocab_size`."""
    check_vocab_size(vocab_size)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def train_tokenizer(
    corpus: Path, out: Path, vocab_size: int = 8192, kind: str = "bpe"
) -> PreTrainedTokenizerFast:
    """Train on the corpus without its held-out slice; save a Hugging Face tokenizer to `out`.

    Raises InputError for an unknown kind, a missing corpus or too small a vocabulary.
    """
    if kind not in KINDS:
        raise InputError(f"unknown tokenizer kind {kind!r}; there is {', '.join(KINDS)}")
    texts = _sample(Corpus(corpus), TRAINING_CHARACTERS)
    tokenizer = wrap(train_bpe(texts, vocab_size))
    tokenizer.save_pretrained(out)
    return tokenizer


def wrap(tokenizer: Tokenizer, model_max_length: int = MODEL_MAX_LENGTH) -> PreTrainedTokenizerFast:
    """The Hugging Face face of a tokenizer: no token is added by itself, bos = eos."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token=AddedToken("[MASK]", lstrip=True, special=True, normalized=False),
        model_max_length=model_max_length,
        clean_up_tokenization_spaces=False,
    )


def set_template(tokenizer: PreTrainedTokenizerFast, family: str) -> None:
    """Make a tokenizer add what its family's rows have in pretraining; a decoder's adds nothing.

    encoder: [CLS] text [SEP], or [CLS] first [SEP] second [SEP] with segment ids; encoder-decoder:
    text and the end-of-text token.
    """
    names = ["input_ids", "attention_mask"]
    if family == "encoder":
        names.insert(1, "token_type_ids")
        single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
        added = ["[CLS]", "[SEP]"]
    elif family == "encoder-decoder":
        single, pair = f"$A {END_OF_TEXT}", f"$A {END_OF_TEXT} $B {END_OF_TEXT}"
        added = [END_OF_TEXT]
    else:
        return
    backend = tokenizer.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(name, backend.token_to_id(name)) for name in added],
    )
    # only what the tokenizer was made with is saved
    tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = names


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load a saved tokenizer. Raises InputError when the folder holds none."""
    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"no tokenizer.json in {folder}; make one with `bench tokenizer train`")
    return PreTrainedTokenizerFast.from_pretrained(folder)


def check_encoding(
    corpus: Path, tokens: int | None, mix: dict[str, float] | None, data: Path | None
) -> Corpus:
    """The corpus to encode; raises InputError for what `encode_corpus` cannot work with."""
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
) -> dict:
    """Encode a corpus into shuffled `train` and `validation` shards of uint16 ids in `out`.

    Each piece of a document is followed by the end-of-text token.

    Args:
        tokens: about how many training tokens to take; everything when None.
        mix: share of the tokens by source (normalized here); needs `tokens`. A source that has
            less gives all it has.
        data: mirror of the evaluation data; paragraphs that share a 13-gram with it are dropped.

    Returns the written `shards.json`: token counts, per-source counts and removed shares.
    """
    texts = check_encoding(corpus, tokens, mix, data)
    faced = load_tokenizer(tokenizer)
    backend = faced.backend_tokenizer
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
    meta = {
        "train_tokens": write_shards(train, out, "train"),
        "validation_tokens": write_shards(validation, out, "validation"),
        "end_of_text": backend.token_to_id(END_OF_TEXT),
        "vocab_size": backend.get_vocab_size(),
        "decontaminated": index is not None,
        "sources": per_source,
    }
    # shards mean nothing without their tokenizer: it stays beside them
    faced.save_pretrained(out / "tokenizer")
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
            break
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
    kept, position = [], 0
    for text in paragraphs:
        flags = drop[position : position + len(text)]
        position += len(text)
        rest = "\n".join(part for part, gone in zip(text, flags, strict=True) if not gone)
        if rest:
            kept.append(rest)
    return kept


def report(corpus: Path, tokenizer: Path, characters: int = 2_000_000) -> dict[str, float]:
    """Measures on held-out text: fertility (tokens a word), bytes a token, whole-word share.

    A word is a maximal run of word characters; it is whole when it is one token together with
    the space before it.
    """
    backend = load_tokenizer(tokenizer).backend_tokenizer
    piece_count = words = tokens = size = whole = 0
    for text in _sample(Corpus(corpus), characters, held_out=True):
        encoding = backend.encode(text, add_special_tokens=False)
        spans = {_strip(text, start, end) for start, end in encoding.offsets}
        matches = [match.span() for match in _WORD.finditer(text)]
        piece_count += 1
        words += len(matches)
        whole += sum(span in spans for span in matches)
        tokens += len(encoding.ids)
        size += len(text.encode())
    if not tokens or not words:
        raise InputError(f"the held-out slice of {corpus} is empty; the corpus is too small")
    return {
        "pieces": piece_count,
        "words": words,
        "tokens": tokens,
        "fertility": tokens / words,
        "bytes_per_token": size / tokens,
        "whole_word_share": whole / words,
    }


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """A token's span without the space at its head."""
    return (start + 1, end) if text[start : start + 1] == " " else (start, end)


def _shares(sources: list[str], mix: dict[str, float] | None) -> dict[str, float]:
    weights = mix if mix is not None else dict.fromkeys(sources, 1.0)
    return {source: weight / sum(weights.values()) for source, weight in weights.items()}


def _sample(corpus: Corpus, characters: int, held_out: bool = False) -> Iterator[str]:
    """Pieces from every source, equal parts, up to about `characters` in all."""
    sources = corpus.sources()
    for source in sources:
        texts = [
            piece
            for document in corpus.documents(source)
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
