"""A made-up corpus and a tiny recipe: seconds on one core."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from benchsuite.pretrain.encoding import encode_corpus
from benchsuite.pretrain.tokenizer import train_tokenizer

OBJECTIVES = {"causal_lm": "gpt2", "masked_lm": "bert", "span_corruption": "t5"}

_NAMES = "the a my our every some old young small big red green grey quiet"
_NOUNS = "cat dog river house garden teacher child bird winter letter road song"
_VERBS = "sees finds likes paints follows hears leaves keeps meets calls"
_SENTENCE = (_NAMES, _NOUNS, _VERBS, _NAMES, _NOUNS)


def quiet(line: str) -> None:
    """Swallow progress lines."""


def read_log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def made_up_text(rng: random.Random, sentences: int = 40) -> str:
    """Paragraphs of random sentences, long enough to be no stub."""
    lines = []
    for _ in range(sentences // 4):
        line = [" ".join(rng.choice(words.split()) for words in _SENTENCE) + "." for _ in range(4)]
        lines.append(" ".join(line))
    return "\n".join(lines)


def write_source(folder: Path, name: str, texts: list[str]) -> None:
    """One parquet file of a corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": texts}), folder / f"{name}.parquet", compression="zstd")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 documents of two sources; two or three of them are held out."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(0)
    for name in ("fables", "letters"):
        write_source(folder, name, [made_up_text(rng) for _ in range(300)])
    return folder


@pytest.fixture(scope="session")
def tokenizer(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(corpus, folder, vocab_size=400)
    return folder


@pytest.fixture(scope="session")
def shards(corpus: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    encode_corpus(corpus, tokenizer, folder)
    return folder


@pytest.fixture
def settings() -> dict:
    """A recipe of a few thousand parameters, with dropout, in float32."""
    return {
        "name": "tiny",
        "objective": "causal_lm",
        "architecture": {
            "type": "gpt2",
            "hidden_size": 32,
            "layers": 2,
            "heads": 2,
            "positions": 64,
            "dropout": 0.1,
        },
        "budget": {"tokens": 20 * 256},
        "lengths": [{"length": 32, "share": 0.5}, {"length": 64, "share": 0.5}],
        "batch_tokens": 256,
        "accumulation": 2,
        "optimizer": {"name": "muon", "lr": 0.02, "adamw_lr": 0.003},
        "validation_tokens": 512,
    }


@pytest.fixture
def recipe(settings: dict, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def write_recipe(settings: dict, tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny recipe with some settings changed."""

    def write(**changes: object) -> Path:
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(settings | changes))
        return path

    return write


@pytest.fixture(params=OBJECTIVES)
def any_recipe(
    request: pytest.FixtureRequest, settings: dict, write_recipe: Callable[..., Path]
) -> tuple[str, Path]:
    """(objective, the tiny recipe with it)."""
    architecture = settings["architecture"] | {"type": OBJECTIVES[request.param]}
    return request.param, write_recipe(objective=request.param, architecture=architecture)
