import json
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.errors import CellFailed, InputError
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer, score
from benchsuite.scoring import encoder_decoder as engine
from benchsuite.scoring.sentinels import find_sentinels, speaks_in_spans
from tests.scoring.reference import check_that_one_of_two_tied_tokens_is_greedy
from tests.scoring.seq2seq import SHAPES, build, greedy, request_values, sentinel
from tests.scoring.test_decoder import requests_of
from tests.tiny import SENTENCES

TOLERANCE = 1e-4  # nats, in float32
PLAIN_ENGLISH = [
    "The old keeper walked down to the harbour before the sun came up.",
    "The answer is very positive.",
    " Nobody had opened it yet, and the answer is no.",
    "She asked the children why.",
]


def load(folder, **changes) -> Model:
    return load_model(str(build(folder, **changes)))


@pytest.fixture(scope="module")
def spans(tmp_path_factory) -> Model:
    """Untrained, so nothing but sentinels in its vocabulary says how it continues a text."""
    return load(tmp_path_factory.mktemp("spans"), shape="t5", sentinels=4, window=64)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Model:
    return load(tmp_path_factory.mktemp("plain"), shape="t5", window=64)


def check(model: Model, requests: list[Request], path: str, batch_tokens: int = 8192) -> None:
    results = make_scorer(model, batch_tokens).score(requests, path, details=True)
    for request, result in zip(requests, results, strict=True):
        expected = request_values(model, request, path, bool(find_sentinels(model.tokenizer)))
        for found, values in zip(result.tokens, expected, strict=True):
            assert found == pytest.approx(values, abs=TOLERANCE), request
        assert result.log_likelihoods == pytest.approx([sum(v) for v in expected], abs=TOLERANCE)
        assert result.token_counts == tuple(len(values) for values in expected)
        assert result.byte_counts == tuple(len(c.encode()) for c in request.continuations)


@settings(max_examples=25, deadline=None)
@given(requests=requests_of, batch_tokens=st.integers(1, 300), seed=st.integers(0, 99))
def test_spans_score_as_one_text_at_a_time(spans, requests, batch_tokens, seed):
    random.Random(seed).shuffle(requests)
    check(spans, requests, "sum", batch_tokens)


@settings(max_examples=25, deadline=None)
@given(requests=requests_of, batch_tokens=st.integers(1, 300), seed=st.integers(0, 99))
def test_plain_targets_score_as_one_text_at_a_time(plain, requests, batch_tokens, seed):
    random.Random(seed).shuffle(requests)
    check(plain, requests, "sum", batch_tokens)


@settings(max_examples=15, deadline=None)
@given(
    requests=st.lists(
        st.builds(
            Request,
            st.sampled_from(["", *PLAIN_ENGLISH[1:3]]),
            st.lists(st.sampled_from(PLAIN_ENGLISH), min_size=1, max_size=3).map(tuple),
        ),
        max_size=3,
    ),
    batch_tokens=st.integers(1, 300),
)
def test_words_score_as_one_span_at_a_time(spans, requests, batch_tokens):
    check(spans, requests, "span", batch_tokens)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "apart"])
def test_architectures(tmp_path, monkeypatch, shape, packed):
    """Rows are packed wherever positions are relative; BART's are absolute."""
    if not packed:
        monkeypatch.setattr(engine, "MAX_PACKED", 0)
    sentinels = 0 if shape == "bart" else 2
    model = load(tmp_path, shape=shape, sentinels=sentinels, window=128)
    scorer = make_scorer(model)
    assert scorer.gathers
    assert bool(scorer.packed) == (packed and shape != "bart")
    requests = [
        Request(" ".join(SENTENCES[:2]), (" yes", " no, never", " The answer is 12 €.", " yes it")),
        Request("", ("The end.", "日本")),
        Request("x", ("y", " yes", " yes")),
    ]
    if shape == "bart":
        # Its window also holds what begins a text.
        requests[0] = Request(SENTENCES[0], requests[0].continuations)
    check(model, requests, "sum")
    check(model, requests, "sum", batch_tokens=60)
    if sentinels:
        check(model, requests, "whole_span")
        check(model, [Request(PLAIN_ENGLISH[0], tuple(PLAIN_ENGLISH[1:]))], "span")


def test_a_head_that_is_more_than_a_matrix(tmp_path):
    """BART adds a bias to its logits: the network's own head computes them, whatever it does."""
    model = load(tmp_path, shape="bart")
    torch.nn.init.normal_(model.network.final_logits_bias)
    check(model, [Request("The answer", (" is", " is yes"))], "sum")


