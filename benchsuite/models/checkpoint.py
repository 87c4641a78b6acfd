"""What a checkpoint folder holds, read without torch: configuration, family, hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from benchsuite.errors import InputError

# Seed of every untrained model, whatever the cell's: an untrained model is a fixed floor.
UNTRAINED_SEED = 20260101
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
# Files that hold a vocabulary; the others only add to one.
VOCABULARIES = tuple(name for name in TOKENIZER_FILES if name.startswith(("tokenizer.", "vocab.")))
VOCABULARIES += ("spiece.model", "sentencepiece.bpe.model")

ENCODER_HEADS = ("ForMaskedLM",)
DECODER_HEADS = ("ForCausalLM", "LMHeadModel")
# Model types of checkpoints that name no language-model head (`BertModel`).
ENCODER_TYPES = {"albert", "bert", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta"}
DECODER_TYPES = {"gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "opt", "qwen2"}

# What a configuration says of how it was saved, not of what the network computes.
SAVED_WITH = ("_commit_hash", "_name_or_path", "dtype", "torch_dtype", "transformers_version")

_hashes: dict[tuple[str, int, int], str] = {}


def read_config(path: Path, name: str) -> dict[str, Any]:
    """The folder's `config.json`; InputError where it is missing or not a JSON object."""
    file = path / "config.json"
    if not file.is_file():
        raise InputError(f"model '{name}': {path} has no config.json")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"model '{name}': {file} is not valid JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"model '{name}': {file} is not a JSON object")
    return config


def family_of(config: dict[str, Any], name: str) -> str:
    """`encoder`, `decoder` or `encoder-decoder`, from what the configuration says of itself."""
    if config.get("is_encoder_decoder"):
        return "encoder-decoder"
    for architecture in config.get("architectures") or ():
        if architecture.endswith(DECODER_HEADS):
            return "decoder"
        if architecture.endswith(ENCODER_HEADS):
            return "encoder"
    model_type = str(config.get("model_type"))
    if model_type in ENCODER_TYPES | DECODER_TYPES:
        return "encoder" if model_type in ENCODER_TYPES else "decoder"
    raise InputError(
        f"model '{name}': config.json names no language-model architecture "
        f"(architectures {config.get('architectures')}, model type {model_type})"
    )


def stated_window(config: dict[str, Any]) -> int | None:
    """The longest input in tokens that the configuration states; None where it states none.

    An encoder-decoder's `n_positions` (T5) limits nothing: its positions are relative.
    """
    stated = [config.get("max_position_embeddings")]
    if not config.get("is_encoder_decoder"):
        stated.append(config.get("n_positions"))
    known = [number for number in stated if isinstance(number, int)]
    return min(known) if known else None


def stated_layers(config: dict[str, Any]) -> int | None:
    """Number of blocks (an encoder-decoder's: of its encoder) that the configuration states."""
    for name in ("num_hidden_layers", "n_layer", "n_layers", "num_layers"):
        number = config.get(name)
        if isinstance(number, int):
            return number
    return None


def weights_hash(path: Path, config: dict[str, Any], name: str) -> str:
    """SHA-256 over the safetensors files' bytes, in the order of their names, and configuration.

    The same bytes under another configuration (number of heads, activation) are another model.
    """
    text = f"{_digest(_weight_files(path, name))}\n{_settings(config)}"
    return hashlib.sha256(text.encode()).hexdigest()


def tokenizer_hash(path: Path, name: str) -> str:
    """SHA-256 over the tokenizer's files; InputError where there is none."""
    files = [path / file for file in TOKENIZER_FILES if (path / file).is_file()]
    if not any(file.name in VOCABULARIES for file in files):
        raise InputError(f"model '{name}': {path} has no tokenizer (tokenizer.json)")
    return _digest(files)


def untrained_hash(config: dict[str, Any]) -> str:
    """What stands for the weights of a fresh model: its configuration and the seed."""
    digest = hashlib.sha256(_settings(config).encode()).hexdigest()
    return f"untrained:{digest}:{UNTRAINED_SEED}"


def _settings(config: dict[str, Any]) -> str:
    """The configuration as text to hash, whatever the order of its keys."""
    kept = {key: value for key, value in config.items() if key not in SAVED_WITH}
    return json.dumps(kept, sort_keys=True)


def _weight_files(path: Path, name: str) -> list[Path]:
    """The folder's safetensors; InputError where one is missing, cut off or no safetensors."""
    files = _listed_weight_files(path, name)
    for file in files:
        try:
            # Opening reads the header alone and checks that it covers the file to its last byte.
            with safe_open(file, framework="numpy"):
                pass
        except SafetensorError as error:
            raise InputError(
                f"model '{name}': {file} is cut off or damaged ({error}); copy or download it again"
            ) from None
    return files


def _listed_weight_files(path: Path, name: str) -> list[Path]:
    if (path / WEIGHTS).is_file():
        return [path / WEIGHTS]
    index = path / WEIGHTS_INDEX
    if index.is_file():
        try:
            shards = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"model '{name}': {index} is not a safetensors index") from None
        for shard in shards:
            if Path(shard).name != shard or not (path / shard).is_file():
                raise InputError(f"model '{name}': {path} lacks the shard {shard}")
        return [path / shard for shard in shards]
    pickles = sorted(file.name for pattern in PICKLES for file in path.glob(pattern))
    if pickles:
        raise InputError(
            f"model '{name}': only a pickle checkpoint ({pickles[0]}), which can run code when "
            "read; convert it to safetensors (save_pretrained) first"
        )
    raise InputError(f"model '{name}': {path} has no {WEIGHTS}")


def _digest(files: list[Path]) -> str:
    """SHA-256 over names and contents; a single file's content is hashed once a process."""
    whole = hashlib.sha256()
    for file in files:
        stat = file.stat()
        key = (str(file.resolve()), stat.st_mtime_ns, stat.st_size)
        if key not in _hashes:
            with file.open("rb") as stream:
                _hashes[key] = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.name}\n{_hashes[key]}\n".encode())
    return whole.hexdigest()
