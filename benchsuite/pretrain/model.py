"""The model of a recipe, and saving it as a standard Hugging Face folder."""

import contextlib
import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.utils import logging

from benchsuite.files import as_os_error
from benchsuite.pretrain.objectives.base import BaseObjective, Vocabulary
from benchsuite.pretrain.recipe import Architecture
from benchsuite.pretrain.tokenizer import load_tokenizer, save_tokenizer, set_template

FAMILIES = {"gpt2": "decoder", "bert": "encoder", "t5": "encoder-decoder"}
BESIDE = "objective"
# standard deviation of fresh weights in GPT-2 and BERT; T5 gets it too
INITIAL_STD = 0.02
# of the sinusoids that the first block's heads read where they start at neighbours: three times
# a token's, else a token's likeness to itself is as large as the match of two positions
NEIGHBOUR_TABLE = 3.0
# makes the score of the chosen neighbour some 8 above the others' mean at widths near 256
NEIGHBOUR_SCALE = 0.8
NEIGHBOUR_BIAS = 6.0


def build_model(
    architecture: Architecture, vocabulary: Vocabulary, objective: BaseObjective | None = None
) -> PreTrainedModel:
    """A freshly initialized model; the caller sets the seed.

    What an objective trains beside it is in `model.objective`, and not exported.
    """
    model = _BUILDERS[architecture.type](architecture, vocabulary)
    if architecture.position_table == "sinusoidal":
        table = model.get_parameter(_POSITION_TABLES[architecture.type])
        # Rows of a sinusoid have the mean square 1/2.
        with torch.no_grad():
            table.copy_(INITIAL_STD * 2**0.5 * sinusoids(*table.shape))
    if architecture.first_attention == "neighbours":
        if architecture.type == "t5":
            _bias_towards_neighbours(model, architecture.heads)
        else:
            _start_at_neighbours(model, architecture)
    beside = objective.modules(model) if objective is not None else {}
    if beside:
        model.add_module(BESIDE, torch.nn.ModuleDict(beside))
    return model


def _bias_towards_neighbours(model: PreTrainedModel, heads: int) -> None:
    """T5's half of `_start_at_neighbours`: its biases name relative positions as they are.

    All blocks of a stack share them, so half of the heads are left to look anywhere.
    """
    for stack, offsets in (("encoder", (-1, 1, -2, 2)), ("decoder", (-1, -2, -3, -4))):
        attention: Any = model.get_submodule(f"{stack}.block.0.layer.0.SelfAttention")
        for head, offset in enumerate(offsets[: heads // 2]):
            bucket = attention._relative_position_bucket(
                torch.tensor([offset]),
                bidirectional=stack == "encoder",
                num_buckets=attention.relative_attention_num_buckets,
                max_distance=attention.relative_attention_max_distance,
            )
            with torch.no_grad():
                attention.relative_attention_bias.weight[bucket, head] = NEIGHBOUR_BIAS


def _start_at_neighbours(model: PreTrainedModel, architecture: Architecture) -> None:
    """Let each head of the first block begin by attending to one neighbouring position.

    Trained models have such heads (Clark et al. 2019, section 3.1), and masked language modelling
    waits long for them: as long as attention is even, all that it gives is what words a text has
    (Chen et al. 2024, "Sudden drops in the loss"). On a sinusoidal table the heads can be written
    down: a head's queries are its fastest sines and cosines, its keys the same turned by its
    offset, so that their product is largest there. Offsets are -1, 1, -2, 2, ...; of a decoder,
    which sees no later position, -1, -2, ....
    """
    width, heads = architecture.hidden_size, architecture.heads
    half = width // heads // 2
    rates = 10000 ** (-torch.arange(0, width, 2) / width)[:half]
    sines, cosines = torch.arange(half), width // 2 + torch.arange(half)
    query, key = torch.zeros(2, heads, 2 * half, width)
    rows = torch.arange(half)
    both_sides = [(1 + head // 2) * (-1) ** (head + 1) for head in range(heads)]
    before = [-1 - head for head in range(heads)]
    for head, offset in enumerate(before if architecture.type == "gpt2" else both_sides):
        query[head, rows, sines] = query[head, half + rows, cosines] = NEIGHBOUR_SCALE
        turn = rates * offset
        key[head, rows, sines] = key[head, half + rows, cosines] = NEIGHBOUR_SCALE * turn.cos()
        key[head, rows, cosines] = -NEIGHBOUR_SCALE * turn.sin()
        key[head, half + rows, sines] = NEIGHBOUR_SCALE * turn.sin()
    with torch.no_grad():
        table = model.get_parameter(_POSITION_TABLES[architecture.type])
        table[:, torch.cat([sines, cosines])] *= NEIGHBOUR_TABLE
        if architecture.type == "gpt2":
            # One matrix for queries, keys and values, input by output.
            fused = model.get_parameter("transformer.h.0.attn.c_attn.weight")
            fused[:, :width] = query.flatten(0, 1).T
            fused[:, width : 2 * width] = key.flatten(0, 1).T
        else:
            attention = model.get_submodule("bert.encoder.layer.0.attention.self")
            attention.query.weight.copy_(query.flatten(0, 1))
            attention.key.weight.copy_(key.flatten(0, 1))


def sinusoids(positions: int, width: int) -> torch.Tensor:
    """Position encodings (positions, width) of Vaswani et al. 2017, section 3.5: sines first."""
    rates = 10000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(positions)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


def _gpt2(architecture: Architecture, vocabulary: Vocabulary) -> PreTrainedModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary.size,
            n_positions=architecture.positions,
            n_embd=architecture.hidden_size,
            n_inner=architecture.feed_forward,
            n_layer=architecture.layers,
            n_head=architecture.heads,
            resid_pdrop=architecture.dropout,
            embd_pdrop=architecture.dropout,
            attn_pdrop=architecture.dropout,
            bos_token_id=vocabulary.end,
            eos_token_id=vocabulary.end,
        )
    )


def _bert(architecture: Architecture, vocabulary: Vocabulary) -> PreTrainedModel:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=vocabulary.size,
            max_position_embeddings=architecture.positions,
            hidden_size=architecture.hidden_size,
            intermediate_size=_feed_forward(architecture),
            num_hidden_layers=architecture.layers,
            num_attention_heads=architecture.heads,
            hidden_dropout_prob=architecture.dropout,
            attention_probs_dropout_prob=architecture.dropout,
            initializer_range=INITIAL_STD,
            pad_token_id=vocabulary.pad,
            bos_token_id=vocabulary.end,
            eos_token_id=vocabulary.end,
        )
    )


