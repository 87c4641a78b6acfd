"""Time the scoring engines against what users run today; one JSON line a comparison.

    BENCHSUITE_DATA=DIR python -m tests.benchmarks.scoring [--only WORK] [--profile]

Same network, same requests, one run, float32, texts in and log-likelihoods out, so tokenization is
included. The peer of decoders and encoder-decoders is lm-eval's HFLM at its best batch size of 1, 8
and 32; that of encoders is one sentence at a time. ratio: the peer's time by ours; each is the
faster of `--repeats` runs, ours and the peer's in turn. Run it on an idle machine: the load is part
of each line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import GPT2Config, GPT2LMHeadModel

from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, Score, make_scorer
from tests.benchmarks.machine import counted_flops, load, multiplication_rate
from tests.benchmarks.peers import harness, harness_scores, one_sentence_at_a_time
from tests.scoring.real import real_requests

BATCH_SIZES = (1, 8, 32)
SMALL_SHAPE = "gpt2-small-shape"


@dataclass(frozen=True)
class Work:
    """A comparison: `limit` examples a subset of a task's first prompt, under a model."""

    name: str
    model: str
    task: str
    limit: int
    path: str | None = None


WORKS = (
    Work("race", "gpt", "race/middle", 100),
    Work("sst2", "gpt", "glue/sst2", 872),
    Work("blimp", "gpt", "blimp", 15),
    Work("race-small-shape", SMALL_SHAPE, "race/middle", 12),
    Work("sst2-small-shape", SMALL_SHAPE, "glue/sst2", 150),
    Work("blimp-small-shape", SMALL_SHAPE, "blimp", 8),
    Work("race-t5", "t5", "race/middle", 100),
    Work("blimp-pll", "bert", "blimp", 5, "pll"),
)


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=[work.name for work in WORKS])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="operations by time, not the peer")
    for family in ("gpt", "bert", "t5"):
        parser.add_argument(f"--{family}", default=family, help="another model for this one")
    arguments = parser.parse_args()
    for work in WORKS:
        if arguments.only and work.name not in arguments.only:
            continue
        model = (
            small_shape()
            if work.model == SMALL_SHAPE
            else load_peer_format(vars(arguments)[work.model])
        )
        requests = real_requests(work.task, work.limit, prompts=1)
        make_scorer(model).score(requests[:4], work.path)  # the first passes are slower
        if arguments.profile:
            show_profile(work, model, requests)
        else:
            print(json.dumps(compare(work, model, requests, arguments.repeats)), flush=True)


def small_shape() -> Model:
    """GPT-2 small with random weights and its 50,257 tokens; texts become the in-repo model's ids,
    for speed does not depend on which they are."""
    model = load_model("gpt")
    torch.manual_seed(0)
    model.network = GPT2LMHeadModel(GPT2Config()).eval()
    return model


def compare(work: Work, model: Model, requests: Sequence[Request], repeats: int) -> dict[str, Any]:
    """The line of one comparison."""
    pairs = [(one.context, text) for one in requests for text in one.continuations]
    runs: dict[str, Callable[[], list[float]]] = {"ours": lambda: ours(work, model, requests)}
    if model.family == "encoder":
        runs["one sentence at a time"] = lambda: one_sentence_at_a_time(
            model, [context + text for context, text in pairs]
        )
    else:
        for size in BATCH_SIZES:
            engine = harness(model, size)
            runs[f"HFLM, batch size {size}"] = partial(harness_scores, engine, pairs)
    before = load()
    seconds: dict[str, float] = {}
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            started = time.perf_counter()
            found[name] = run()
            passed = time.perf_counter() - started
            seconds[name] = min(passed, seconds.get(name, passed))
    mine = seconds.pop("ours")
    peer = min(seconds, key=lambda name: seconds[name])
    differences = [abs(a - b) for a, b in zip(found["ours"], found[peer], strict=True)]
    flops = counted_flops(lambda: ours(work, model, requests))
    rate = multiplication_rate(model.network, 512)
    return {
        "work": work.name,
        "requests": len(requests),
        "continuations": len(pairs),
        "ours": round(mine, 2),
        "peer": round(seconds[peer], 2),
        "ratio": round(seconds[peer] / mine, 2),
        "largest_difference": max(differences),
        "peer_is": peer,
        "peers": {name: round(value, 2) for name, value in seconds.items()},
        "share_of_multiplication_rate": round(flops / mine / rate, 2),
        "multiplication_gflops": round(rate / 1e9),
        **bfloat16(work, model, requests, found["ours"], mine),
        "threads": torch.get_num_threads(),
        "load_before": before,
    }


def load_peer_format(name: str) -> Model:
    """A model; an encoder-decoder's continuations are plain targets, the one format HFLM knows."""
    model = load_model(name)
    if model.family == "encoder-decoder":
        model.ref = replace(model.ref, metadata={"objective": "text_to_text"})
    return model


def ours(work: Work, model: Model, requests: Sequence[Request]) -> list[float]:
    """Log-likelihoods by a fresh engine, so that its self-test is in the time.

    Of an encoder-decoder without the end of the text, which HFLM does not score.
    """
    ended = model.family == "encoder-decoder"
    scores = make_scorer(model).score(list(requests), work.path, details=ended)
    if ended:
        return [sum(values[:-1]) for score in scores for values in score.tokens]
    return [value for score in scores for value in score.log_likelihoods]


def bfloat16(
    work: Work,
    model: Model,
    requests: Sequence[Request],
    exact: Sequence[float],
    seconds: float,
) -> dict[str, Any]:
    """Our time in bfloat16, and how many requests then prefer another continuation."""
    model.network = model.network.to(torch.bfloat16)
    model.dtype = "bfloat16"
    started = time.perf_counter()
    rough = ours(work, model, requests)
    passed = time.perf_counter() - started
    flipped = 0
    at = 0
    for request in requests:
        part = slice(at, at := at + len(request.continuations))
        flipped += best(rough[part]) != best(exact[part])
    return {
        "bf16_seconds": round(passed, 2),
        "bf16_ratio": round(seconds / passed, 2),
        "bf16_flipped": flipped,
    }


def best(values: Sequence[float]) -> int:
    """Index of the largest value."""
    return max(range(len(values)), key=lambda place: values[place])


def show_profile(work: Work, model: Model, requests: Sequence[Request]) -> None:
    """Where our time goes: the costliest operations of one run, by their own time."""
    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        scores: list[Score] = make_scorer(model).score(list(requests), work.path)
    passed = time.perf_counter() - started
    print(f"\n{work.name}: {len(scores)} requests, {passed:.2f} s with the profiler")
    rows = sorted(trace.key_averages(), key=lambda row: -row.self_cpu_time_total)
    inside = sum(row.self_cpu_time_total for row in rows) / 1e6
    print(f"{'outside torch operations':40} {passed - inside:8.2f} s {1 - inside / passed:6.1%}")
    for row in rows[:12]:
        own = row.self_cpu_time_total / 1e6
        print(f"{row.key:40} {own:8.2f} s {own / passed:6.1%} {row.count:8d} calls")


if __name__ == "__main__":
    main()
