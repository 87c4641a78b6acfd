"""Peak memory of a long context with ten choices, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchsuite.models.registry import load_model
from benchsuite.scoring import Request, make_scorer
from tests.tiny import SENTENCES, tiny_gpt2

model = load_model(str(tiny_gpt2(Path(sys.argv[1]), n_positions=1024)))
model.network = GPT2LMHeadModel(GPT2Config()).eval()
assert model.network.config.vocab_size == 50257
scorer = make_scorer(model)
text = scorer.shorten(" ".join(SENTENCES * 20), 1012, "start")
choices = tuple(" " + sentence[:20] for sentence in SENTENCES) + (" yes", " no")
assert len(choices) == 10
(result,) = scorer.score([Request(text, choices)])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, scorer.usage.tokens)
"""


@pytest.mark.slow
def test_a_long_context_with_ten_choices_stays_under_two_gibibytes(tmp_path):
    """1,024 tokens on the shape of GPT-2 small: 50,257 tokens in the vocabulary, float32."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    mebibytes, tokens = map(int, done.stdout.split()[-2:])
    assert 1000 < tokens < 1400
    assert mebibytes < 2048
