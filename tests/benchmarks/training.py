"""Time regimes that train against HF's Trainer; one JSON line a comparison.

    python -m tests.benchmarks.training [--only NAME] [--repeats N] [--model NAME]

The peer is what a user writes with transformers, `AutoModelForSequenceClassification` with
`Trainer`, once with batches padded to their longest (`DataCollatorWithPadding`), once to 128 tokens
as the example scripts' `run_glue.py` does by default. The same checkpoint, examples, batch size,
steps, optimizer and schedule; tokenized before the clock starts on both sides. The precision is
what each side takes by itself: float32 the peer; ours bfloat16 autocast where `precision=auto`
finds that it pays, and there a third peer is told `bf16=True`. Ours and the peers come in turn,
and the best of each is compared. Both sides then answer the same evaluation examples.

`full`: one epoch. `probe`: features and fit, no selection slice, against a head trained through the
frozen backbone for three epochs. `frozen`: three epochs of `frozen:0.5`, the cache included,
against `full` on our own loop.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets.utils.logging import disable_progress_bar
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging

from benchsuite.cells import Cell, parse_regime
from benchsuite.measure import Excerpt
from benchsuite.models.registry import Model, load_model
from benchsuite.tasks.task import load_task
from benchsuite.training.settings import has_bfloat16
from tests.benchmarks.machine import load

BATCH, RATE, EPOCHS = 16, 3e-4, 3
SCRIPT_LENGTH = 128  # `max_seq_length` of run_glue.py


@dataclass(frozen=True)
class Work:
    """What is compared. floors: of the ratio to dynamic padding and to padding to 128."""

    name: str
    task: str
    regime: str
    epochs: int
    examples: int
    floors: tuple[str, str]


WORKS = (
    Work("full-sst2", "glue/sst2", "full", 1, 2000, ("2 / 3", "6 / 9")),
    Work("full-mrpc", "glue/mrpc", "full", 1, 1000, ("1.5 / 2.5", "2 / 2.5")),
    Work("probe-sst2", "glue/sst2", "probe", EPOCHS, 1000, ("10 / 15", "-")),
    Work(
        "probe-sst2-float32",
        "glue/sst2",
        "probe:precision=float32",
        EPOCHS,
        1000,
        ("10 / 15", "-"),
    ),
    Work("frozen-sst2", "glue/sst2", "frozen:0.5", EPOCHS, 1000, ("1.6", "-")),
)


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=[work.name for work in WORKS])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--model", default="bert", help="an encoder")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    transformers_logging.disable_progress_bar()
    disable_progress_bar()
    for work in WORKS:
        if not arguments.only or work.name in arguments.only:
            loaded = load_model(arguments.model)
            print(json.dumps(compare(work, loaded, arguments.repeats)), flush=True)


def compare(work: Work, model: Model, repeats: int) -> dict[str, Any]:
    """The line of one comparison."""
    task: Any = Excerpt(load_task(work.task), work.examples)
    validation = task.evaluation("validation").examples
    runs: dict[str, Callable[[], tuple[float, list[int]]]] = {
        "ours": lambda: ours(work, model, task, validation)
    }
    if work.name.startswith("frozen"):
        runs["full on our loop"] = lambda: ours(work, model, task, validation, "full")
    else:
        runs["Trainer, dynamic padding"] = lambda: peer(work, model, task, validation)
        if work.regime == "full":
            runs["Trainer, padded to 128"] = lambda: peer(
                work, model, task, validation, SCRIPT_LENGTH
            )
            if has_bfloat16("cpu"):
                runs["Trainer, dynamic padding, bf16"] = lambda: peer(
                    work, model, task, validation, half=True
                )
    before = load()
    seconds: dict[str, float] = {}
    answers: dict[str, list[int]] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            passed, answers[name] = run()
            seconds[name] = min(passed, seconds.get(name, passed))
    gold = np.array([example.target for example in validation])
    right = {name: np.array(found) == gold for name, found in answers.items()}
    difference = {
        name: interval(right["ours"], found) for name, found in right.items() if name != "ours"
    }
    return {
        "work": work.name,
        "model": model.name,
        "examples": work.examples,
        "epochs": work.epochs,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "ratio": {
            name: round(value / seconds["ours"], 2)
            for name, value in seconds.items()
            if name != "ours"
        },
        "floor_goal": work.floors,
        "accuracy": {name: round(float(found.mean()), 4) for name, found in right.items()},
        "difference_95": difference,
        "threads": torch.get_num_threads(),
        "load": before,
    }


def interval(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """95% interval of the paired difference of two accuracies."""
    gaps = ours.astype(float) - theirs
    half = 1.96 * gaps.std(ddof=1) / len(gaps) ** 0.5
    return [round(float(gaps.mean() - half), 4), round(float(gaps.mean() + half), 4)]


def ours(
    work: Work, model: Model, task: Any, validation: Sequence[Any], regime: str | None = None
) -> tuple[float, list[int]]:
    """Seconds of training, and the answers."""
    called = regime or work.regime
    options = f"epochs={work.epochs}+batch={BATCH}+lr={RATE}+keep=last"
    probe = called.startswith("probe")
    text = called if probe else f"{called}{'+' if ':' in called else ':'}{options}"
    cell = Cell(model=model.name, task=work.task, regime=parse_regime(text), seed=0)
    fitted: Any = task.regime(cell.regime.name)
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        predictor = fitted.fit(model, task, cell, Path(scratch))
        seconds = time.perf_counter() - started
    # Of the loop alone, as the peer's: networks are loaded before its clock starts.
    seconds = predictor.notes.get("training_s", seconds)
    [variant] = predictor.predict(list(validation))
    return seconds, [one.value for one in variant.predictions]


def peer(
    work: Work,
    model: Model,
    task: Any,
    validation: Sequence[Any],
    length: int | None = None,
    half: bool = False,
) -> tuple[float, list[int]]:
    """Seconds of HF's Trainer, and the answers."""
    network = AutoModelForSequenceClassification.from_pretrained(
        model.path, num_labels=len(task.spec.labels), dtype=torch.float32
    )
    if work.regime.startswith("probe"):
        network.base_model.requires_grad_(False)
    tokenizer: Any = model.tokenizer

    def rows(examples: Sequence[Any]) -> list[dict[str, Any]]:
        fields = [one.fields for one in examples]
        given = [[field["text"] for field in fields]]
        if task.spec.is_pair:
            given.append([field["text_pair"] for field in fields])
        encoded = tokenizer(
            *given,
            truncation=True,
            max_length=length or model.max_length,
            padding="max_length" if length else False,
        )
        names = list(encoded)
        return [
            {**{name: encoded[name][number] for name in names}, "labels": one.target}
            for number, one in enumerate(examples)
        ]

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            network,
            TrainingArguments(
                folder,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=32,
                num_train_epochs=work.epochs,
                learning_rate=RATE,
                warmup_steps=0.1,
                weight_decay=0.01,
                lr_scheduler_type="linear",
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                use_cpu=True,
                bf16=half,
                disable_tqdm=True,
                seed=0,
            ),
            train_dataset=rows(task.train().examples),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        logits = trainer.predict(rows(validation)).predictions
    return seconds, np.argmax(logits, axis=1).tolist()


if __name__ == "__main__":
    main()
