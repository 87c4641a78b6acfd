"""`bench tokenizer`: train, apply and judge tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli_options import Decontaminate, Json, NeededCorpus

app = typer.Typer(help="Train, apply and judge tokenizers.", no_args_is_help=True)


@app.command()
def train(
    corpus: NeededCorpus,
    out: Annotated[Path, typer.Option(help="Folder of the tokenizer.")],
    vocab_size: Annotated[int, typer.Option(help="Entries, special tokens included.")] = 8192,
    kind: Annotated[str, typer.Option(help="bpe or unigram, both over bytes; wordpiece")] = "bpe",
    characters: Annotated[int, typer.Option(help="About how much text to train on.")] = 120_000_000,
) -> None:
    """Train a tokenizer on a corpus without its held-out slice."""
    from benchsuite.pretrain.tokenizer import train_tokenizer

    train_tokenizer(corpus, out, vocab_size, kind, characters)
    typer.echo(out)


@app.command()
def encode(
    corpus: NeededCorpus,
    tokenizer: Annotated[Path, typer.Option(help="Folder of the tokenizer.")],
    out: Annotated[Path, typer.Option(help="Folder of the shards.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Take the tokens, mix and seed of a pretraining recipe.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="About so many; all where not given.")] = None,
    data: Decontaminate = None,
) -> None:
    """Encode a corpus into shards that `bench pretrain --shards` reads."""
    from benchsuite import console
    from benchsuite.pretrain.encoding import encode_corpus
    from benchsuite.pretrain.recipe import load_recipe

    mix, seed = None, 0
    if recipe is not None:
        settings = load_recipe(recipe)
        mix, seed = settings.corpus.mix, settings.seed
        tokens = settings.corpus.tokens if tokens is None else tokens
    meta = encode_corpus(corpus, tokenizer, out, tokens=tokens, mix=mix, data=data, seed=seed)
    console.print_json(meta)


@app.command()
def report(
    corpus: NeededCorpus,
    tokenizer: Annotated[list[Path], typer.Option(help="Folder of a tokenizer; give several.")],
    as_json: Json = False,
) -> None:
    """Fertility, bytes a token, whole words and unknown tokens on held-out text."""
    from dataclasses import asdict

    from benchsuite import console
    from benchsuite.pretrain.tokenizer_report import measure

    rows = [asdict(measures) for measures in measure(corpus, tokenizer)]
    if as_json:
        console.print_json(rows)
        return
    shown = [
        [round(value, 4) if isinstance(value, float) else value for value in row.values()]
        for row in rows
    ]
    console.print_table("", list(rows[0]), shown)
