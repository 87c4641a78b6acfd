"""The loop on a tiny model: learning, budgets, progress, refusals, the folder it leaves."""

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from benchsuite.cli import main
from benchsuite.errors import InputError
from benchsuite.models.registry import load_model
from benchsuite.pretrain import loop
from benchsuite.pretrain.loop import Trainer
from benchsuite.pretrain.model import _POSITION_TABLES, FAMILIES
from benchsuite.pretrain.objectives import causal_lm
from benchsuite.pretrain.progress import phase_at
from benchsuite.pretrain.recipe import Recipe, load_recipe
from benchsuite.pretrain.run import pretrain
from benchsuite.training.export import held_out_loss
from tests.pretrain.conftest import OBJECTIVES, quiet, read_log


def test_loss_falls_and_the_folder_loads(recipe: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    folder = pretrain(recipe, None, out, shards=shards, tokens=150 * 256, echo=quiet)
    entries = read_log(out)
    steps = entries[:-1]
    assert [entry["step"] for entry in steps] == list(range(1, 151))
    assert steps[-1]["tokens"] == 150 * 256
    assert steps[0]["loss"] == pytest.approx(math.log(400), abs=0.2)  # uniform at the start
    assert steps[-1]["loss"] < steps[0]["loss"] - 1.5
    assert {entry["length"] for entry in steps[:75]} == {32}
    assert {entry["length"] for entry in steps[75:]} == {64}
    assert set(entries[-1]) == {"step", "tokens", "validation_loss_32", "validation_loss_64"}
    assert sorted(path.name for path in out.glob("step-*")) == ["step-128", "step-64", "step-96"]
    for step in (64, 128):  # evenly spaced on a logarithmic axis
        meta = json.loads((out / f"step-{step}" / "benchsuite.json").read_text())
        assert (meta["steps"], meta["tokens"]) == (step, step * 256)

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert tokenizer.model_max_length == 64
    assert model.config.eos_token_id == tokenizer.eos_token_id == 0
    card = (folder / "README.md").read_text()
    assert "38,400 raw tokens of text in 150 steps of 256 positions" in card
    assert f"{entries[-1]['validation_loss_64']:.3f} nats a target at length 64" in card
    meta = json.loads((folder / "benchsuite.json").read_text())
    assert meta["family"] == "decoder"
    assert meta["tokens"] == 150 * 256
    trainer = Trainer(load_recipe(recipe), shards, tmp_path / "fresh", quiet)
    batch = trainer._batch(trainer.validation, 64, 0, 4)
    untrained = trainer.objective.loss(trainer.model, batch).item()
    # float16 storage moves the loss in the third decimal at most
    trained = trainer.objective.loss(model, batch).item()
    assert trained == pytest.approx(entries[-1]["validation_loss_64"], abs=0.3)
    assert trained < untrained - 1


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_objective_is_learned_and_its_folder_loads(
    compiled: bool,
    any_recipe: tuple[str, Path],
    shards: Path,
    tmp_path: Path,
) -> None:
    objective, recipe = any_recipe
    if compiled:
        recipe.write_text(recipe.read_text() + "compile: true\n")
    folder = pretrain(recipe, None, tmp_path / "run", shards=shards, tokens=150 * 256, echo=quiet)
    entries = read_log(tmp_path / "run")
    assert entries[0]["loss"] == pytest.approx(math.log(400), abs=0.2)
    # [MASK]s in made-up text cannot all be told: the slots allow a dozen words each
    assert entries[-1]["validation_loss_32"] < entries[0]["loss"] - 1

    loaded = load_model(str(folder))
    assert loaded.family == FAMILIES[OBJECTIVES[objective]]
    assert loaded.max_length == loaded.tokenizer.model_max_length == 64
    assert loaded.ref.metadata["objective"] == objective
    trainer = Trainer(load_recipe(recipe), shards, tmp_path / "fresh", quiet)
    trainer.model = loaded.network
    # float16 storage moves the loss in the third decimal at most
    assert trainer.evaluate(32) == pytest.approx(entries[-1]["validation_loss_32"], abs=0.01)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a choice made for processors")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_compiler_gets_short_rows_of_plain_attention(
    compiled: bool,
    any_recipe: tuple[str, Path],
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And both kinds of attention compute the same."""
    monkeypatch.setattr(torch, "compile", lambda loss, **_: loss)
    monkeypatch.setattr(loop, "PLAIN_ATTENTION", {"float32": 32})
    settings = load_recipe(any_recipe[1]).model_dump()
    settings["architecture"]["dropout"] = 0.0  # of scores: drawn otherwise by the two
    recipe = Recipe.model_validate(settings | {"compile": compiled})
    trainer = Trainer(recipe, shards, tmp_path, quiet)
    losses, kinds = [], []
    for progress in (0.0, 0.4, 0.6):
        losses.append(trainer.step(progress)["loss"])
        kinds.append(trainer.model.config._attn_implementation)
    assert kinds == (["eager", "eager", "sdpa"] if compiled else ["sdpa"] * 3)
    trainer.evaluate(32)
    assert trainer.model.config._attn_implementation == "sdpa"
    if compiled:
        monkeypatch.setattr(loop, "PLAIN_ATTENTION", {"float32": 0})
        other = Trainer(recipe, shards, tmp_path, quiet)
        for loss, progress in zip(losses, (0.0, 0.4, 0.6), strict=True):
            assert other.step(progress)["loss"] == pytest.approx(loss, abs=1e-4)


def test_tokenizers_add_what_the_rows_have(
    any_recipe: tuple[str, Path], shards: Path, tmp_path: Path
) -> None:
    objective, recipe = any_recipe
    folder = pretrain(recipe, None, tmp_path / "run", shards=shards, tokens=256, echo=quiet)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    a, b = (tokenizer(text, add_special_tokens=False).input_ids for text in ("a cat", " a dog"))
    single, pair = tokenizer("a cat"), tokenizer("a cat", " a dog")
    assert len(a) > 1 and len(b) > 1
    end, pad, cls, sep = 0, 1, 2, 3
    if objective == "causal_lm":
        assert (single.input_ids, pair.input_ids) == (a, a + b)
        assert config.bos_token_id == config.eos_token_id == end
    elif objective == "masked_lm":
        assert single.input_ids == [cls, *a, sep]
        assert pair.input_ids == [cls, *a, sep, *b, sep]
        assert pair.token_type_ids == [0] * (len(a) + 2) + [1] * (len(b) + 1)
        assert config.pad_token_id == pad
    else:
        assert single.input_ids == [*a, end]
        assert set(single) == {"input_ids", "attention_mask"}
        assert config.eos_token_id == end
        assert config.pad_token_id == config.decoder_start_token_id == pad


def test_raw_tokens_are_counted(shards: Path, any_recipe: tuple[str, Path], tmp_path: Path) -> None:
    """T is text consumed: [CLS] and [SEP] take places of a row, and are none."""
    objective, recipe = any_recipe
    pretrain(recipe, None, tmp_path, shards=shards, tokens=1024, echo=quiet)
    steps = [entry for entry in read_log(tmp_path) if "loss" in entry]
    short, long = (8 * 29, 4 * 61) if objective == "masked_lm" else (256, 256)
    counts = np.diff([0] + [entry["tokens"] for entry in steps])
    assert set(zip((entry["length"] for entry in steps), counts.tolist(), strict=True)) == {
        (32, short),
        (64, long),
    }
    assert steps[-2]["tokens"] < 1024 <= steps[-1]["tokens"]


def test_accumulation_changes_nothing(
    write_recipe: Callable[..., Path], settings: dict, shards: Path, tmp_path: Path
) -> None:
    architecture = settings["architecture"] | {"dropout": 0.0}
    losses = []
    for accumulation in (1, 4):
        path = write_recipe(architecture=architecture, accumulation=accumulation)
        out = tmp_path / str(accumulation)
        pretrain(path, None, out, shards=shards, tokens=5 * 256, echo=quiet)
        losses.append([entry["loss"] for entry in read_log(out)[:-1]])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_a_budget_in_minutes_ends_in_time_with_the_schedule_done(
    recipe: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))  # one second a look; a step looks twice, evaluation too
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    pretrain(recipe, None, tmp_path, shards=shards, minutes=1, echo=quiet)
    steps = [entry for entry in read_log(tmp_path) if "loss" in entry]
    assert 50 <= len(steps) <= 60
    assert steps[-1]["seconds"] >= 60
    assert steps[-2]["seconds"] < 60
    assert steps[-1]["lr"] < 0.01 * max(entry["lr"] for entry in steps)
    assert steps[-1]["length"] == 64


def test_progress_tells_loss_speed_and_time_left(
    recipe: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    lines: list[str] = []
    pretrain(recipe, None, tmp_path, shards=shards, minutes=2, echo=lines.append)
    steps = {entry["step"]: entry for entry in read_log(tmp_path) if "loss" in entry}
    *progress, last = lines
    assert len(progress) > 5
    for line in progress:
        found = re.fullmatch(
            r"step (\d+)  ([\d.]+)%  loss ([\d.]+)  256 tokens/s  ETA (\d+) min"
            r"(  validation [\d.]+)?",
            line,
        )
        assert found, line
        entry = steps[int(found[1])]
        assert float(found[2]) == pytest.approx(entry["seconds"] / 1.2, abs=1)
        assert float(found[3]) == pytest.approx(entry["loss"], abs=0.001)
        assert int(found[4]) == pytest.approx((120 - entry["seconds"]) / 60, abs=0.6)
    assert re.search(r"model: [\d,]+ tokens, validation_loss_32 [\d.]+, validation_loss_64", last)


def test_without_a_compiler_a_line_says_so(
    write_recipe: Callable[..., Path],
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -v")
    recipe, out = write_recipe(compile=True), tmp_path / "run"
    with pytest.raises(SystemExit) as stopped:
        main(["pretrain", str(recipe), "--shards", str(shards), "--out", str(out)])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs a compiler (no-such-compiler -v), and none is installed" in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("poisoned", "message"),
    [
        ("loss", "loss is nan at step 3; lower"),
        ("gradient", "the gradient's norm is nan at step 3; lower"),
        ("weights", "validation loss is nan after step 3;"),
    ],
)
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(
    poisoned: str,
    message: str,
    write_recipe: Callable[..., Path],
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = write_recipe(checkpoint_minutes=1e-9)  # one a step
    out = tmp_path / "run"
    real = Trainer.step

    def step(self: Trainer, progress: float) -> dict:
        third = self.state.step == 2
        if third and poisoned == "loss":
            loss = causal_lm.Objective.loss
            self.loss = lambda *given: loss(self.objective, *given) * float("nan")
        if third and poisoned == "gradient":  # of a square root at 0
            loss = causal_lm.Objective.loss
            weight = next(self.model.parameters())
            self.loss = lambda *given: loss(self.objective, *given) + (0 * weight).sum().sqrt()
        entry = real(self, progress)
        if third:  # as a step of far too high a rate leaves them
            next(self.model.parameters()).data.fill_(float("nan"))
        return entry

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(SystemExit) as stopped:
        main(["pretrain", str(recipe), "--shards", str(shards), "--out", str(out)])
    assert stopped.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (out / "model").exists()
    kept = torch.load(out / "checkpoint.pt", weights_only=True)
    assert kept["state"]["step"] == 2
    assert all(value.isfinite().all() for value in kept["model"].values())


@pytest.mark.parametrize("where", ["a file", "below a file", "read-only"])
def test_a_folder_that_cannot_be_written_to(
    where: str,
    recipe: Path,
    shards: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = {"a file": recipe, "below a file": recipe / "run"}.get(where, tmp_path / "run")
    if where == "read-only":  # root may write anywhere
        monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK or path != out)
    for source in (["--shards", str(shards)], ["--corpus", str(corpus)]):
        with pytest.raises(SystemExit) as stopped:
            main(["pretrain", str(recipe), *source, "--out", str(out)])
        assert stopped.value.code == 2
        found = capsys.readouterr()
        assert found.out == ""
        (line,) = found.err.splitlines()
        assert line.endswith("give another --out")


def test_a_run_says_what_it_read(recipe: Path, shards: Path, tmp_path: Path) -> None:
    folder = pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    meta = json.loads((folder / "benchsuite.json").read_text())
    phases = meta["texts"][0]["phases"]
    assert [(phase["length"], phase["tokens"]) for phase in phases] == [(32, 2560), (64, 2560)]
    assert 2560 < meta["distinct_tokens"] <= meta["tokens"] == 5120
    assert meta["tokenizer"] == {"kind": "bpe", "vocab_size": 400}
    assert set(meta["sources"]) == {"fables", "letters"}
    assert meta["hardware"].endswith(torch.__version__)


def test_lengths_follow_their_shares(settings: dict) -> None:
    recipe = Recipe.model_validate(settings)
    assert [phase_at(p, recipe).length for p in (0, 0.49, 0.5, 0.99, 1.0)] == [32, 32, 64, 64, 64]


@pytest.mark.parametrize("objective", ["causal_lm", "masked_lm"])
def test_short_shifted_rows_train_the_whole_position_table(
    objective: str, settings: dict, shards: Path, tmp_path: Path
) -> None:
    settings["objective"] = objective
    settings["architecture"]["type"] = OBJECTIVES[objective]
    settings["optimizer"] = {"name": "adamw", "lr": 1e-3, "weight_decay": 0.0}
    tables = {}
    for shifted in (False, True):
        settings["lengths"] = [{"length": 32, "share": 1.0, "shifted": shifted}]
        trainer = Trainer(Recipe.model_validate(settings), shards, tmp_path / "run", quiet)
        table = trainer.model.get_parameter(_POSITION_TABLES[OBJECTIVES[objective]])
        before = table.detach().clone()
        for step in range(20):
            trainer.step(step / 20)
        tables[shifted] = (table != before).any(dim=1)
        batch = trainer._batch(trainer.train, 32, 0, 8, shifted)
        assert ("position_ids" in batch) == shifted
    assert tables[False][:32].all() and not tables[False][32:].any()
    assert tables[True].all()


def test_shifted_rows_begin_anywhere_and_always_there(
    settings: dict, shards: Path, tmp_path: Path
) -> None:
    trainer = Trainer(Recipe.model_validate(settings), shards, tmp_path / "run", quiet)
    places = trainer._batch(trainer.train, 32, 0, 400, True)["position_ids"]
    assert places.shape == (400, 32) and (places.diff(dim=1) == 1).all()
    assert set(places[:, 0].tolist()) == set(range(64 - 32 + 1))
    # A row's shift is its own, whatever batch it comes in.
    again = trainer._batch(trainer.train, 32, 7, 3, True)["position_ids"]
    assert torch.equal(again, places[7:10])


def test_the_loss_of_a_checkpoint_is_told_again(recipe: Path, shards: Path, tmp_path: Path) -> None:
    """What `bench export --shards` notes, of the network as it is stored."""
    out = tmp_path / "run"
    folder = pretrain(recipe, None, out, shards=shards, tokens=20 * 256, echo=quiet)
    meta = json.loads((folder / "benchsuite.json").read_text())
    network = load_model(str(folder)).network
    expected = read_log(out)[-1]["validation_loss_64"]
    assert held_out_loss(network, meta, shards) == pytest.approx(expected, abs=0.01)
    with pytest.raises(InputError, match="does not say how it was pretrained"):
        held_out_loss(network, {}, shards)
