"""Time the scoring engine against lm-eval's HFLM on the same requests; a JSON line each.

    BENCHSUITE_DATA=DIR python -m tests.benchmarks.scoring [--model gpt] [--device cpu]

Both start from texts, with the network in memory; ratio is HFLM's time by ours. Run it on an idle
machine: load and processor are part of each line.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from types import SimpleNamespace

from lm_eval.models.huggingface import HFLM

from benchsuite.models.registry import load_model
from benchsuite.scoring import make_scorer
from tests.scoring.real import real_requests

CASES = (("race/middle", 100), ("glue/sst2", 200))
BATCH_SIZES = (1, 8, 32)


def main() -> None:
    """Run every case with every batch size of the harness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="gpt")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    model = load_model(arguments.model, device=arguments.device)
    for task, limit in CASES:
        requests = real_requests(task, limit, prompts=1)
        pairs = [(r.context, continuation) for r in requests for continuation in r.continuations]
        make_scorer(model).score(requests[:4])  # the first passes are slower than the rest
        started = time.perf_counter()
        scorer = make_scorer(model)
        ours = [value for found in scorer.score(requests) for value in found.log_likelihoods]
        our_seconds = time.perf_counter() - started
        for batch_size in BATCH_SIZES:
            harness = HFLM(
                pretrained=model.network,
                tokenizer=model.tokenizer,
                backend="causal",
                batch_size=batch_size,
                device=arguments.device,
                max_length=model.max_length,
            )
            instances = [SimpleNamespace(args=pair) for pair in pairs]
            started = time.perf_counter()
            theirs = harness.loglikelihood(instances, disable_tqdm=True)
            seconds = time.perf_counter() - started
            line = {
                "task": task,
                "requests": len(requests),
                "continuations": len(pairs),
                "harness_batch_size": batch_size,
                "seconds": round(our_seconds, 2),
                "harness_seconds": round(seconds, 2),
                "ratio": round(seconds / our_seconds, 2),
                "largest_difference_nats": max(
                    abs(a - b) for a, (b, _) in zip(ours, theirs, strict=True)
                ),
                "model": arguments.model,
                "device": arguments.device,
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 2),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
