"""From a checkpoint folder to a network and a tokenizer (transformers, safetensors only)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from benchsuite.errors import InputError

AUTO_CLASSES: dict[str, Any] = {
    "encoder": AutoModelForMaskedLM,
    "decoder": AutoModelForCausalLM,
    "encoder-decoder": AutoModelForSeq2SeqLM,
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Window of a model that states none (relative positions and no limit in its tokenizer).
DEFAULT_WINDOW = 512
# Tokenizers without a limit state a huge number.
NO_LIMIT = 10**6


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and reports off the terminal: what matters becomes an InputError."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()


@_quiet()
def load_tokenizer(path: Path, name: str) -> PreTrainedTokenizerBase:
    """The folder's tokenizer; it must be a fast one, for scoring needs character offsets."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"model '{name}': its tokenizer cannot be read: {_line(error)}") from None
    if not tokenizer.is_fast:
        raise InputError(f"model '{name}': its tokenizer gives no offsets (tokenizer.json needed)")
    return tokenizer


@_quiet()
def load_network(
    path: Path, name: str, family: str, dtype: str, device: str, seed: int | None
) -> PreTrainedModel:
    """The network with its language-model head, in evaluation mode.

    seed: None loads the folder's safetensors; a number initialises the configuration afresh from
    that seed, always on the CPU in float32, so that the numbers do not depend on the device.
    Raises InputError where the files do not fit each other or the device is not there.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype '{dtype}': choose {' or '.join(DTYPES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device 'cuda': no CUDA device is to be seen; use cpu")
    auto = AUTO_CLASSES[family]
    try:
        if seed is None:
            network, report = auto.from_pretrained(
                path,
                dtype=DTYPES[dtype],
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
            _check(report, name)
        else:
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                network = auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
            network = network.to(DTYPES[dtype])
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(f"model '{name}': it cannot be loaded: {_line(error)}") from None
    if network.can_generate():
        # Greedy means greedy: penalties and sampling a checkpoint recommends are left aside.
        network.generation_config = GenerationConfig(
            bos_token_id=network.generation_config.bos_token_id,
            eos_token_id=network.generation_config.eos_token_id,
            pad_token_id=network.generation_config.pad_token_id,
            decoder_start_token_id=network.generation_config.decoder_start_token_id,
        )
    return network.to(device).eval()


def _check(report: dict[str, Any], name: str) -> None:
    """Refuse a checkpoint some of whose weights were drawn at random to fill a gap."""
    wrong = sorted(str(key[0]) for key in report["mismatched_keys"])
    if wrong:
        raise InputError(
            f"model '{name}': weights of another shape than config.json says: "
            f"{', '.join(wrong[:3])}"
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError(
            f"model '{name}': the checkpoint lacks the weights {', '.join(missing[:3])}; "
            "is it a language model?"
        )


def window(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The longest input in tokens: the smaller of what configuration and tokenizer state."""
    positions = getattr(network.config, "max_position_embeddings", None)
    table = getattr(getattr(network.base_model, "embeddings", None), "position_embeddings", None)
    reserved = getattr(table, "padding_idx", None)
    if positions is not None and reserved is not None:
        positions -= reserved + 1  # RoBERTa's positions begin after that of padding
    stated = [positions, tokenizer.model_max_length]
    known = [int(number) for number in stated if number is not None and number < NO_LIMIT]
    return min(known) if known else DEFAULT_WINDOW


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
