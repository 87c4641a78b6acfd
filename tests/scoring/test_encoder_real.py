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
def model(tmp_path_factory) -> Model:
    """The in-repo `bert`, a tiny random one where it is not there."""
    try:
        return load_model("bert")
    except InputError:
        return load_model(str(tiny_bert(tmp_path_factory.mktemp("bert"), max_positions=1024)))


def check(model: Model, requests: list[Request], path: str, least: int) -> None:
    assert sum(len(one.continuations) for one in requests) >= least
    for request, found in zip(requests, score(model, requests, path), strict=True):
        expected = log_likelihoods(model, request, path)
        assert found.log_likelihoods == pytest.approx(expected, abs=TOLERANCE), request


# (path, [(task, examples a subset, prompts)]): what is scored by default there.
SHORT = [
    ("cloze", [("glue/sst2", 10, 1), ("race/middle", 3, 1)], 32),
    ("pll", [("glue/cola", 6, 1)], 6),
    ("pll_within_word", [("blimp", 1, 1)], 30),
]
LONG = [
    ("cloze", [("glue/sst2", 872, 1), ("race/middle", 65, 1)], 2004),
    ("pll", [("blimp", 15, 1)], 2010),
    ("pll_within_word", [("blimp", 15, 1)], 2010),
]


@needs_data
@pytest.mark.parametrize(("path", "sources", "least"), SHORT)
def test_real_requests(model, path, sources, least):
    requests = [one for source in sources for one in real_requests(*source)]
    check(model, requests[:: 1 + (len(requests) > 60) * 3], path, least)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("path", "sources", "least"), LONG)
def test_two_thousand_real_requests(model, path, sources, least):
    check(model, [one for source in sources for one in real_requests(*source)], path, least)
