"""The byte-level BPE tokenizer that the in-repo models share."""

import re
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from benchsuite.errors import InputError
from benchsuite.pretrain.corpus import Corpus

END_OF_TEXT = "<|endoftext|>"
SENTINELS = 32
KINDS = ("bpe",)
MODEL_MAX_LENGTH = 1024
# BPE merges settle long before the whole corpus has been counted
TRAINING_CHARACTERS = 120_000_000
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
    texts = Corpus(corpus).sample(TRAINING_CHARACTERS)
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


def report(corpus: Path, tokenizer: Path, characters: int = 2_000_000) -> dict[str, float]:
    """Measures on held-out text: fertility (tokens a word), bytes a token, whole-word share.

    A word is a maximal run of word characters; it is whole when it is one token together with
    the space before it.
    """
    backend = load_tokenizer(tokenizer).backend_tokenizer
    piece_count = words = tokens = size = whole = 0
    for text in Corpus(corpus).sample(characters, held_out=True):
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
