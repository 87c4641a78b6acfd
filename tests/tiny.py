"""Tiny random models as standard Hugging Face folders: fast stand-ins for real checkpoints.

Each function writes a folder (config, safetensors, tokenizer) and returns its path. Weights are
drawn wide enough that different inputs give clearly different scores.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

SENTENCES = [
    "The old keeper walked down to the harbour before the sun came up.",
    "A letter was lying on the table, and nobody had opened it yet.",
    "Is the answer yes or no? The answer is very positive, or very negative.",
    "She asked the children why they had not told their teacher about it.",
    "Question: what did the farmer sell? Answer: two baskets of apples.",
    "Paris, Berlin and Rome are cities; Mary works for the United Nations.",
    "They don't think that it's true: 1,250 people can't all be wrong!",
    "Naïve café owners pay 12 € for crème brûlée – “très cher”.",
]


def tiny_tokenizer(family: str = "decoder", vocab_size: int = 400) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on SENTENCES, with the special tokens the family expects.

    decoder: `<|endoftext|>` as bos, eos and pad, added to nothing. encoder: [CLS] text [SEP].
    encoder-decoder: text </s>.
    """
    special = {
        "decoder": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
        "encoder": {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"},
        "encoder-decoder": {"eos_token": "</s>"},
    }[family]
    if family == "decoder":
        special["pad_token"] = "<|endoftext|>"
    else:
        special |= {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    bpe = ByteLevelBPETokenizer()
    # The pad token comes first, so that its id is 0 as BERT's and T5's configurations expect.
    names = list(dict.fromkeys([special["pad_token"], *special.values()]))
    bpe.train_from_iterator(
        SENTENCES, vocab_size=vocab_size, min_frequency=1, special_tokens=names, show_progress=False
    )
    backend = bpe._tokenizer
    if family != "decoder":
        single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
        if family == "encoder-decoder":
            single, pair = "$A </s>", "$A </s> $B </s>"
        used = [name for name in names if name in single]
        backend.post_processor = TemplateProcessing(
            single=single,
            pair=pair,
            special_tokens=[(name, backend.token_to_id(name)) for name in used],
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=10**9, **special)


def tiny_gpt2(
    folder: Path,
    seed: int = 0,
    n_positions: int = 64,
    vocab_size: int = 400,
    constant: float | None = None,
    width: int = 16,
) -> Path:
    """A two-layer GPT-2. constant: value of every weight (0.0: constant logits)."""
    tokenizer = tiny_tokenizer("decoder", vocab_size)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=n_positions,
        n_embd=width,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save(folder, seed, GPT2LMHeadModel, config, tokenizer, constant)


def tiny_bert(folder: Path, seed: int = 0, max_positions: int = 64, width: int = 16) -> Path:
    """A two-layer BERT with its masked-language-model head."""
    tokenizer = tiny_tokenizer("encoder")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=max_positions,
        initializer_range=0.3,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save(folder, seed, BertForMaskedLM, config, tokenizer)


def tiny_t5(folder: Path, seed: int = 0, width: int = 16) -> Path:
    """A two-layer T5."""
    tokenizer = tiny_tokenizer("encoder-decoder")
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=width // 2,
        d_ff=2 * width,
        num_layers=2,
        num_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    return _save(folder, seed, T5ForConditionalGeneration, config, tokenizer)


def tiny_models(root: Path, positions: int = 128, width: int = 16) -> dict[str, Path]:
    """Family -> the folder of a tiny model."""
    return {
        "encoder": tiny_bert(root / "bert", max_positions=positions, width=width),
        "decoder": tiny_gpt2(root / "gpt2", n_positions=positions, width=width),
        "encoder-decoder": tiny_t5(root / "t5", width=width),
    }


def _save(
    folder: Path,
    seed: int,
    architecture: type[PreTrainedModel],
    config: GPT2Config | BertConfig | T5Config,
    tokenizer: PreTrainedTokenizerFast,
    constant: float | None = None,
) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = architecture(config)
    if constant is not None:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(constant)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)
