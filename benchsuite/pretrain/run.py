"""From a recipe to a trained model: the budget, shards where there are none, the run."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import torch

from benchsuite.errors import InputError
from benchsuite.pretrain.encoding import check_encoding, encode_corpus
from benchsuite.pretrain.folder import alone_in, make_folder
from benchsuite.pretrain.loop import Trainer
from benchsuite.pretrain.recipe import Budget, Recipe, load_recipe
from benchsuite.pretrain.shards import META, read_meta
from benchsuite.pretrain.tokenizer import check_vocab_size, train_tokenizer


def pretrain(
    recipe: Path,
    corpus: Path | None,
    out: Path,
    *,
    shards: Path | None = None,
    minutes: float | None = None,
    tokens: int | None = None,
    threads: int | None = None,
    data: Path | None = None,
    echo: Callable[[str], None] = print,
) -> Path:
    """Pretrain a recipe's model and return the Hugging Face folder, `out/model`.

    `out` also gets `log.jsonl`, `checkpoint.pt` (resumed from when it is there), `before_decay.pt`
    (to go on from with a larger budget, where the schedule has a `decay`), and folders `step-<n>`
    at steps 64, 96, 128, 192, ... Without `shards`, a tokenizer and shards are made from `corpus`
    in `out` unless they are there already.

    The folder is complete: weights, tokenizer, model card and a shortened log.

    Args:
        minutes, tokens: another budget than the recipe's; at most one.
        data: mirror of evaluation data; what overlaps with it is left out when encoding.
        echo: receives one progress line every ten seconds or so.

    Raises InputError for bad input and TrainingDiverged when the loss is NaN or infinite.
    """
    settings = load_recipe(recipe)
    if minutes is not None and tokens is not None:
        raise InputError("give --minutes or --tokens, not both")
    if minutes is not None or tokens is not None:
        if not 0 < (minutes or tokens or 0) < math.inf:
            raise InputError("the budget must be above 0")
        settings = settings.model_copy(update={"budget": Budget(minutes=minutes, tokens=tokens)})
    if threads is not None:
        if not 0 < threads <= (os.cpu_count() or 1):
            raise InputError(f"--threads must be from 1 to {os.cpu_count()}, this machine's")
        torch.set_num_threads(threads)
    folder = shards if shards is not None else _prepare(settings, corpus, out, data, echo)
    return Trainer(settings, folder, out, echo).run()


def _prepare(
    recipe: Recipe, corpus: Path | None, out: Path, data: Path | None, echo: Callable[[str], None]
) -> Path:
    """Tokenizer and shards in `out`, made only when missing."""
    folder = out / "shards"
    # what of a recipe and a corpus the shards depend on: those of others are not taken for theirs
    made = {
        "tokenizer": recipe.tokenizer.model_dump(),
        "tokens": recipe.corpus.tokens,
        "mix": recipe.corpus.mix,
        "seed": recipe.seed,
    }
    if corpus is not None:
        made["files"] = {path.name: path.stat().st_size for path in corpus.glob("*.parquet")}
    # a corpus without a held-out slice leaves shards that no run can take
    if (folder / META).is_file() and any(folder.glob("validation-*")):
        told = read_meta(folder)
        before = told.get("made", made)
        made.setdefault("files", before.get("files"))  # no text is asked for where shards are there
        remedy = "delete it to encode again, or give another --out"
        if before != made:
            raise InputError(f"{folder} was made by another recipe or from other text; {remedy}")
        if data is not None and not told["decontaminated"]:
            raise InputError(f"{folder} was made without a mirror of evaluation data; {remedy}")
        return folder
    if corpus is None:
        raise InputError("no text to train on: give --corpus DIR or --shards DIR")
    # all that is wrong with the input shows before minutes are spent and folders made
    check_vocab_size(recipe.tokenizer.vocab_size, recipe.tokenizer.kind)
    check_encoding(corpus, recipe.corpus.tokens, recipe.corpus.mix, data)
    make_folder(out)
    with alone_in(out):
        echo(f"training the tokenizer on {corpus}")
        kind = recipe.tokenizer.kind
        train_tokenizer(corpus, out / "tokenizer", recipe.tokenizer.vocab_size, kind)
        echo("encoding the corpus")
        encode_corpus(
            corpus,
            out / "tokenizer",
            folder,
            tokens=recipe.corpus.tokens,
            mix=recipe.corpus.mix,
            data=data,
            seed=recipe.seed,
            made=made,
        )
    return folder
