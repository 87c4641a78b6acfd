import json
import random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from benchsuite.errors import CellFailed, NotApplicable
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer, score
from benchsuite.scoring import decoder as engine
from tests.scoring.reference import greedy, log_likelihoods
from tests.tiny import SENTENCES, tiny_gpt2, tiny_tokenizer

TOLERANCE = 1e-4  # nats, in float32

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
def model(tiny_gpt2_folder) -> Model:
    return load_model(str(tiny_gpt2_folder))


@pytest.fixture(scope="module")
def trimming(tmp_path_factory) -> Model:
    """The same model; its tokenizer's offsets leave spaces out, as GPT-2's own do."""
    folder = tiny_gpt2(tmp_path_factory.mktemp("trimming"))
    file = folder / "tokenizer.json"
    post = {"type": "ByteLevel", "trim_offsets": True, "add_prefix_space": False, "use_regex": True}
    file.write_text(json.dumps({**json.loads(file.read_text()), "post_processor": post}))
    return load_model(str(folder))


def close(found, expected) -> bool:
    return found == pytest.approx(expected, abs=TOLERANCE)


def check(model: Model, requests: list[Request], batch_tokens: int = 8192) -> None:
    for request, result in zip(requests, score(model, requests, batch_tokens), strict=True):
        assert close(result.log_likelihoods, log_likelihoods(model, request)), request
        assert result.byte_counts == tuple(len(c.encode()) for c in request.continuations)


def sharing_requests() -> list[Request]:
    """Several requests on one long text, so that beginnings are shared in several depths."""
    passage = " ".join(SENTENCES[:3])
    return [
        Request(f"{passage}\nQuestion {number}?", (" yes", " no, never", " The answer is 12 €."))
        for number in range(4)
    ]


@pytest.mark.parametrize("min_saving", [0, 10**9], ids=["shared", "separate"])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=requests_of, batch_tokens=st.integers(1, 300), seed=st.integers(0, 99))
def test_scores_are_those_of_one_text_at_a_time(
    model, monkeypatch, min_saving, requests, batch_tokens, seed
):
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": min_saving})
    random.Random(seed).shuffle(requests)
    check(model, requests, batch_tokens)


def test_offsets_that_leave_spaces_out(trimming):
    assert (
        trimming.tokenizer("The answer", return_offsets_mapping=True)["offset_mapping"][1][0] == 4
    )
    spaces = ("yes", " yes", "  yes", " ", "  ", "\n", " \n ", "é")
    check(trimming, [Request(c, spaces) for c in ("", " ", "The", "The ", "The  ", "The\n", "é")])
    assert make_scorer(trimming).shorten("The answer is the answer", 2, "end") == " the answer"


def test_a_continuation_that_begins_another(model):
    check(model, [Request("The answer", (" is", " is yes", " is yes or no", " is"))])


def test_shared_beginnings_feed_fewer_tokens_and_score_the_same(tmp_path, monkeypatch):
    model = load_model(str(tiny_gpt2(tmp_path, n_positions=256)))
    requests = sharing_requests()
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": 10**9})
    apart = make_scorer(model)
    separate = apart.score(requests)
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": 64})
    together = make_scorer(model)
    for one, other in zip(together.score(requests), separate, strict=True):
        assert close(one.log_likelihoods, other.log_likelihoods)
    assert together.usage.tokens < apart.usage.tokens / 3
    check(model, requests)


FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "gpt_neox": (GPTNeoXForCausalLM, GPTNeoXConfig, {}),
    "opt": (OPTForCausalLM, OPTConfig, {"ffn_dim": 32, "word_embed_proj_dim": 16}),
    # Caps its logits, so that they are not the output matrix times the hidden state.
    "gemma2": (Gemma2ForCausalLM, Gemma2Config, {"final_logit_softcapping": 1.5, "head_dim": 8}),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("min_saving", [0, 10**9], ids=["shared", "separate"])
def test_other_architectures(tmp_path, monkeypatch, name, min_saving):
    architecture, config, extra = FAMILIES[name]
    tokenizer = tiny_tokenizer()
    torch.manual_seed(1)
    network = architecture(
        config(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            intermediate_size=32,
            max_position_embeddings=128,
            initializer_range=0.3,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
            **extra,
        )
    )
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": min_saving})
    requests = [*sharing_requests(), Request("", ("The end.", "日本")), Request("x", ("y", " yes"))]
    check(model, requests)
    scorer = make_scorer(model)
    assert scorer.plain_head == (name != "gemma2")
    contexts = ["The old keeper", "x", SENTENCES[0]]
    assert scorer.generate(contexts, ["\n"], 6) == [greedy(model, c, ["\n"], 6) for c in contexts]


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


def test_a_score_that_is_not_finite_names_its_request(tmp_path):
    model = load_model(str(tiny_gpt2(tmp_path, constant=float("nan"))))
    with pytest.raises(CellFailed, match="request 0: .* nan"):
        score(model, [Request("a", ("b",))])


def run_out_of_memory(monkeypatch, model: Model, most_rows: int) -> None:
    """Let every pass of more than most_rows rows run out of memory."""
    forward = model.network.base_model.forward

    def limited(input_ids, **kwargs):
        if len(input_ids) > most_rows:
            raise torch.OutOfMemoryError("out of memory")
        return forward(input_ids=input_ids, **kwargs)

    monkeypatch.setattr(model.network.base_model, "forward", limited)


def test_running_out_of_memory_halves_the_batch(model, monkeypatch):
    requests = [Request(sentence, (" yes", " no no")) for sentence in SENTENCES]
    expected = score(model, requests)
    contexts = [sentence[:9] for sentence in SENTENCES]
    generated = make_scorer(model).generate(contexts, ["\n"], 5)
    run_out_of_memory(monkeypatch, model, most_rows=2)
    scorer = make_scorer(model)
    for one, other in zip(scorer.score(requests), expected, strict=True):
        assert close(one.log_likelihoods, other.log_likelihoods)
    assert scorer.batch_tokens < 8192
    assert scorer.generate(contexts, ["\n"], 5) == generated


def test_a_text_that_never_fits_the_memory_fails_the_cell(model, monkeypatch):
    scorer = make_scorer(model)
    run_out_of_memory(monkeypatch, model, most_rows=0)
    with pytest.raises(CellFailed, match="does not fit the memory"):
        scorer.score([Request("a", ("b", "c d"))])


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
    assert make_scorer(model).generate(["The", "A letter"], ["\n"], 5) == ["", ""]


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


def test_other_families_say_what_is_missing(tiny_bert_folder, tiny_t5_folder):
    for folder in (tiny_bert_folder, tiny_t5_folder):
        with pytest.raises(NotApplicable, match="implemented for decoders only"):
            score(load_model(str(folder)), [Request("a", ("b",))])
