"""Real requests, scored as by one masked copy at a time (needs BENCHSUITE_DATA)."""

from __future__ import annotations

import pytest

from benchsuite.errors import InputError
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, score
from tests.scoring.encoder_reference import log_likelihoods
from tests.scoring.real import needs_data, real_requests
from tests.tiny import tiny_bert

TOLERANCE = 1e-4  # nats, in float32


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Model:
    return load_model(str(tiny_bert(tmp_path_factory.mktemp("bert"), max_positions=1024)))


@pytest.fixture(scope="module")
def model(tiny) -> Model:
    """The in-repo `bert`, a tiny random one where it is not there."""
    try:
        return load_model("bert")
    except InputError:
        return tiny


def check(model: Model, requests: list[Request], path: str) -> None:
    results = score(model, requests, path)
    count, worst = 0, 0.0
    for request, found in zip(requests, results, strict=True):
        expected = log_likelihoods(model, request, path)
        count += len(expected)
        pairs = zip(found.log_likelihoods, expected, strict=True)
        worst = max(worst, *(abs(ours - theirs) for ours, theirs in pairs))
        assert worst < TOLERANCE, request
    cut = sum(found.truncated for found in results) / len(results)
    print(
        f"{path}: {len(requests)} requests ({cut:.1%} truncated), {count} continuations, "
        f"largest difference {worst:.1e} nats"
    )


# (path, [(task, examples a subset, prompts)]): what is scored by default there.
SHORT = [
    ("cloze", [("glue/sst2", 10, 1), ("race/middle", 3, 1)]),
    ("pll", [("glue/cola", 6, 1)]),
    ("pll_within_word", [("blimp", 1, 1)]),
]
LONG = [
    ("cloze", [("glue/sst2", 872, 2), ("glue/mrpc", 220, 1), ("race/middle", 40, 1)]),
    ("pll", [("blimp", 30, 1)]),
    ("pll_within_word", [("blimp", 30, 1)]),
]


@needs_data
@pytest.mark.parametrize(("path", "sources"), SHORT)
def test_real_requests(model, path, sources):
    requests = [one for source in sources for one in real_requests(*source)]
    chosen = requests[:: 1 + (len(requests) > 60) * 3]
    assert len(chosen) >= 6
    check(model, chosen, path)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("path", "sources"), LONG)
def test_two_thousand_real_requests(tiny, path, sources):
    requests = [one for source in sources for one in real_requests(*source)]
    assert len(requests) >= 2000
    check(tiny, requests, path)