def test_a_network_whose_states_are_not_its_decoder_s(tmp_path, monkeypatch, plain):
    """Where gathering before the head goes wrong, all positions get logits."""
    request = Request("The answer", (" is", " is yes or no"))
    expected = score(plain, [request])[0]
    decoder = plain.network.get_encoder()
    monkeypatch.setattr(plain.network, "get_decoder", lambda: decoder, raising=False)
    scorer = make_scorer(plain)
    assert not scorer.gathers
    assert scorer.score([request])[0].log_likelihoods == pytest.approx(
        expected.log_likelihoods, abs=TOLERANCE
    )


def test_many_continuations_take_several_lines(spans, monkeypatch):
    monkeypatch.setattr(engine, "MAX_PACKED", 16)
    options = tuple(f" {word} {other}" for word in ("yes", "no", "it") for other in ("is", "was"))
    requests = [Request("The answer", options), Request("She asked", options[:3])]
    check(spans, requests, "sum")
    check(spans, requests, "sum", batch_tokens=40)


def test_each_source_is_read_once(spans):
    """And continuations that begin others need no row of their own."""
    scorer = make_scorer(spans)
    scorer.score([Request("The answer", (" is", " is yes", " is yes", " no"))])
    ids = spans.tokenizer("The answer", add_special_tokens=False)["input_ids"]
    longest = spans.tokenizer(" is yes", add_special_tokens=False)["input_ids"]
    other = spans.tokenizer(" no", add_special_tokens=False)["input_ids"]
    # Beside the texts: a sentinel and the end; the start and a sentinel for each row.
    assert scorer.usage.tokens == len(ids) + 2 + 2 + len(longest) + 2 + len(other)


def test_greedy_marks_the_continuation_and_not_its_end(spans):
    (text,) = make_scorer(spans).generate(["The answer"], [], 3)
    found, other = score(
        spans, [Request("The answer", (text,)), Request("The answer", (" harbour",))], details=True
    )
    assert found.greedy == (True,)
    assert other.greedy == (False,)


def test_of_tokens_that_tie_one_is_greedy(plain):
    check_that_one_of_two_tied_tokens_is_greedy(plain)


@pytest.mark.parametrize("shape", SHAPES)
def test_generation_equals_single_rows_of_transformers(tmp_path, shape):
    model = load(tmp_path, shape=shape, sentinels=3 if shape != "bart" else 0)
    contexts = ["", "The", "The old keeper walked down", "日本 x", "The"]
    eos = model.tokenizer.eos_token_id
    start = model.network.config.decoder_start_token_id
    for limit in (1, 12):
        expected = []
        for context in contexts:
            if shape == "bart":
                source, ends = model.tokenizer(context)["input_ids"], [eos]
                begin = [start, model.tokenizer.bos_token_id]
            else:
                ids = model.tokenizer(context, add_special_tokens=False)["input_ids"]
                source, begin = [*ids, sentinel(model, 0), eos], [start, sentinel(model, 0)]
                ends = [eos, *(sentinel(model, number) for number in range(3))]
            expected.append(greedy(model, source, begin, ends, limit))
        found = make_scorer(model, batch_tokens=70).generate(contexts, [], limit)
        assert found == expected
        assert limit == 1 or len(set(found)) > 1
    cut = make_scorer(model).generate(contexts, ["e", "a"], 12)
    assert cut == [text.split("e")[0].split("a")[0] for text in expected]


def test_generation_ends_at_a_sentinel(tmp_path):
    """The likeliest token is a sentinel everywhere: one step, and nothing is written."""
    model = load(tmp_path, shape="t5-gated", sentinels=3, constant=0.01)
    with torch.no_grad():
        model.network.lm_head.weight[sentinel(model, 2)] += 1
    scorer = make_scorer(model)
    steps = []
    model.network.get_decoder().register_forward_hook(lambda *_: steps.append(1))
    assert scorer.generate(["The", "A letter"], ["\n"], 5) == ["", ""]
    assert len(steps) == 1


def test_generation_longer_than_the_window(spans):
    with pytest.raises(CellFailed, match="64 new tokens do not fit"):
        make_scorer(spans).generate(["a"], [], 64)


def test_the_window_cuts_the_context_on_the_left(spans, plain):
    request = Request(" ".join(SENTENCES), (" yes", " The answer is very positive."))
    for model, added in ((spans, 2), (plain, 1)):
        scorer = make_scorer(model)
        assert scorer.max_length == model.max_length - added
        assert scorer.score([request])[0].truncated
        assert not scorer.score([Request("The", (" answer",))])[0].truncated
        scorer.generate([request.context, "The"], [], 2)
        assert (scorer.usage.truncated, scorer.usage.requests) == (2, 4)
        check(model, [request], "sum")
    assert score(spans, [request], "span")[0].truncated


