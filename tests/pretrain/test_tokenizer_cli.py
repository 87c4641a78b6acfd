"""`bench tokenizer`, and each kind from text to a scored model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.cli import main
from benchsuite.models.registry import load_model
from benchsuite.pretrain.tokenizer import KIND_NAMES

from .conftest import OBJECTIVES, write_source

MODELS = {"bpe": "BPE", "wordpiece": "WordPiece", "unigram": "Unigram"}
# the other pairs are alike to one of these or trained in other tests
FAST = (("wordpiece", "masked_lm"), ("wordpiece", "causal_lm"), ("unigram", "span_corruption"))


def _bench(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run `bench` in this process; its exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


def test_train_encode_and_report(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / kind for kind in MODELS]
    for kind, folder in zip(MODELS, folders, strict=True):
        # WordPiece needs the most room, for two pieces a character
        train = ["train", "--corpus", corpus, "--kind", kind, "--vocab-size", 600, "--out", folder]
        assert _bench(capsys, "tokenizer", *train, "--characters", 50_000)[0] == 0
        encode = ["encode", "--corpus", corpus, "--tokenizer", folder, "--tokens", 2000]
        code, out, _ = _bench(capsys, "tokenizer", *encode, "--out", tmp_path / "shards" / kind)
        assert code == 0 and json.loads(out)["train_tokens"] >= 2000
    report = [one for folder in folders for one in ("--tokenizer", folder)]
    report = ["tokenizer", "report", "--corpus", corpus, *report]
    code, out, _ = _bench(capsys, *report, "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["tokenizer"] for row in rows] == list(map(str, folders))
    assert [row["model"] for row in rows] == list(MODELS.values())
    assert len({row["words"] for row in rows}) == 1
    assert [row["unknown_share"] for row in rows] == [0, 0, 0]
    code, out, _ = _bench(capsys, *report)
    assert code == 0 and "fertility" in out and all(name in out for name in MODELS.values())


def test_the_corpus_may_come_from_the_environment(
    corpus: Path,
    tokenizer: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENCHSUITE_CORPUS", str(corpus))
    assert _bench(capsys, "tokenizer", "report", "--tokenizer", tokenizer)[0] == 0


def test_encoding_takes_the_mix_of_a_recipe(
    corpus: Path,
    tokenizer: Path,
    write_recipe: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = write_recipe(corpus={"tokens": 9000, "mix": {"letters": 1.0}})
    encode = ("tokenizer", "encode", "--corpus", corpus, "--tokenizer", tokenizer)
    code, out, _ = _bench(capsys, *encode, "--recipe", recipe, "--out", tmp_path / "shards")
    meta = json.loads(out)
    assert code == 0 and set(meta["sources"]) == {"letters"}
    assert 9000 <= meta["train_tokens"] < 10_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("train --corpus CORPUS --out OUT --kind word", "there is bpe, wordpiece, unigram"),
        ("train --out OUT", "--corpus"),
        ("train --corpus OUT --out OUT", "does not exist"),
        ("train --corpus CORPUS --out OUT --vocab-size 550 --kind wordpiece", "leaves no merges"),
        ("train --corpus CORPUS --out OUT --characters 0", "above 0"),
        ("encode --corpus CORPUS --tokenizer CORPUS --out OUT", "no tokenizer.json"),
        ("train --corpus CORPUS --out SMALL/only.parquet", "cannot make"),
        ("encode --corpus CORPUS --tokenizer TOKENIZER --out OUT --tokens 0", "above 0"),
        ("report --corpus CORPUS", "--tokenizer"),
        ("report --corpus CORPUS --tokenizer CORPUS", "no tokenizer.json"),
        ("report --corpus SMALL --tokenizer TOKENIZER", "held-out slice"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    corpus: Path,
    tokenizer: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    says: str,
) -> None:
    monkeypatch.delenv("BENCHSUITE_CORPUS", raising=False)
    write_source(tmp_path / "small", "only", ["Nothing of this is held out. " * 20])
    named = {
        "CORPUS": corpus,
        "TOKENIZER": tokenizer,
        "SMALL": tmp_path / "small",
        "OUT": tmp_path / "out",
    }
    words = arguments.split()
    code, out, err = _bench(
        capsys,
        "tokenizer",
        *(named.get(word, str(word).replace("SMALL", str(named["SMALL"]))) for word in words),
    )
    assert code == 2 and out == ""
    (line,) = err.splitlines()
    assert says in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "objective"),
    [
        pytest.param(kind, objective, marks=() if (kind, objective) in FAST else pytest.mark.slow)
        for kind in KIND_NAMES
        for objective in OBJECTIVES
    ],
)
def test_a_model_of_each_kind_is_pretrained_and_scored(
    corpus: Path,
    settings: dict,
    write_recipe: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    objective: str,
) -> None:
    recipe = write_recipe(
        objective=objective,
        objective_settings={"whole_word": True} if objective == "masked_lm" else {},
        architecture=settings["architecture"] | {"type": OBJECTIVES[objective]},
        tokenizer={"kind": kind, "vocab_size": 600},
        corpus={"tokens": 20_000},
        budget={"tokens": 3 * 256},
    )
    run = tmp_path / "run"
    assert _bench(capsys, "pretrain", recipe, "--corpus", corpus, "--out", run)[0] == 0
    model = load_model(str(run / "model"))
    # a small corpus does not fill a vocabulary: the card has its true size
    size = f"{KIND_NAMES[kind]}, {len(model.tokenizer)}"
    assert size in (run / "model" / "README.md").read_text()
    assert type(model.tokenizer.backend_tokenizer.model).__name__ == MODELS[kind]
    found = model.tokenizer("The old cat, it sees a dog.", add_special_tokens=False)
    words = [found.word_ids()[at] for at in range(len(found.input_ids))]
    # The old cat , it sees a dog . in WordPiece; a space may stand alone, in a word of its own
    assert max(words) == 8
    command = ["run", "--model", run / "model", "--task", "mini/minimal_pairs,mini/sentiment"]
    code, out, _ = _bench(capsys, *command, "--limit", 4, "--store", tmp_path / "store", "--json")
    assert code == 0
    assert [record["status"] for record in json.loads(out)] == ["done", "done"]
