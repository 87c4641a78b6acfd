"""From a recipe to a trained model: what is refused first, and shards made on the way."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from benchsuite.errors import InputError
from benchsuite.pretrain.run import pretrain
from benchsuite.pretrain.shards import META, write_shards
from tests.pretrain.conftest import quiet

ABSENT = """
import sys
from importlib.metadata import packages_distributions, requires

light = {"torch", "transformers", "tokenizers", "numpy", "pyyaml", "pydantic", "typer", "rich",
         "safetensors", "filelock"}
needed = {one.split(">")[0].split("[")[0] for one in requires("benchsuite") if "extra" not in one}
heavy = needed - light
assert {"pandas", "pyarrow", "scikit-learn", "scipy", "datasets"} <= heavy
for name, packages in packages_distributions().items():
    if heavy & {package.lower() for package in packages}:
        sys.modules[name] = None  # it cannot be imported, and find_spec finds none
from benchsuite.cli import main
main(sys.argv[1:])
"""


def test_shards_are_trained_on_with_little_installed(
    recipe: Path, shards: Path, tmp_path: Path
) -> None:
    """A bare machine with a GPU has torch.

    filelock comes with torch, safetensors with transformers, rich with typer.
    """
    command = [sys.executable, "-c", ABSENT, "pretrain", str(recipe), "--tokens", "512"]
    subprocess.run([*command, "--shards", str(shards), "--out", str(tmp_path / "run")], check=True)
    assert (tmp_path / "run" / "model" / "README.md").is_file()


def test_bad_calls_are_refused(recipe: Path, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not both"):
        pretrain(recipe, None, tmp_path, shards=shards, minutes=1, tokens=1)
    with pytest.raises(InputError, match="above 0"):
        pretrain(recipe, None, tmp_path, shards=shards, tokens=0)
    with pytest.raises(InputError, match="--threads must be from 1 to"):
        pretrain(recipe, None, tmp_path, shards=shards, threads=0)
    with pytest.raises(InputError, match="no text to train on"):
        pretrain(recipe, None, tmp_path)
    with pytest.raises(InputError, match=r"has no shards\.json"):
        pretrain(recipe, None, tmp_path / "run", shards=tmp_path)


@pytest.mark.parametrize(
    ("changes", "broken", "message"),
    [
        ({}, "no folder", "does not exist"),
        ({}, "no parquet", r"damaged or no parquet file"),
        ({}, "no mirror", "no evaluation split"),
        ({"tokenizer": {"vocab_size": 100}}, None, "leaves no merges"),
        ({"corpus": {"tokens": 9, "mix": {"novels": 1}}}, None, "mix names 'novels'"),
        ({"corpus": {"mix": {"fables": 1}}}, None, "needs a token count"),
    ],
)
def test_bad_input_shows_before_anything_is_made(
    changes: dict,
    broken: str | None,
    message: str,
    write_recipe: Callable[..., Path],
    corpus: Path,
    tmp_path: Path,
) -> None:
    folder, data = corpus, None
    if broken == "no folder":
        folder = tmp_path / "none"
    elif broken == "no parquet":
        folder = tmp_path / "corpus"
        folder.mkdir()
        (folder / "fables.parquet").write_bytes(b"PAR1 cut short")
    elif broken == "no mirror":
        data = tmp_path / "none"
    lines: list[str] = []
    out = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        pretrain(write_recipe(**changes), folder, out, data=data, echo=lines.append)
    assert lines == []
    assert not out.exists()


def test_bad_shards_leave_no_folder(recipe: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"has no shards\.json"):
        pretrain(recipe, None, out, shards=tmp_path, echo=quiet)
    short = shutil.copytree(shards, tmp_path / "short")
    write_shards([np.arange(60)], short, "validation")  # enough for phase one of two
    (short / META).write_bytes((shards / META).read_bytes())
    with pytest.raises(InputError, match="validation shards hold fewer than 65 tokens"):
        pretrain(recipe, None, out, shards=short, echo=quiet)
    assert not out.exists()


def test_from_corpus_to_model(
    write_recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    path = write_recipe(tokenizer={"vocab_size": 320}, budget={"tokens": 512})
    folder = pretrain(path, corpus, tmp_path / "run", echo=quiet)
    assert len(AutoTokenizer.from_pretrained(folder)) == 320
    before = (tmp_path / "run" / "shards" / "shards.json").stat().st_mtime_ns
    pretrain(path, corpus, tmp_path / "run", tokens=1024, echo=quiet)
    assert (tmp_path / "run" / "shards" / "shards.json").stat().st_mtime_ns == before


def test_shards_of_another_recipe_are_not_taken(
    write_recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    path = write_recipe(tokenizer={"vocab_size": 320}, budget={"tokens": 512})
    pretrain(path, corpus, tmp_path / "run", echo=quiet)
    (tmp_path / "run" / "checkpoint.pt").unlink()
    path = write_recipe(tokenizer={"vocab_size": 340}, budget={"tokens": 512})
    with pytest.raises(
        InputError, match="shards was made by another recipe or from other text; de"
    ):
        pretrain(path, corpus, tmp_path / "run", echo=quiet)


def test_shards_of_other_text_are_not_taken(
    write_recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    path = write_recipe(tokenizer={"vocab_size": 320}, budget={"tokens": 512})
    out = tmp_path / "run"
    pretrain(path, corpus, out, echo=quiet)
    (out / "checkpoint.pt").unlink()
    other = shutil.copytree(corpus, tmp_path / "corpus")
    shutil.copy(other / "fables.parquet", other / "more.parquet")
    with pytest.raises(InputError, match="from other text; delete it to encode again"):
        pretrain(path, other, out, echo=quiet)
    with pytest.raises(InputError, match="made without a mirror of evaluation data; delete it"):
        pretrain(path, corpus, out, data=tmp_path, echo=quiet)
    pretrain(path, None, out, echo=quiet)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_a_budget_is_a_time(minutes: float, recipe: Path, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the budget must be above 0"):
        pretrain(recipe, None, tmp_path / "run", shards=shards, minutes=minutes, echo=quiet)
