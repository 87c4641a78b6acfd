"""The model of a recipe, and saving it as a standard Hugging Face folder."""

import contextlib
import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from benchsuite.pretrain.recipe import Architecture
from benchsuite.pretrain.tokenizer import load_tokenizer


def build_model(architecture: Architecture, vocab_size: int, end_of_text: int) -> GPT2LMHeadModel:
    """A freshly initialized model; the caller sets the seed."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocab_size,
            n_positions=architecture.positions,
            n_embd=architecture.hidden_size,
            n_layer=architecture.layers,
            n_head=architecture.heads,
            resid_pdrop=architecture.dropout,
            embd_pdrop=architecture.dropout,
            attn_pdrop=architecture.dropout,
            bos_token_id=end_of_text,
            eos_token_id=end_of_text,
        )
    )


def parameter_counts(model: GPT2LMHeadModel) -> dict[str, int]:
    """Parameters in all, of the embedding tables (tied: counted once), and the others."""
    total = sum(parameter.numel() for parameter in model.parameters())
    tables = model.transformer.wte.weight.numel() + model.transformer.wpe.weight.numel()
    return {"total": total, "embedding": tables, "non_embedding": total - tables}


def save_folder(model: GPT2LMHeadModel, tokenizer: Path, folder: Path, meta: dict) -> None:
    """Write weights in float16, configuration, tokenizer and `benchsuite.json` to `folder`.

    The configuration says float32, so that loading computes in float32 unless told otherwise:
    float16 is how the weights are stored, and CPUs are slow at it. The folder is written beside
    and renamed, so that it is there whole or not at all.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with _no_progress_bar():
        copy.deepcopy(model).to("cpu").half().save_pretrained(temporary)
    for weights in temporary.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes for the owner alone
    config = json.loads((temporary / "config.json").read_text())
    config["dtype"] = "float32"
    (temporary / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    faced = load_tokenizer(tokenizer)
    faced.model_max_length = model.config.n_positions
    faced.save_pretrained(temporary)
    (temporary / "benchsuite.json").write_text(json.dumps(meta, indent=2) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Saving one small file needs no bar of its own beside the run's progress."""
    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def causal_loss(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats a token of (rows, length + 1) ids, computed in float32."""
    logits = model(input_ids=batch[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
