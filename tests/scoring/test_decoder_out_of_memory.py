"""Decoders on a device without room: batches are halved, and what never fits fails the cell."""

import pytest
import torch

from benchsuite.errors import CellFailed
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer, score
from benchsuite.scoring import decoder as engine
from tests.scoring.decoder_checks import check_with, close, sharing_requests
from tests.scoring.reference import log_likelihoods
from tests.tiny import SENTENCES, tiny_gpt2


def run_out_of_memory(monkeypatch, model: Model, most: int) -> None:
    """Let every pass of more than `most` tokens, padding counted, run out of memory."""
    forward = model.network.base_model.forward

    def limited(input_ids, **kwargs):
        if input_ids.numel() > most:
            raise torch.OutOfMemoryError("out of memory")
        return forward(input_ids=input_ids, **kwargs)

    monkeypatch.setattr(model.network.base_model, "forward", limited)


def test_running_out_of_memory_halves_the_batch(model, monkeypatch, way):
    requests = [Request(sentence, (" yes", " no no")) for sentence in SENTENCES]
    expected = score(model, requests)
    contexts = [sentence[:9] for sentence in SENTENCES]
    generated = make_scorer(model).generate(contexts, ["\n"], 5)
    scorer = make_scorer(model)
    run_out_of_memory(monkeypatch, model, most=80)
    for one, other in zip(scorer.score(requests), expected, strict=True):
        assert close(one.log_likelihoods, other.log_likelihoods)
    budget = scorer.budget.tokens
    assert budget < 8192
    run_out_of_memory(monkeypatch, model, most=20)
    assert scorer.generate(contexts, ["\n"], 5) == generated
    assert scorer.budget.tokens < budget


def test_branches_of_one_line_that_do_not_fit_the_memory_go_apart(model, monkeypatch):
    request = Request(SENTENCES[0], tuple(f" {word}" for word in SENTENCES[1].split()))
    expected = log_likelihoods(model, request)
    scorer = make_scorer(model)
    (context,) = scorer.count_tokens([request.context])
    run_out_of_memory(monkeypatch, model, most=context + 8)
    (result,) = scorer.score([request])
    assert close(result.log_likelihoods, expected)
    assert scorer.budget.tokens < 8192


def test_a_text_that_never_fits_the_memory_fails_the_cell(model, monkeypatch):
    scorer = make_scorer(model)
    run_out_of_memory(monkeypatch, model, most=0)
    with pytest.raises(CellFailed, match="does not fit the memory"):
        scorer.score([Request("a", ("b", "c d"))])
    with pytest.raises(CellFailed, match="does not fit the memory"):
        scorer.generate(["a", "b"], [], 3)


def test_a_beginning_that_does_not_fit_the_memory_is_not_kept(tmp_path, monkeypatch):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=256)))
    requests = sharing_requests()
    scorer = make_scorer(model)
    asked = []

    def limited(*given, **named):
        asked.append(given)
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(scorer.passes, "cached", limited)
    check_with(scorer, requests)
    assert (scorer.prefix, scorer.prefix_cache, len(asked)) == ((), None, 1)
    assert scorer.budget.tokens < 8192
    # Nor is it tried again.
    check_with(scorer, requests)
    assert len(asked) == 1


def test_a_beginning_that_cannot_be_shortened_is_dropped(tmp_path, monkeypatch):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=256)))
    scorer = make_scorer(model)
    scorer.score(sharing_requests())
    kept = len(scorer.prefix)

    def limited(*given):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(engine, "shortened", limited)
    context = scorer.shorten(sharing_requests()[0].context, kept - 9, "start")
    check_with(scorer, [Request(context, (" yes",))])
    assert (scorer.prefix, scorer.prefix_cache) == ((), None)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("out of memory"), "does not fit the memory of cpu"),
        (RuntimeError("not implemented\nfor these"), "does not run in float32 on cpu: not impl"),
    ],
)
def test_a_network_on_which_not_even_the_self_test_runs(tmp_path, monkeypatch, error, message):
    model = load_model(str(tiny_gpt2(tmp_path)))

    def failing(*given, **named):
        raise error

    monkeypatch.setattr(model.network, "forward", failing)
    with pytest.raises(CellFailed, match=message):
        make_scorer(model)
    # The caller's network is left as it was.
    assert not model.network.base_model._forward_hooks
