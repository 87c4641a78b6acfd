"""Finished runs become bundled models, with cards."""

import json
from pathlib import Path

import pytest

from benchsuite.errors import InputError
from benchsuite.pretrain import equality, publish
from benchsuite.pretrain.encoding import encode_corpus
from benchsuite.pretrain.run import pretrain
from tests.pretrain.conftest import quiet


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (equality, publish):
        monkeypatch.setattr(module, "baselines_root", lambda: tmp_path / "baselines")
    return tmp_path / "baselines"


def test_a_finished_run_is_published_with_its_trials(
    root: Path, recipe: Path, shards: Path, tmp_path: Path
) -> None:
    run, trial = tmp_path / "run", tmp_path / "toy-trial"
    for folder in (run, trial):
        pretrain(recipe, None, folder, shards=shards, echo=quiet)
    name = json.loads((run / "model" / "benchsuite.json").read_text())["recipe"]["name"]
    stale = root / "models" / name / "stale.txt"
    stale.parent.mkdir(parents=True)
    stale.touch()
    own = trial.rename(tmp_path / f"{name}-trial")
    publish.publish([run], shards, trials=[own, tmp_path / "other-trial"], remark="Chosen by eye.")
    model = root / "models" / name
    assert not stale.exists()
    weights = "model.safetensors"
    assert (model / weights).read_bytes() == (run / "model" / weights).read_bytes()
    text = (model / "README.md").read_text()
    titles = ["## Loss", "## Trials", "## Remarks\n\nChosen by eye.", "## Limits"]
    assert sorted(titles, key=text.index) == titles


def test_what_fails_leaves_the_models_as_they_were(
    root: Path, recipe: Path, shards: Path, tokenizer: Path, corpus: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    pretrain(recipe, None, run, shards=shards, tokens=512, echo=quiet)
    publish.publish([run], shards)
    before = (root / "models" / "tiny" / "README.md").read_text()
    with pytest.raises(InputError, match="holds no run"):
        publish.publish([run], shards, trials=[tmp_path / "tiny-missing"])
    with pytest.raises(InputError, match="are both named 'tiny'"):
        publish.publish([run, run], shards)
    log = run / "log.jsonl"
    whole = log.read_text()
    log.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="has gone on from its model; resume it"):
        publish.publish([run], shards)
    log.write_text(whole)
    encode_corpus(corpus, tokenizer, tmp_path / "fewer", tokens=5000)
    with pytest.raises(InputError, match="was trained on other shards than"):
        publish.publish([run], tmp_path / "fewer")
    assert (root / "models" / "tiny" / "README.md").read_text() == before
    assert [path.name for path in root.rglob("*") if path.is_dir()] == ["models", "tiny"]


def test_an_unfinished_run_changes_nothing(root: Path, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run; resume it"):
        publish.publish([tmp_path], shards)
    assert not root.exists()
