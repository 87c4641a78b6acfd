"""The loop on a tiny model: learning, exact resume, budgets, refusals, the folder it leaves."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
)

from benchsuite.errors import InputError
from benchsuite.models.registry import load_model
from benchsuite.pretrain import loop
from benchsuite.pretrain.loop import Trainer, TrainingDiverged, length_at, pretrain
from benchsuite.pretrain.model import FAMILIES
from benchsuite.pretrain.objectives import causal_lm
from benchsuite.pretrain.recipe import Recipe, load_recipe
from benchsuite.pretrain.shards import META, write_shards
from benchsuite.pretrain.tokenizer import encode_corpus, train_tokenizer


def quiet(line: str) -> None:
    """Swallow progress lines."""


def read_log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def write_recipe(settings: dict, tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny recipe with some settings changed."""

    def write(**changes: object) -> Path:
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(settings | changes))
        return path

    return write


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
    assert sorted(path.name for path in out.glob("step-*")) == ["step-128", "step-64"]

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


OBJECTIVES = {"causal_lm": "gpt2", "masked_lm": "bert", "span_corruption": "t5"}
AUTO = {
    "causal_lm": AutoModelForCausalLM,
    "masked_lm": AutoModelForMaskedLM,
    "span_corruption": AutoModelForSeq2SeqLM,
}


@pytest.fixture(params=OBJECTIVES)
def any_recipe(
    request: pytest.FixtureRequest, settings: dict, write_recipe: Callable[..., Path]
) -> tuple[str, Path]:
    """(objective, the tiny recipe with it)."""
    architecture = settings["architecture"] | {"type": OBJECTIVES[request.param]}
    return request.param, write_recipe(objective=request.param, architecture=architecture)


def test_resume_is_exact(
    any_recipe: tuple[str, Path], shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, recipe = any_recipe
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    pretrain(recipe, None, whole, shards=shards, echo=quiet)

    real = Trainer.step

    def step(self: Trainer, progress: float) -> dict:
        if self.state.step == 8:
            self._save_checkpoint()
        if self.state.step == 13:  # five steps past the checkpoint: they must be done again
            raise KeyboardInterrupt
        return real(self, progress)

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, None, broken, shards=shards, echo=quiet)
    monkeypatch.setattr(Trainer, "step", real)
    assert len(read_log(broken)) == 13
    lines: list[str] = []
    pretrain(recipe, None, broken, shards=shards, echo=lines.append)
    assert lines[0].startswith("resuming at step 8, ")
    assert len(read_log(broken)) == len(read_log(whole)) >= 21

    exact = ("step", "tokens", "loss", "lr", "length")
    expected = [[entry.get(key) for key in exact] for entry in read_log(whole)]
    assert [[entry.get(key) for key in exact] for entry in read_log(broken)] == expected
    assert read_log(broken)[-1] == read_log(whole)[-1]  # validation losses
    first, second = (
        AUTO[objective].from_pretrained(folder / "model") for folder in (whole, broken)
    )
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


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
    lines[4] = lines[4][:10]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"log\.jsonl: line 5 is no JSON; delete that line"):
        pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)


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


def test_a_checkpoint_runs_no_code(recipe: Path, shards: Path, tmp_path: Path) -> None:
    torch.save({"recipe": Path("x")}, tmp_path / "checkpoint.pt")  # a class that is no tensor
    with pytest.raises(InputError, match=r"checkpoint\.pt is damaged"):
        pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)


def test_shards_of_another_vocabulary_do_not_resume(
    recipe: Path, shards: Path, corpus: Path, tmp_path: Path
) -> None:
    pretrain(recipe, None, tmp_path / "run", shards=shards, tokens=512, echo=quiet)
    train_tokenizer(corpus, tmp_path / "tokenizer", vocab_size=320)
    encode_corpus(corpus, tmp_path / "tokenizer", tmp_path / "other")
    with pytest.raises(InputError, match="another vocabulary; give another --out"):
        pretrain(recipe, None, tmp_path / "run", shards=tmp_path / "other", echo=quiet)


def test_a_finished_run_is_left_as_it_is(recipe: Path, shards: Path, tmp_path: Path) -> None:
    pretrain(recipe, None, tmp_path / "run", shards=shards, echo=quiet)
    before = read_log(tmp_path / "run")
    pretrain(recipe, None, tmp_path / "run", shards=shards, echo=quiet)
    assert read_log(tmp_path / "run") == before


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


def test_a_loss_that_is_no_number_stops_the_run(
    recipe: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = causal_lm.Objective.loss
    calls = []

    def poisoned(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        calls.append(None)
        return real(self, model, batch) * (float("nan") if len(calls) == 5 else 1)

    monkeypatch.setattr(causal_lm.Objective, "loss", poisoned)
    with pytest.raises(TrainingDiverged, match="^loss is nan at step 3; lower") as caught:
        pretrain(recipe, None, tmp_path, shards=shards, echo=quiet)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_bad_calls_are_refused(recipe: Path, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not both"):
        pretrain(recipe, None, tmp_path, shards=shards, minutes=1, tokens=1)
    with pytest.raises(InputError, match="above 0"):
        pretrain(recipe, None, tmp_path, shards=shards, tokens=0)
    with pytest.raises(InputError, match="--threads must be above 0"):
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


def test_from_corpus_to_model(
    write_recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    path = write_recipe(tokenizer={"vocab_size": 320}, budget={"tokens": 512})
    folder = pretrain(path, corpus, tmp_path / "run", echo=quiet)
    assert len(AutoTokenizer.from_pretrained(folder)) == 320
    before = (tmp_path / "run" / "shards" / "shards.json").stat().st_mtime_ns
    pretrain(path, corpus, tmp_path / "run", tokens=1024, echo=quiet)
    assert (tmp_path / "run" / "shards" / "shards.json").stat().st_mtime_ns == before


def test_lengths_follow_their_shares(settings: dict) -> None:
    recipe = Recipe.model_validate(settings)
    assert [length_at(p, recipe) for p in (0, 0.49, 0.5, 0.99, 1.0)] == [32, 32, 64, 64, 64]