def _t5(architecture: Architecture, vocabulary: Vocabulary) -> PreTrainedModel:
    """T5 with GPT-2's initialization and activation.

    T5 draws its tied table with deviation 1 and divides the output by the width's square root,
    which suits Adafactor's relative rates; AdamW's steps of one size for all three families need
    a table as small as the others'. The decoder's last norm starts at that square root, so that
    the division is undone and fresh logits are as small as GPT-2's. Both are weights: the folder
    computes the same in any version of transformers. GELU is what the other two have; ReLU's
    backward needs a mask of booleans besides, which costs a compiled step a sixth of its time.
    """
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary.size,
            d_model=architecture.hidden_size,
            d_kv=architecture.hidden_size // architecture.heads,
            d_ff=_feed_forward(architecture),
            num_layers=architecture.layers,
            num_decoder_layers=architecture.layers,
            num_heads=architecture.heads,
            dropout_rate=architecture.dropout,
            feed_forward_proj="gelu",
            pad_token_id=vocabulary.pad,
            eos_token_id=vocabulary.end,
            decoder_start_token_id=vocabulary.pad,
        )
    )
    for parameter in model.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=INITIAL_STD)
    torch.nn.init.constant_(model.decoder.final_layer_norm.weight, architecture.hidden_size**0.5)
    return model


_BUILDERS = {"gpt2": _gpt2, "bert": _bert, "t5": _t5}
_POSITION_TABLES = {
    "gpt2": "transformer.wpe.weight",
    "bert": "bert.embeddings.position_embeddings.weight",
}


def _feed_forward(architecture: Architecture) -> int:
    return architecture.feed_forward or 4 * architecture.hidden_size


def parameter_counts(model: PreTrainedModel) -> dict[str, int]:
    """Parameters in all, of the embedding tables (tied: counted once), and the others.

    Those that an objective trains beside the model are not its own.
    """
    model = _exported(model)
    total = sum(parameter.numel() for parameter in model.parameters())
    tables = {
        id(module.weight): module.weight.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding)
    }
    embedding = sum(tables.values())
    return {"total": total, "embedding": embedding, "non_embedding": total - embedding}


def weights_by_part(model: PreTrainedModel) -> dict[str, int]:
    """Weights that are applied to each position, by the positions they are applied to.

    Keys are those of an objective's `positions`: `head` is the output layer (tied to the token
    table), `body` the rest of a single stack; of T5, `encoder` has the keys and values of the
    decoder's attention to it too; `objective` is what an objective trains beside the model.
    Embedding tables are looked up, not multiplied with.
    """
    tables = {
        id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)
    }
    parts = {"head": model.get_output_embeddings().weight.numel()}
    for name, parameter in model.named_parameters():
        if id(parameter) in tables:
            continue
        if name.startswith("cls."):
            part = "head"
        elif name.endswith(("EncDecAttention.k.weight", "EncDecAttention.v.weight")):
            part = "encoder"
        elif name.startswith(("encoder.", "decoder.", f"{BESIDE}.")):
            part = name.partition(".")[0]
        else:
            part = "body"
        parts[part] = parts.get(part, 0) + parameter.numel()
    return parts


def save_folder(model: PreTrainedModel, tokenizer: Path, folder: Path, meta: dict) -> None:
    """Write weights in float16, configuration, tokenizer and `benchsuite.json` to `folder`.

    The configuration says float32, so that loading computes in float32 unless told otherwise:
    float16 is how the weights are stored, and CPUs are slow at it. The folder is written beside
    and renamed, so that it is there whole or not at all.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _write_folder(model, tokenizer, temporary, meta)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _write_folder(model: PreTrainedModel, tokenizer: Path, temporary: Path, meta: dict) -> None:
    """The files of `save_folder`."""
    with _no_progress_bar(), as_os_error(temporary, SafetensorError):
        copy.deepcopy(_exported(model)).to("cpu").half().save_pretrained(temporary)
    for weights in temporary.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes for the owner alone
    config = json.loads((temporary / "config.json").read_text())
    config["dtype"] = "float32"
    (temporary / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    faced = load_tokenizer(tokenizer)
    set_template(faced, meta["family"])
    faced.model_max_length = meta["recipe"]["architecture"]["positions"]
    save_tokenizer(faced, temporary)
    # The library's indentation is more than half of the file, and every model here has one.
    vocabulary = temporary / "tokenizer.json"
    whole = json.loads(vocabulary.read_text())
    vocabulary.write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n")
    (temporary / "benchsuite.json").write_text(json.dumps(meta, indent=2) + "\n")


def _exported(model: PreTrainedModel) -> PreTrainedModel:
    """The model without what an objective trains beside it, sharing its weights."""
    if BESIDE not in dict(model.named_children()):
        return model
    own = copy.copy(model)
    own._modules = {name: part for name, part in model._modules.items() if name != BESIDE}
    return own


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