@pytest.mark.parametrize("path", ["sum", "span"])
@pytest.mark.parametrize(
    ("continuation", "message"),
    [("", "request 1: continuation 0 has no token"), ("x " * 80, "request 1: .* window .* 6[23]")],
)
def test_continuations_that_cannot_be_scored(spans, plain, path, continuation, message):
    for model in (spans, plain) if path == "sum" else (spans,):
        with pytest.raises(CellFailed, match=message):
            score(model, [Request("a", ("b",)), Request("a", (continuation,))], path)


def test_a_score_that_is_not_finite_names_its_request(tmp_path):
    model = load(tmp_path, shape="t5", constant=float("nan"))
    with pytest.raises(CellFailed, match="request 0: .* nan"):
        score(model, [Request("a", ("b",))])


def test_constant_logits_tie_exactly(tmp_path):
    """In the mean over tokens, the one that ends a continuation among them."""
    model = load(tmp_path, shape="t5", sentinels=2, constant=0.0)
    request = Request(SENTENCES[0], (" yes", " The letter was very positive", " 日本", " no no no"))
    for path in ("sum", "span"):
        (result,) = score(model, [request], path)
        means = {
            total / count
            for total, count in zip(result.log_likelihoods, result.token_counts, strict=True)
        }
        assert len(set(result.token_counts)) > 1
        assert len(means) == 1


def test_running_out_of_memory_halves_the_batch(spans, monkeypatch):
    requests = [Request(sentence[:20], (" yes", " no no")) for sentence in SENTENCES]
    expected = score(spans, requests)
    contexts = [sentence[:9] for sentence in SENTENCES]
    generated = make_scorer(spans).generate(contexts, ["\n"], 5)
    encoder = spans.network.get_encoder()
    forward = encoder.forward

    def limited(input_ids, **kwargs):
        if len(input_ids) > most:
            raise torch.OutOfMemoryError("out of memory")
        return forward(input_ids, **kwargs)

    scorer = make_scorer(spans)
    monkeypatch.setattr(encoder, "forward", limited)
    most = 2
    for one, other in zip(scorer.score(requests), expected, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=TOLERANCE)
    assert scorer.budget.tokens < 200
    assert scorer.generate(contexts, ["\n"], 5) == generated
    most = 0
    with pytest.raises(CellFailed, match="does not fit the memory"):
        scorer.score([Request("a", ("b", "c d"))])


def test_bfloat16(tmp_path):
    folder = str(build(tmp_path, shape="t5", sentinels=2))
    request = Request("The answer", (" is", " is yes or no", " harbour"))
    exact = score(load_model(folder), [request])[0].log_likelihoods
    scorer = make_scorer(load_model(folder, dtype="bfloat16"))
    assert scorer.gathers and scorer.packed
    assert scorer.score([request])[0].log_likelihoods == pytest.approx(exact, rel=0.05)


def test_who_is_addressed_in_spans(tmp_path, spans, plain):
    assert speaks_in_spans(spans)
    assert not speaks_in_spans(plain)
    folder = build(tmp_path, shape="t5", sentinels=2)
    config = folder / "config.json"
    listed = {**json.loads(config.read_text()), "task_specific_params": {"summarization": {}}}
    config.write_text(json.dumps(listed))
    assert not speaks_in_spans(load_model(str(folder)))
    for objective, expected in (("span_corruption", True), ("text_to_text", False)):
        (folder / "benchsuite.json").write_text(json.dumps({"objective": objective}))
        assert speaks_in_spans(load_model(str(folder))) == expected


def test_a_text_to_text_model_fills_spans_when_asked(tmp_path, spans):
    """It knows sentinels from its pretraining; only its default is another."""
    folder = build(tmp_path, shape="t5", sentinels=4, window=64)
    (folder / "benchsuite.json").write_text(json.dumps({"objective": "text_to_text"}))
    model = load_model(str(folder))
    request = Request(PLAIN_ENGLISH[1], (PLAIN_ENGLISH[2],))
    for path in ("span", "whole_span"):
        assert score(model, [request], path) == score(spans, [request], path)
    assert score(model, [request]) != score(spans, [request])


def test_no_spans_without_sentinels(plain):
    with pytest.raises(CellFailed, match="no sentinels"):
        score(plain, [Request("a", ("b",))], "span")


def test_other_families_paths(spans):
    with pytest.raises(InputError, match="no scoring path 'cloze' for an encoder-decoder; it"):
        score(spans, [Request("a", ("b",))], "cloze")


def test_no_requests(spans):
    assert score(spans, []) == []
    assert score(spans, [], "span") == []
    assert make_scorer(spans).generate([], [], 3) == []
