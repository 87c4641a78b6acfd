"""An interrupted run goes on as if it had never stopped, or is refused in one line."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from benchsuite.errors import InputError
from benchsuite.models.registry import resolve_model
from benchsuite.pretrain import loop
from benchsuite.pretrain.encoding import encode_corpus
from benchsuite.pretrain.folder import alone_in
from benchsuite.pretrain.loop import Trainer
from benchsuite.pretrain.progress import State
from benchsuite.pretrain.recipe import load_recipe
from benchsuite.pretrain.run import pretrain
from benchsuite.pretrain.tokenizer import train_tokenizer
from tests.pretrain.conftest import quiet, read_log

AUTO = {
    "causal_lm": AutoModelForCausalLM,
    "masked_lm": AutoModelForMaskedLM,
    "span_corruption": AutoModelForSeq2SeqLM,
}
EXACT = ("step", "tokens", "loss", "lr", "length", "validation_loss")


def losses(out: Path) -> list[list]:
    """What must be the same in every step's line; times may differ."""
    return [[entry.get(key) for key in EXACT] for entry in read_log(out)]


def interrupt(monkeypatch: pytest.MonkeyPatch, saved: int, train: Callable[[], object]) -> None:
    """Train up to five steps past a checkpoint at step `saved`: they will be done again."""
    real = Trainer.step

    def step(self: Trainer, progress: float) -> dict:
        if self.state.step == saved:
            self._save_checkpoint()
        if self.state.step == saved + 5:
            raise KeyboardInterrupt
        return real(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step)
        with pytest.raises(KeyboardInterrupt):
            train()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("saved", [8, "switch", 14])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="float32"),
        pytest.param(
            {"compile": True, "precision": "bfloat16"}, id="compiled", marks=pytest.mark.slow
        ),
    ],
)
def test_resume_is_exact(
    changes: dict,
    saved: int | str,
    any_recipe: tuple[str, Path],
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before, at and after the switch of lengths; the recipe has dropout and accumulates."""
    objective, recipe = any_recipe
    recipe.write_text(recipe.read_text() + "".join(f"{k}: {v}\n" for k, v in changes.items()))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    pretrain(recipe, None, whole, shards=shards, echo=quiet)
    lengths = [entry["length"] for entry in read_log(whole)[:-1]]
    assert set(lengths) == {32, 64}
    if saved == "switch":
        saved = lengths.index(64)
    assert isinstance(saved, int)
    interrupt(monkeypatch, saved, lambda: pretrain(recipe, None, broken, shards=shards, echo=quiet))
    assert len(read_log(broken)) == saved + 5
    lines: list[str] = []
    pretrain(recipe, None, broken, shards=shards, echo=lines.append)
    assert lines[0].startswith(f"resuming at step {saved}, ")

    assert losses(broken) == losses(whole)
    assert len(losses(whole)) >= 21
    assert read_log(broken)[-1] == read_log(whole)[-1]  # validation losses
    first, second = (
        AUTO[objective].from_pretrained(folder / "model") for folder in (whole, broken)
    )
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_a_killed_command_goes_on_exactly(
    compiled: bool, write_recipe: Callable[..., Path], shards: Path, tmp_path: Path
) -> None:
    """No handler runs at a kill: what is on disk has to do, in another process."""
    recipe = write_recipe(compile=compiled, checkpoint_minutes=1e-9, budget={"tokens": 200 * 256})
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = [sys.executable, "-m", "benchsuite", "pretrain", str(recipe), "--shards", str(shards)]
    subprocess.run([*command, "--out", str(whole)], check=True)
    log = broken / "log.jsonl"
    with subprocess.Popen([*command, "--out", str(broken)]) as run:
        while not log.is_file() or log.read_bytes().count(b"\n") < 50:
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    assert not (broken / "model").exists()
    again = subprocess.run(
        [*command, "--out", str(broken)], check=True, capture_output=True, text=True
    )
    assert again.stdout.startswith("resuming at step ")
    assert losses(broken) == losses(whole)


@pytest.mark.parametrize("tail", [b'{"step": 21, "tok', b"\0\0\xff", b""])
def test_half_a_line_at_the_end_of_the_log_is_dropped(
    tail: bytes, recipe: Path, shards: Path, tmp_path: Path
) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    log = tmp_path / "log.jsonl"
    before = read_log(tmp_path)
    log.write_bytes(log.read_bytes().rstrip(b"\n") + b"\n" * bool(tail) + tail)
    pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    assert read_log(tmp_path) == before
    assert log.read_bytes().endswith(b"}\n")


def test_a_bad_line_within_the_log_is_named(recipe: Path, shards: Path, tmp_path: Path) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    for bad in (lines[4][:10], "{}", "5"):
        (tmp_path / "log.jsonl").write_text("\n".join([*lines[:4], bad, *lines[5:]]))
        with pytest.raises(InputError, match=r"log\.jsonl: line 5 is damaged; put the log back"):
            pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)


@pytest.mark.parametrize("kept", [slice(0), slice(1, None)])
def test_a_log_without_all_steps_is_named(
    kept: slice, recipe: Path, shards: Path, tmp_path: Path
) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    (tmp_path / "log.jsonl").write_text("\n".join(lines[kept]))
    with pytest.raises(InputError, match=r"log\.jsonl does not hold each step up to 20"):
        pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)


def test_a_finished_run_stays_as_it_is(recipe: Path, shards: Path, tmp_path: Path) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    pretrain(recipe, None, tmp_path, shards=shards, threads=1, echo=quiet)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with pytest.raises(InputError, match="the budget is used up already; give a larger one"):
        pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_flipped_bit_of_a_checkpoint_is_found(recipe: Path, shards: Path, tmp_path: Path) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)
    path = tmp_path / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.pt is damaged"):
        pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)


def test_a_run_begun_anew_has_no_steps_of_the_old_one(
    recipe: Path, shards: Path, tmp_path: Path
) -> None:
    stale = tmp_path / "step-64"
    stale.mkdir()
    pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)
    assert not stale.exists()


def test_two_processes_do_not_train_in_one_folder(
    recipe: Path, shards: Path, tmp_path: Path
) -> None:
    with (
        alone_in(tmp_path),
        pytest.raises(InputError, match="another process trains in .*; wait for it"),
    ):
        pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)


def test_time_is_counted_by_machine() -> None:
    state = State()
    state.spend(3600, "one, 1 thread")
    assert state.machines() == "one, 1 thread"
    state.spend(1800, "other, 2 threads")
    assert state.machines() == "one, 1 thread (1.00 h); other, 2 threads (0.50 h)"
    assert state.seconds == 5400


@pytest.mark.parametrize("keep", [0, 3, 1000, 5000, 70_000, -1])
def test_a_cut_checkpoint_is_named_in_one_line(
    keep: int, recipe: Path, shards: Path, tmp_path: Path
) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"checkpoint\.pt is damaged; delete it to") as caught:
        pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)
    assert "\n" not in str(caught.value)
    assert len(read_log(tmp_path)) == 3
    path.unlink()
    pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)


def test_a_checkpoint_of_an_earlier_version_is_named(
    recipe: Path, shards: Path, tmp_path: Path
) -> None:
    pretrain(recipe, None, tmp_path, shards=shards, tokens=512, echo=quiet)
    path = tmp_path / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    content["state"]["rows"] = content["state"].pop("phases")
    torch.save(content, path)
    with pytest.raises(InputError, match=r"checkpoint\.pt is of an earlier version; delete it to"):
        pretrain(recipe, None, tmp_path, shards=shards, tokens=1024, echo=quiet)


def test_a_checkpoint_runs_no_code(recipe: Path, shards: Path, tmp_path: Path) -> None:
    torch.save({"recipe": Path("x")}, tmp_path / "checkpoint.pt")  # a class that is no tensor
    with pytest.raises(InputError, match=r"checkpoint\.pt is damaged"):
        pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)


def test_other_shards_do_not_resume(
    recipe: Path, shards: Path, corpus: Path, tokenizer: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    unfinished = Trainer(load_recipe(recipe), shards, tmp_path / "run", quiet)
    unfinished.step(0)
    unfinished._save_checkpoint()
    encode_corpus(corpus, tokenizer, tmp_path / "other", tokens=20_000)
    for tokens in (None, 40 * 256):
        with pytest.raises(InputError, match="holds a run on other shards; give another --out"):
            pretrain(
                recipe, None, tmp_path / "run", shards=tmp_path / "other", tokens=tokens, echo=quiet
            )


def test_a_finished_run_goes_on_with_other_text(
    write_recipe: Callable[..., Path],
    shards: Path,
    corpus: Path,
    tokenizer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, other, alien = (tmp_path / name for name in ("run", "other", "alien"))
    recipe = write_recipe()
    pretrain(recipe, None, out, shards=shards, echo=quiet)
    before = read_log(out)[:-1]
    encode_corpus(corpus, tokenizer, other, tokens=20_000, mix={"letters": 0.9, "fables": 0.1})
    train_tokenizer(corpus, tmp_path / "tokenizer", vocab_size=320)
    encode_corpus(corpus, tmp_path / "tokenizer", alien)
    with pytest.raises(InputError, match="to a finished run a larger budget"):
        pretrain(recipe, None, out, shards=other, echo=quiet)
    with pytest.raises(InputError, match="has another tokenizer than the run"):
        pretrain(recipe, None, out, shards=alien, tokens=30 * 256, echo=quiet)
    told = out / "model" / "benchsuite.json"
    whole = told.read_text()
    for bad in ("{", whole.replace('"tokens": 2560', '"tokens": 2816')):
        told.write_text(bad)
        with pytest.raises(InputError, match="does not tell what was read; delete .* and resume"):
            pretrain(recipe, None, out, shards=other, tokens=30 * 256, echo=quiet)
    told.write_text(whole)
    # what a recipe says of a corpus is of its own shards
    second = write_recipe(corpus={"tokens": 20_000, "mix": {"letters": 0.9, "fables": 0.1}})
    broken = shutil.copytree(out, tmp_path / "broken")
    folder = pretrain(second, None, out, shards=other, tokens=30 * 256, echo=quiet)
    log = [entry for entry in read_log(out) if "loss" in entry]
    assert [entry["step"] for entry in log] == list(range(1, 31))
    assert log[:20] == before
    meta = json.loads((folder / "benchsuite.json").read_text())
    assert [text["tokens"] for text in meta["texts"]] == [20 * 256, 10 * 256]
    assert meta["tokens"] == 30 * 256
    assert meta["texts"][0]["recipe"]["budget"]["tokens"] == 20 * 256
    assert set(meta["texts"][0]["validation_losses"]) == {"32", "64"}
    # the first text's model stays, a point of the same curve
    runs = [resolve_model(str(path)) for path in (out / "step-20", folder)]
    assert [one.pretraining["tokens"] for one in runs if one.pretraining] == [5120, 7680]
    assert len({one.pretraining["recipe"] for one in runs if one.pretraining}) == 1
    assert meta["shards"] == meta["texts"][1]["shards"] != meta["texts"][0]["shards"]
    assert meta["sources"]["letters"] > meta["sources"]["fables"]
    assert sum(meta["sources"].values()) == pytest.approx(30 * 256, abs=4)
    card = (folder / "README.md").read_text()
    assert "5,120 tokens of text 1." in card and "2,560 tokens of text 2." in card
    assert "; after 5,120 tokens as if the budget had always been 7,680 tokens |" in card
    assert "| budget | 5,120 tokens, then 7,680 tokens |" in card
    assert "After 5,120 tokens all losses are of text 2, validation's too." in card
    # and resumes there, now from the other text alone
    with pytest.raises(InputError, match="holds a run on other shards"):
        pretrain(recipe, None, out, shards=shards, tokens=30 * 256, echo=quiet)
    pretrain(second, None, out, shards=other, tokens=30 * 256, echo=quiet)
    assert [entry for entry in read_log(out) if "loss" in entry] == log
    # killed between the last checkpoint and the second text's model
    again = shutil.copytree(broken, tmp_path / "unsaved")
    run = partial(pretrain, second, None, again, shards=other, tokens=30 * 256, echo=quiet)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert json.loads((again / "model" / "benchsuite.json").read_text())["tokens"] == 20 * 256
    run()
    assert json.loads((again / "model" / "benchsuite.json").read_text()) | {"hours": 0} == meta | {
        "hours": 0
    }
    for saved in (20, 23):  # stopped where it has turned to the other text, and later
        again = shutil.copytree(broken, tmp_path / str(saved))
        run = partial(pretrain, second, None, again, shards=other, tokens=30 * 256, echo=quiet)
        interrupt(monkeypatch, saved, run)
        run()
        assert losses(again) == losses(out)


def test_another_recipe_does_not_resume(
    recipe: Path, write_recipe: Callable[..., Path], shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    pretrain(recipe, None, out, shards=shards, tokens=512, echo=quiet)
    with pytest.raises(InputError, match="another recipe"):
        pretrain(write_recipe(seed=1), None, out, shards=shards, echo=quiet)


def test_a_broken_save_keeps_the_last_checkpoint(
    recipe: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(load_recipe(recipe), shards, tmp_path, quiet)
    trainer.state.step = 7
    trainer._save_checkpoint()

    def half(content: dict, file) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(loop.torch, "save", half)
    trainer.state.step = 8
    with pytest.raises(OSError, match="disk full"):
        trainer._save_checkpoint()
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]["step"] == 7
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_a_run_goes_on_from_before_its_decay(
    write_recipe: Callable[..., Path], shards: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(schedule={"shape": "linear", "warmup": 0.0, "decay": 0.5})
    pretrain(recipe, None, tmp_path / "short", shards=shards, echo=quiet)
    longer = tmp_path / "longer"
    shutil.copytree(tmp_path / "short", longer)
    (longer / "before_decay.pt").replace(longer / "checkpoint.pt")
    pretrain(recipe, None, longer, shards=shards, tokens=40 * 256, echo=quiet)
    short, log = (
        [entry for entry in read_log(tmp_path / name) if "loss" in entry]
        for name in ("short", "longer")
    )
    assert [entry["step"] for entry in log] == list(range(1, 41))
    assert log[:10] == short[:10]
    # The peak's rate goes on up to half of the larger budget.
    rates = [entry["lr"] for entry in log]
    assert rates[:20] == [0.02] * 20 and rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] < 0.002 and short[-1]["lr"] < 0.003
