"""Greedy generation of decoders, against one text at a time without cache and padding."""

import json

import pytest

from benchsuite.errors import CellFailed
from benchsuite.models.registry import load_model
from benchsuite.scoring import make_scorer
from tests.scoring.reference import greedy
from tests.tiny import SENTENCES, tiny_gpt2


def test_generation_equals_one_at_a_time(model):
    contexts = ["", "The", "The old keeper walked down", "日本 x", " ".join(SENTENCES), "The"]
    for stop in (["\n"], ["e", "an"], []):
        expected = [greedy(model, context, stop, 12) for context in contexts]
        assert make_scorer(model, batch_tokens=70).generate(contexts, stop, 12) == expected
    scorer = make_scorer(model)
    scorer.generate(contexts, [], 12)
    assert (scorer.usage.truncated, scorer.usage.requests) == (1, 6)


def test_generation_ends_at_the_end_of_text(tmp_path):
    """All logits equal: the first token, the end of text, is the greedy one."""
    model = load_model(str(tiny_gpt2(tmp_path, constant=0.0)))
    scorer = make_scorer(model)
    assert scorer.generate(["The", "A letter"], ["\n"], 5) == ["", ""]
    # Nothing is fed after the contexts.
    assert scorer.usage.tokens == sum(scorer.count_tokens(["The", "A letter"]))


def test_generation_counts_the_tokens_that_were_fed(model):
    """What a stop string cuts off went through the network, the last token did not."""
    scorer = make_scorer(model)
    (text,) = scorer.generate(["The old"], [], 8)
    assert scorer.usage.tokens == scorer.count_tokens(["The old"])[0] + 7
    scorer = make_scorer(model)
    assert scorer.generate(["The old"], [text[-1]], 8) == [text.split(text[-1])[0]]
    stopped = next(
        steps
        for steps in range(1, 9)
        if text[-1] in make_scorer(model).generate(["The old"], [], steps)[0]
    )
    assert scorer.usage.tokens == scorer.count_tokens(["The old"])[0] + stopped - 1


def test_generation_leaves_a_checkpoint_s_sampling_settings_aside(tmp_path, model):
    tiny_gpt2(tmp_path)
    file = tmp_path / "generation_config.json"
    settings_of = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_new_tokens": 3}
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings_of}))
    changed = load_model(str(tmp_path))
    assert make_scorer(changed).generate(["The"], [], 12) == make_scorer(model).generate(
        ["The"], [], 12
    )


def test_generation_longer_than_the_window(model):
    with pytest.raises(CellFailed, match="64 new tokens do not fit"):
        make_scorer(model).generate(["a"], [], 64)
