"""Tokenizers that a trio of models shares: byte-level BPE, WordPiece, Unigram."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from benchsuite.errors import InputError
from benchsuite.files import as_os_error
from benchsuite.pretrain.corpus import Corpus
from benchsuite.pretrain.equality import KIND_NAMES
from benchsuite.pretrain.folder import make_folder

Kind = Literal["bpe", "wordpiece", "unigram"]

END_OF_TEXT = "<|endoftext|>"
UNKNOWN = "[UNK]"
SENTINELS = 32
MODEL_MAX_LENGTH = 1024
# merges settle long before the whole corpus has been counted
TRAINING_CHARACTERS = 120_000_000
# of WordPiece: as many characters as the other kinds have bytes
ALPHABET = 256
# shards hold ids of 16 bits
MAX_VOCAB_SIZE = 65_536
_CONTINUES = "##"


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


def check_vocab_size(vocab_size: int, kind: str = "bpe") -> None:
    """Raises InputError for an unknown kind, or a vocabulary without room or beyond 16 bits."""
    if kind not in KIND_NAMES:
        raise InputError(f"unknown tokenizer kind {kind!r}; there is {', '.join(KIND_NAMES)}")
    taken = len(special_tokens())
    if kind == "wordpiece":
        # the unknown token; every character at the head of a word and inside one
        taken += 1 + 2 * ALPHABET
    else:
        taken += len(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size <= taken:
        raise InputError(
            f"a vocabulary of {vocab_size} leaves no merges; single characters and special tokens "
            f"of {kind} alone take {taken}"
        )
    if vocab_size > MAX_VOCAB_SIZE:
        raise InputError(f"a vocabulary of {vocab_size} exceeds 16-bit ids, {MAX_VOCAB_SIZE:,}")


def train_bpe(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2) of at most `vocab_size`."""
    check_vocab_size(vocab_size)
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def train_unigram(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a Unigram language model (Kudo 2018) of at most `vocab_size` pieces over bytes.

    Text is split and spelled in bytes as for BPE, so that nothing is unknown and any text comes
    back; SentencePiece has characters and a normalization in their place. Expectation maximization
    over a large seed vocabulary prunes it; encoding takes the most probable segmentation.
    """
    check_vocab_size(vocab_size, "unigram")
    tokenizer = _byte_level(models.Unigram())
    words = tokenizer.pre_tokenizer
    # seeds are what recurs within the list of different words: cut finer than at white space, the
    # most frequent word would be no seed unless it is a part of another one
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\S+|\s+(?!\S)|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.UnigramTrainer(
        # more than wanted, for those over the border of two words are left out
        vocab_size=round(1.1 * vocab_size),
        special_tokens=special_tokens(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    trained = json.loads(tokenizer.to_str())["model"]["vocab"]
    tokenizer.pre_tokenizer = words
    tokenizer.model = models.Unigram(_best_pieces(trained, tokenizer, vocab_size))
    return tokenizer


def _best_pieces(
    vocabulary: list[list], tokenizer: Tokenizer, vocab_size: int
) -> list[tuple[str, float]]:
    """Special tokens, bytes and the most probable pieces within words; natural logarithms.

    They are the same each time. The trainer adds in parallel, so sums differ in the last digits,
    and gives the bytes that it did not keep scores 0.0001 apart from the lowest on in an order of
    chance: here, the lowest.
    """
    count = len(special_tokens())
    special, trained = vocabulary[:count], vocabulary[count:]
    lowest = min(score for _, score in trained)
    not_kept = lowest + 1e-4 * len(pre_tokenizers.ByteLevel.alphabet())
    scores = {
        piece: round(lowest if len(piece) == 1 and score < not_kept else score, 6)
        for piece, score in trained
    }
    ranked = sorted(scores, key=lambda piece: (-scores[piece], piece))
    decode, cut = tokenizer.decoder.decode, tokenizer.pre_tokenizer.pre_tokenize_str
    within = [piece for piece in ranked if len(piece) > 1 and len(cut(decode([piece]))) == 1]
    single = {piece for piece in ranked if len(piece) == 1}
    kept = single | set(within[: vocab_size - count - len(single)])
    return [(piece, score) for piece, score in special] + [
        (piece, scores[piece]) for piece in ranked if piece in kept
    ]


def _byte_level(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_wordpiece(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train WordPiece of at most `vocab_size` with the words of cased BERT (Devlin et al. 2019).

    Words are cut at white space and around punctuation, and encoded by the longest match from the
    left; a word with a character outside the 256 most frequent ones is [UNK]. White space does not
    come back. The `tokenizers` library trains by merging the most frequent pair, as BPE does, not
    the pair that adds most likelihood (Schuster and Nakajima 2012).
    """
    check_vocab_size(vocab_size, "wordpiece")
    texts = list(texts)
    tokenizer = _bert_words(models.WordPiece(unk_token=UNKNOWN))
    alphabet = _alphabet(texts, tokenizer)
    special = [*special_tokens(), AddedToken(UNKNOWN, special=True, normalized=False)]
    # the trainer would number characters inside words, and so settle ties, in an order of chance
    inside = [
        _CONTINUES + character
        for character in alphabet
        if len(tokenizer.pre_tokenizer.pre_tokenize_str(_normal("a" + character, tokenizer))) == 1
    ]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=[*special, *inside],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=_CONTINUES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # only the vocabulary is kept: what was numbered first is no special token
    trained = _bert_words(models.WordPiece(tokenizer.get_vocab(), unk_token=UNKNOWN))
    trained.add_special_tokens(special)
    return trained


def _bert_words(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=_CONTINUES)
    return tokenizer


def _alphabet(texts: Iterable[str], tokenizer: Tokenizer) -> list[str]:
    """The most frequent characters, white space left out, sorted."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_normal(text, tokenizer))
    found = [character for character in counts if not character.isspace()]
    return sorted(sorted(found, key=lambda one: (-counts[one], one))[:ALPHABET])


def _normal(text: str, tokenizer: Tokenizer) -> str:
    normal: str = tokenizer.normalizer.normalize_str(text)
    return normal


_TRAIN: dict[str, Callable[[Sequence[str], int], Tokenizer]] = {
    "bpe": train_bpe,
    "wordpiece": train_wordpiece,
    "unigram": train_unigram,
}


def train_tokenizer(
    corpus: Path,
    out: Path,
    vocab_size: int = 8192,
    kind: str = "bpe",
    characters: int = TRAINING_CHARACTERS,
) -> PreTrainedTokenizerFast:
    """Train on the corpus without its held-out slice; save a Hugging Face tokenizer to `out`.

    characters: about how much text to train on, equal parts of every source.

    Raises InputError for an unknown kind, a missing or empty corpus or too small a vocabulary.
    """
    check_vocab_size(vocab_size, kind)
    if characters <= 0:
        raise InputError("--characters must be above 0")
    texts = list(Corpus(corpus).sample(characters))
    if not texts:
        raise InputError(f"no text to train on in {corpus}: stubs, duplicates or held-out only")
    make_folder(out)
    tokenizer = wrap(_TRAIN[kind](texts, vocab_size))
    save_tokenizer(tokenizer, out)
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer's files to a folder, each whole or not at all; OSError where it cannot."""
    make_folder(folder)
    # the library raises nothing narrower
    with tempfile.TemporaryDirectory(dir=folder) as staging, as_os_error(folder, Exception):
        tokenizer.save_pretrained(staging)
        for path in sorted(Path(staging).iterdir()):
            path.replace(folder / path.name)


def wrap(tokenizer: Tokenizer, model_max_length: int = MODEL_MAX_LENGTH) -> PreTrainedTokenizerFast:
    """The Hugging Face face of a tokenizer: no token is added by itself, bos = eos."""
    unknown = {"unk_token": UNKNOWN} if isinstance(tokenizer.model, models.WordPiece) else {}
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
        **unknown,
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
    """Load a saved tokenizer. Raises InputError when the folder holds none, or a damaged one."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InputError(f"no tokenizer.json in {folder}; make one with `bench tokenizer train`")
    try:
        Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise InputError(f"{path} is damaged ({error}); make it again") from error
    try:
        return PreTrainedTokenizerFast.from_pretrained(folder)
    except ValueError as error:  # the JSON of its other files
        raise InputError(f"the tokenizer in {folder} is damaged; make it again") from error


def kind_and_size(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What a recipe's `tokenizer` says, of a tokenizer at hand."""
    backend = tokenizer.backend_tokenizer
    return {"kind": type(backend.model).__name__.lower(), "vocab_size": len(tokenizer)}
