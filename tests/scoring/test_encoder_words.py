"""What is masked: by hand, for the kinds of tokenizers that encoders have."""

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from benchsuite.scoring import Request
from benchsuite.scoring.masking import Masker, spans
from benchsuite.scoring.words import words_of_tokens
from tests.tiny import SENTENCES, tiny_tokenizer

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] the trave ##ler lost so ##uven ##ir don ' t ."
SPECIAL = {"mask_token": "[MASK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def wordpiece() -> PreTrainedTokenizerFast:
    """BERT's kind, with the words of the worked example."""
    backend = Tokenizer(
        models.WordPiece(
            {word: at for at, word in enumerate(VOCABULARY.split())}, unk_token="[UNK]"
        )
    )
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", **SPECIAL
    )


def unigram(split: bool) -> PreTrainedTokenizerFast:
    """SentencePiece's kind: split at spaces alone (T5, ALBERT, XLM-R), or nowhere (Llama)."""
    texts = [word for text in SENTENCES for word in text.split(" ")] * 2
    if split:
        backend = Tokenizer(models.Unigram())
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
        )
    else:
        backend = Tokenizer(models.BPE(unk_token="<unk>"))
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False)
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


def copies(path: str, context: str, continuation: str) -> list[tuple[str, int]]:
    """Masked copies as text, and how many of their tokens are scored."""
    tokenizer = wordpiece()
    masker = Masker(tokenizer, 32, "example")
    (line,) = masker.lines([Request(context, (continuation,))], words=path == "pll_within_word")
    return [
        (
            " ".join(tokenizer.convert_ids_to_tokens(list(masker.masked(line, span)))),
            span.scored - span.start,
        )
        for span in spans(line, path)
    ]


def test_pll_masks_one_token_at_a_time():
    assert copies("pll", "", "The souvenir.") == [
        ("[CLS] [MASK] so ##uven ##ir . [SEP]", 1),
        ("[CLS] the [MASK] ##uven ##ir . [SEP]", 1),
        ("[CLS] the so [MASK] ##ir . [SEP]", 1),
        ("[CLS] the so ##uven [MASK] . [SEP]", 1),
        ("[CLS] the so ##uven ##ir [MASK] [SEP]", 1),
    ]


def test_pll_within_word_masks_the_rest_of_the_word_too():
    """The example of Kauf and Ivanova (2023): `##uven ##ir` gives `so` away."""
    assert copies("pll_within_word", "", "The traveler lost the souvenir.")[1:] == [
        ("[CLS] the [MASK] [MASK] lost the so ##uven ##ir . [SEP]", 1),
        ("[CLS] the trave [MASK] lost the so ##uven ##ir . [SEP]", 1),
        ("[CLS] the trave ##ler [MASK] the so ##uven ##ir . [SEP]", 1),
        ("[CLS] the trave ##ler lost [MASK] so ##uven ##ir . [SEP]", 1),
        ("[CLS] the trave ##ler lost the [MASK] [MASK] [MASK] . [SEP]", 1),
        ("[CLS] the trave ##ler lost the so [MASK] [MASK] . [SEP]", 1),
        ("[CLS] the trave ##ler lost the so ##uven [MASK] . [SEP]", 1),
        ("[CLS] the trave ##ler lost the so ##uven ##ir [MASK] [SEP]", 1),
    ]


def test_cloze_masks_the_continuation_at_once():
    assert copies("cloze", "The traveler lost the", " souvenir") == [
        ("[CLS] the trave ##ler lost the [MASK] [MASK] [MASK] [SEP]", 3)
    ]


def test_the_context_stays_in_sight():
    assert copies("pll_within_word", "The traveler lost the souv", "enir.") == [
        ("[CLS] the trave ##ler lost the so [MASK] [MASK] . [SEP]", 1),
        ("[CLS] the trave ##ler lost the so ##uven [MASK] . [SEP]", 1),
        ("[CLS] the trave ##ler lost the so ##uven ##ir [MASK] [SEP]", 1),
    ]


def words(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """The text of each word."""
    (numbers,) = words_of_tokens(tokenizer, [text])
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    assert numbers == sorted(numbers) and len(numbers) == len(offsets)
    found = [""] * (numbers[-1] + 1)
    begin = 0
    for number, (_, end) in zip(numbers, offsets, strict=True):
        found[number] += text[begin:end]
        begin = max(begin, end)
    return [word.strip() for word in found]


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (wordpiece(), "The souvenir don't.", ["The", "souvenir", "don", "'", "t", "."]),
        (
            tiny_tokenizer("encoder"),
            "They don't think, naïve €!",
            ["They", "don", "'t", "think", ",", "naïve", "€!"],
        ),
        (unigram(True), "They don't think, naïve!", ["They", "don't", "think", ",", "naïve", "!"]),
        (unigram(False), "They don't think, naïve!", ["They", "don't", "think", ",", "naïve", "!"]),
        (unigram(True), 'owners (very "true"):', ["owners", "(", "very", '"', "true", '"):']),
        (unigram(False), " two  baskets...\nFor", ["two", "baskets", "...", "For"]),
    ],
    ids=["wordpiece", "byte-level", "unigram", "unsplit", "unigram-marks", "unsplit-space"],
)
def test_words_are_what_a_person_calls_words(tokenizer, text, expected):
    assert [word for word in words(tokenizer, text) if word] == expected
