"""Every architecture scores as one text at a time, whatever it lets the engine do."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MptConfig,
    MptForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer
from benchsuite.scoring import decoder as engine
from benchsuite.scoring.passes import Passes
from tests.scoring.reference import greedy, log_likelihoods
from tests.tiny import SENTENCES, tiny_tokenizer

TOLERANCE = 1e-4  # nats, in float32

MODERN = {"num_key_value_heads": 2, "intermediate_size": 32}
# Name -> (classes, settings, whether lines can be packed, up to how many tokens).
SHAPES = {
    "gpt2": (GPT2LMHeadModel, GPT2Config, {}, True, None),
    "llama": (LlamaForCausalLM, LlamaConfig, MODERN, True, None),
    "gpt_neox": (GPTNeoXForCausalLM, GPTNeoXConfig, {"intermediate_size": 32}, True, None),
    "opt": (OPTForCausalLM, OPTConfig, {"ffn_dim": 32, "word_embed_proj_dim": 16}, True, None),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, MODERN, True, None),
    "gptj": (GPTJForCausalLM, GPTJConfig, {"rotary_dim": 4}, True, None),
    # ALiBi follows from places in a line, which are not depths.
    "bloom": (BloomForCausalLM, BloomConfig, {}, False, None),
    # A block mask would take the place of the one that keeps attention local.
    "mistral": (MistralForCausalLM, MistralConfig, {**MODERN, "sliding_window": 24}, True, 24),
    "gpt_neo": (
        GPTNeoForCausalLM,
        GPTNeoConfig,
        {
            "attention_types": [[["global", "local"], 1]],
            "window_size": 24,
            "intermediate_size": 32,
        },
        True,
        24,
    ),
    # Caps its logits, so that they are not the output matrix times the hidden state.
    "gemma2": (
        Gemma2ForCausalLM,
        Gemma2Config,
        {**MODERN, "final_logit_softcapping": 1.5, "head_dim": 8, "sliding_window": 24},
        True,
        24,
    ),
}
PASSAGE = " ".join(SENTENCES[:2])
REQUESTS = [
    *(
        Request(f"{PASSAGE}\nQuestion {number}?", (" yes", " no, never", " The answer is 12 €."))
        for number in range(3)
    ),
    # Within the reach of local attention, and beside it.
    *(Request(f"The answer {number}", (" is", " is yes", " was no")) for number in range(4)),
    Request("", ("The end.", "日本")),
    Request("x", ("y", " yes")),
]


def build(folder, architecture, config, extra, dtype: str = "float32") -> Model:
    tokenizer = tiny_tokenizer()
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    torch.manual_seed(1)
    architecture(config(**settings | extra)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_model(str(folder), dtype=dtype)


@pytest.fixture(scope="module", params=SHAPES)
def shape(request, tmp_path_factory) -> tuple[str, Model]:
    architecture, config, extra, _, _ = SHAPES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, build(folder, architecture, config, extra)


def check(model: Model, requests: list[Request]) -> None:
    for request, result in zip(requests, make_scorer(model).score(requests), strict=True):
        expected = log_likelihoods(model, request)
        assert result.log_likelihoods == pytest.approx(expected, abs=TOLERANCE), request


def test_what_an_architecture_takes(shape):
    name, model = shape
    _, _, _, packs, reach = SHAPES[name]
    passes = make_scorer(model).passes
    assert (passes.packs, passes.plain_head) == (packs, name != "gemma2")
    if packs:
        assert passes.reach in (reach, 128 if name == "gptj" else reach)
    # Beyond the reach of packing, keys and values are shared.
    assert passes.shares or passes.reach is None


@pytest.mark.parametrize("short", [False, True], ids=["all", "within the reach"])
def test_scores(shape, monkeypatch, short):
    _, model = shape
    monkeypatch.setattr(engine, "MIN_SAVING", {"cpu": 0})
    requests = [one for one in REQUESTS if len(one.context) < 20] if short else REQUESTS
    check(model, requests)


def test_scores_with_a_beginning_that_is_kept(shape, monkeypatch):
    """Every request begins alike; the second call goes on from what the first one kept."""
    _, model = shape
    monkeypatch.setattr(engine, "PREFIX", 3)
    scorer = make_scorer(model)
    for begin in (PASSAGE, "The answer"):
        for number in (1, 2):
            requests = [Request(f"{begin} {number}{end}", (" yes", " no no")) for end in "?!"]
            for request, result in zip(requests, scorer.score(requests), strict=True):
                expected = log_likelihoods(model, request)
                assert result.log_likelihoods == pytest.approx(expected, abs=TOLERANCE)


def test_generation(shape):
    _, model = shape
    contexts = ["The old keeper", "x", SENTENCES[0]]
    expected = [greedy(model, context, ["\n"], 6) for context in contexts]
    assert make_scorer(model).generate(contexts, ["\n"], 6) == expected


PACKED = [name for name, (*_, packs, _) in SHAPES.items() if packs]


@pytest.mark.parametrize("shape", PACKED, indirect=True)
def test_the_self_test_sees_a_mask_that_is_not_heeded(shape, monkeypatch):
    """A network that takes a block mask and attends as ever must not get one."""
    _, model = shape
    forward = model.network.base_model.forward

    def heedless(*inputs, attention_mask=None, **settings):
        if attention_mask is not None and attention_mask.dim() == 4:
            attention_mask = None
        return forward(*inputs, attention_mask=attention_mask, **settings)

    monkeypatch.setattr(model.network.base_model, "forward", heedless)
    assert not make_scorer(model).passes.packs


@pytest.mark.parametrize("shape", PACKED, indirect=True)
def test_the_self_test_sees_positions_that_are_not_heeded(shape, monkeypatch):
    name, model = shape
    forward = model.network.base_model.forward

    def heedless(*inputs, position_ids=None, **settings):
        return forward(*inputs, **settings)

    monkeypatch.setattr(model.network.base_model, "forward", heedless)
    assert not make_scorer(model).passes.packs, name


@pytest.mark.parametrize("shape", ["mistral", "gpt_neo", "gemma2"], indirect=True)
def test_beyond_its_reach_local_attention_packed_would_be_wrong(shape, monkeypatch):
    _, model = shape
    monkeypatch.setattr(Passes, "packs_to", lambda *given: True)
    scorer = make_scorer(model)
    scorer.passes.reach = None
    found = scorer.score(REQUESTS[:3])
    worst = max(
        abs(a - b)
        for request, result in zip(REQUESTS, found, strict=False)
        for a, b in zip(result.log_likelihoods, log_likelihoods(model, request), strict=True)
    )
    assert worst > 0.01


@pytest.mark.parametrize("window", [24, 32, 64])
def test_branches_in_one_line_stay_within_a_small_window(tmp_path, window):
    """Trees cut for the window must not grow together again in a line."""
    architecture, config, extra, _, _ = SHAPES["gpt_neo"]
    model = build(tmp_path, architecture, config, {**extra, "window_size": window})
    words = ["yes", "no", "letter", "table", "answer", "children", "teacher", "farmer"]
    endings = [f" {word} {end}" for word in words for end in ("is", "the table", "was not")]
    request = Request("The old keeper walked down", tuple(endings))
    scorer = make_scorer(model)
    assert (scorer.passes.packs, scorer.passes.reach) == (True, window)
    (result,) = scorer.score([request])
    assert result.log_likelihoods == pytest.approx(log_likelihoods(model, request), abs=TOLERANCE)


@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("spread", [0.02, 0.3])
def test_the_self_test_sees_alibi_in_bfloat16(tmp_path, heads, spread):
    """MPT takes positions and does not heed them: far from its trunk a branch attends less."""
    extra = {"num_attention_heads": heads, "initializer_range": spread}
    passes = make_scorer(build(tmp_path, MptForCausalLM, MptConfig, extra, "bfloat16")).passes
    assert (passes.packs, passes.shares) == (False, True)


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox", "opt", "qwen2", "gptj", "mistral"])
@pytest.mark.parametrize("spread", [0.02, 0.3])
def test_rounding_in_bfloat16_does_not_look_like_an_error(tmp_path, name, spread):
    architecture, config, extra, _, _ = SHAPES[name]
    extra = {**extra, "initializer_range": spread}
    assert make_scorer(build(tmp_path, architecture, config, extra, "bfloat16")).passes.packs


def test_no_pass_goes_across_the_border_of_long_rope(tmp_path):
    """Beyond it all rows of a pass would get other frequencies."""
    factors = {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 64}
    extra = {**MODERN, "original_max_position_embeddings": 64, "rope_parameters": rope | factors}
    model = build(tmp_path, Phi3ForCausalLM, Phi3Config, extra)
    scorer = make_scorer(model)
    assert (scorer.passes.packs, scorer.passes.border) == (True, 64)
    text = scorer.shorten(" ".join(SENTENCES), 61, "start")
    endings = (" yes", " no, never", " The answer is 12 €.", " The answer is 12 €. yes")
    requests = [Request(f"{text}{end}", endings) for end in ("", "?", " is", " is very")]
    lengths = [
        len(model.tokenizer(one.context + text)["input_ids"]) - 1
        for one in requests
        for text in one.continuations
    ]
    assert min(lengths) <= 64 < max(lengths)
    for _ in range(2):
        for request, result in zip(requests, scorer.score(requests), strict=True):
            expected = log_likelihoods(model, request)
            assert result.log_likelihoods == pytest.approx(expected, abs=TOLERANCE)


def test_states_in_another_precision_than_the_head(tmp_path):
    model = build(tmp_path, MambaForCausalLM, MambaConfig, {"state_size": 8}, "bfloat16")
    scorer = make_scorer(model)
    assert not scorer.passes.plain_head
    for request, result in zip(REQUESTS[3:], scorer.score(REQUESTS[3:]), strict=True):
        # One text alone is added up in another order: bfloat16 has 8 bits.
        assert result.log_likelihoods == pytest.approx(log_likelihoods(model, request), rel=0.01)
