"""Scores of decoders, against one text at a time without cache and padding."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import CellFailed, InputError
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer, packing, score
from benchsuite.scoring import decoder as engine
from tests.scoring.decoder_checks import check_with, close, sharing_requests
from tests.scoring.reference import greedy, log_likelihood, log_likelihoods, split_ids
from tests.tiny import SENTENCES, tiny_gpt2

WORDS = [
    "The",
    " answer",
    " is",
    "naïve",
    " 12 €",
    "\n",
    " ",
    "  ",
    "x",
    " “très”",
    "日本",
    "🙂",
    ".",
]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
nonempty = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map("".join)
requests_of = st.lists(
    st.builds(Request, texts, st.lists(nonempty, min_size=1, max_size=4).map(tuple)),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def trimming(tmp_path_factory) -> Model:
    """The same model; its tokenizer's offsets leave spaces out, as GPT-2's own do."""
    folder = tiny_gpt2(tmp_path_factory.mktemp("trimming"))
    file = folder / "tokenizer.json"
    post = {"type": "ByteLevel", "trim_offsets": True, "add_prefix_space": False, "use_regex": True}
    file.write_text(json.dumps({**json.loads(file.read_text()), "post_processor": post}))
    return load_model(str(folder))


def check(model: Model, requests: list[Request]) -> None:
    check_with(make_scorer(model), requests)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requests=requests_of,
    batch_tokens=st.integers(1, 300),
    prefix=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_scores_are_those_of_one_text_at_a_time(
    model, monkeypatch, way, requests, batch_tokens, prefix, seed
):
    """Whatever the budget, the order, the neighbours and what is kept from the call before."""
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": seed % 2})
    monkeypatch.setattr(engine, "PREFIX", prefix)
    monkeypatch.setattr(packing, "PASS_TOKENS", seed % 3 - 1)
    random.Random(seed).shuffle(requests)
    scorer = make_scorer(model, batch_tokens)
    assert (scorer.passes.packs, scorer.passes.shares) == (way == "packed", way == "cached")
    middle = seed % (len(requests) + 1)
    found = scorer.score(requests[:middle]) + scorer.score(requests[middle:])
    for request, result in zip(requests, found, strict=True):
        assert close(result.log_likelihoods, log_likelihoods(model, request)), request
        assert result.byte_counts == tuple(len(c.encode()) for c in request.continuations)


def test_offsets_that_leave_spaces_out(trimming):
    assert (
        trimming.tokenizer("The answer", return_offsets_mapping=True)["offset_mapping"][1][0] == 4
    )
    spaces = ("yes", " yes", "  yes", " ", "  ", "\n", " \n ", "é")
    check(trimming, [Request(c, spaces) for c in ("", " ", "The", "The ", "The  ", "The\n", "é")])
    assert make_scorer(trimming).shorten("The answer is the answer", 2, "end") == " the answer"


def test_a_continuation_that_begins_another(model):
    check(model, [Request("The answer", (" is", " is yes", " is yes or no", " is"))])


def test_shared_beginnings_feed_fewer_tokens_and_score_the_same(tmp_path, monkeypatch, way):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=256)))
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": 64})
    requests = sharing_requests()
    check(model, requests)
    scorer = make_scorer(model)
    scorer.score(requests)
    rows = [
        model.tokenizer(one.context + text)["input_ids"][:-1]
        for one in requests
        for text in one.continuations
    ]
    if way == "packed":
        beginnings = {tuple(row[: at + 1]) for row in rows for at in range(len(row))}
        assert scorer.usage.tokens == len(beginnings)
    elif way == "cached":
        assert scorer.usage.tokens < sum(map(len, rows)) / 3
    else:
        assert scorer.usage.tokens == sum(map(len, rows))


def test_demonstrations_go_through_the_network_once(tmp_path, monkeypatch):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=512)))
    shots = " ".join(SENTENCES) + "\n"
    size = len(model.tokenizer(shots)["input_ids"])
    assert size > 2 * engine.PREFIX
    calls = [
        [Request(f"{shots}{word} {number}?", (" yes", " no no")) for number in range(4)]
        for word in ("The", "A letter", "People")
    ]
    scorer = make_scorer(model)
    for requests in calls:
        for request, result in zip(requests, scorer.score(requests), strict=True):
            assert close(result.log_likelihoods, log_likelihoods(model, request))
    apart = [make_scorer(model) for _ in calls]
    for one, requests in zip(apart, calls, strict=True):
        one.score(requests)
    fed = sum(one.usage.tokens for one in apart)
    # A few of its last tokens may go again: the first call cannot tell them from its requests'.
    assert fed - 2 * size <= scorer.usage.tokens <= fed - 2 * (size - 5)
    # Kept for as long as requests begin so, and not longer.
    assert 0 < len(scorer.prefix) <= size
    check_with(scorer, [Request("x", ("y", " yes"))])
    assert (scorer.prefix, scorer.prefix_cache) == ((), None)


@pytest.mark.parametrize("way", ["cached"], indirect=True)
def test_demonstrations_are_kept_where_lines_cannot_be_packed(tmp_path, way):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=512)))
    shots = " ".join(SENTENCES) + "\n"
    scorer = make_scorer(model)
    for word in ("The", "A letter"):
        check_with(
            scorer, [Request(f"{shots}{word} {number}", (" yes", " no")) for number in (1, 2)]
        )
    assert len(scorer.prefix) > engine.PREFIX
    assert scorer.usage.tokens < 1.5 * len(scorer.prefix)


def test_a_tokenizer_that_begins_every_text_with_a_token(tmp_path, model):
    """Its token comes once before everything, whether the context is empty or not."""
    tiny_gpt2(tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text())
    begin = {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}
    single = [{"SpecialToken": {"id": begin["id"], "type_id": 0}}]
    single.append({"Sequence": {"id": "A", "type_id": 0}})
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": single,
        "special_tokens": {begin["id"]: begin},
    }
    file.write_text(json.dumps(content))
    begun = load_model(str(tmp_path))
    assert begun.tokenizer("yes")["input_ids"][0] == 0
    inside, empty = score(
        begun, [Request("The answer is", (" yes",)), Request("", ("The answer",))]
    )
    spelled, same = score(
        model,
        [
            Request("<|endoftext|>The answer is", (" yes",)),
            Request("<|endoftext|>", ("The answer",)),
        ],
    )
    assert close(inside.log_likelihoods, spelled.log_likelihoods)
    assert close(empty.log_likelihoods, same.log_likelihoods)


def test_a_straddling_token_belongs_to_the_continuation(model):
    straddling, whole = score(
        model, [Request("The answer is ", ("yes",)), Request("The answer is", (" yes",))]
    )
    assert close(straddling.log_likelihoods, whole.log_likelihoods)
    assert straddling.token_counts == whole.token_counts
    assert (straddling.byte_counts, whole.byte_counts) == ((3,), (4,))


def test_the_window_cuts_the_context_on_the_left(model):
    long = " ".join(SENTENCES)
    request = Request(long, (" yes", " The answer is very positive."))
    (result,) = score(model, [request])
    assert result.truncated
    assert close(result.log_likelihoods, log_likelihoods(model, request))
    scorer = make_scorer(model)
    assert not scorer.score([Request("The", (" answer",))])[0].truncated
    scorer.score([request])
    assert (scorer.usage.truncated, scorer.usage.requests) == (1, 2)


@pytest.mark.parametrize(
    ("continuation", "message"),
    [("", "request 1: continuation 0 has no token"), ("x " * 80, "request 1: .* window .* 64")],
)
def test_continuations_that_cannot_be_scored(model, continuation, message):
    with pytest.raises(CellFailed, match=message):
        score(model, [Request("a", ("b",)), Request("a", (continuation,))])


def test_constant_logits_tie_exactly(tmp_path):
    model = load_model(str(tiny_gpt2(tmp_path, constant=0.0)))
    request = Request(SENTENCES[0], (" yes", " The letter was very positive", " 日本", " no no no"))
    (result,) = score(model, [request])
    per_token = {
        total / count
        for total, count in zip(result.log_likelihoods, result.token_counts, strict=True)
    }
    assert len(set(result.token_counts)) > 1
    assert len(per_token) == 1


def test_of_tied_tokens_the_first_is_the_greedy_one(tmp_path):
    model = load_model(str(tiny_gpt2(tmp_path, constant=0.0)))
    (result,) = score(model, [Request("The", ("<|endoftext|>", " yes"))], details=True)
    assert result.greedy == (True, False)


def test_a_score_that_is_not_finite_names_its_request(tmp_path):
    model = load_model(str(tiny_gpt2(tmp_path, constant=float("nan"))))
    with pytest.raises(CellFailed, match="request 0: .* nan"):
        score(model, [Request("a", ("b",))])


def test_a_long_beginning_does_not_switch_packing_off(tmp_path, monkeypatch):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=4096)))
    scorer = make_scorer(model)
    shots = scorer.shorten((" ".join(SENTENCES) + "\n") * 20, 2500, "start")
    requests = [Request(f"{shots} Q {number}", (" yes", " no no", " the")) for number in range(20)]
    passes = []
    states = scorer.passes.states

    def counted(lines, *given, **named):
        passes.append(len(lines))
        return states(lines, *given, **named)

    monkeypatch.setattr(scorer.passes, "states", counted)
    found = scorer.score(requests)
    assert len(scorer.prefix) > 2400
    assert passes == [1]
    for request, result in list(zip(requests, found, strict=True))[:2]:
        assert close(result.log_likelihoods, log_likelihoods(model, request))


@settings(max_examples=60, deadline=None)
@given(text=texts, tokens=st.integers(0, 30), keep=st.sampled_from(["start", "end"]))
def test_shorten_keeps_a_part_of_at_most_so_many_tokens(model, text, tokens, keep):
    scorer = make_scorer(model)
    part = scorer.shorten(text, tokens, keep)
    assert text.startswith(part) if keep == "start" else text.endswith(part)
    assert scorer.count_tokens([part])[0] <= tokens
    if scorer.count_tokens([text])[0] <= tokens:
        assert part == text


def test_shorten_keeps_whole_tokens(model):
    scorer = make_scorer(model)
    assert scorer.shorten("The answer is the answer", 3, "start") == "The answer is"
    assert scorer.shorten("The answer is the answer", 2, "end") == " the answer"
    assert scorer.count_tokens([]) == []


def test_no_requests(model):
    assert score(model, []) == []


def test_a_path_of_another_family(model):
    with pytest.raises(InputError, match="no scoring path 'pll' for a decoder; it has sum"):
        score(model, [Request("a", ("b",))], path="pll")


def test_details_are_the_tokens_and_whether_each_was_the_likeliest(model):
    context = SENTENCES[0][:20]
    likely = greedy(model, context, [], 3)
    request = Request(context, (likely, likely + " no", " yes"))
    (plain,) = score(model, [request])
    (result,) = score(model, [request], details=True)
    assert (plain.tokens, plain.greedy) == ((), ())
    assert result.log_likelihoods == tuple(sum(tokens) for tokens in result.tokens)
    assert tuple(map(len, result.tokens)) == result.token_counts
    assert close(result.log_likelihoods, plain.log_likelihoods)
    assert result.greedy == (True, False, False)
    for tokens, continuation in zip(result.tokens, request.continuations, strict=True):
        before, scored = split_ids(model, context, continuation)
        alone = [
            log_likelihood(model, before + scored[:at], [token]) for at, token in enumerate(scored)
        ]
        assert close(tokens, alone)
