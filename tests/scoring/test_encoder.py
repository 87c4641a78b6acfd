import random
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    FNetConfig,
    FNetForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from benchsuite.errors import CellFailed, InputError, NotApplicable
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, encoder, make_scorer, score
from benchsuite.scoring.paths import PATHS
from tests.scoring.encoder_reference import log_likelihoods, token_scores
from tests.scoring.reference import check_that_one_of_two_tied_tokens_is_greedy
from tests.tiny import SENTENCES, tiny_bert, tiny_tokenizer

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
    "n't",
    ".",
]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
nonempty = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map("".join)
requests_of = st.lists(
    st.builds(Request, texts, st.lists(nonempty, min_size=1, max_size=4).map(tuple)),
    min_size=1,
    max_size=4,
)
paths = pytest.mark.parametrize("path", PATHS["encoder"])


@pytest.fixture(scope="module")
def model(tiny_bert_folder) -> Model:
    return load_model(str(tiny_bert_folder))


def check(model: Model, requests: list[Request], path: str, batch_tokens: int = 8192) -> None:
    found = score(model, requests, path, batch_tokens=batch_tokens)
    for request, result in zip(requests, found, strict=True):
        expected = log_likelihoods(model, request, path)
        assert result.log_likelihoods == pytest.approx(expected, abs=TOLERANCE), request
        assert result.byte_counts == tuple(len(c.encode()) for c in request.continuations)


@paths
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=requests_of, batch_tokens=st.integers(1, 300), seed=st.integers(0, 99))
def test_scores_are_those_of_one_mask_at_a_time(model, path, requests, batch_tokens, seed):
    random.Random(seed).shuffle(requests)
    check(model, requests, path, batch_tokens)


@paths
def test_details_are_those_of_one_mask_at_a_time(model, path):
    request = Request("She asked the", (" children", " teacher about it.", " qué"))
    # The likeliest single token after this context, so that some `greedy` is true.
    best = max(
        range(10, 400), key=lambda t: _cloze(model, "The old", model.tokenizer.decode([t]))[0]
    )
    likeliest = Request("The old", (model.tokenizer.decode([best]), " cities"))
    for one in (request, likeliest):
        (found,) = score(model, [one], path, details=True)
        for place, text in enumerate(one.continuations):
            expected = token_scores(model, one.context, text, path)
            assert found.tokens[place] == pytest.approx([v for v, _ in expected], abs=TOLERANCE)
            assert found.greedy[place] == all(is_best for _, is_best in expected)
            assert found.token_counts[place] == len(expected)
            assert sum(found.tokens[place]) == found.log_likelihoods[place]
    assert found.greedy[0] and not found.greedy[1]


def _cloze(model: Model, context: str, text: str) -> tuple[float, bool]:
    scores = token_scores(model, context, text, "cloze") if text.strip() else []
    return scores[0] if len(scores) == 1 else (-1e9, False)


def test_of_tokens_that_tie_one_is_greedy(model):
    check_that_one_of_two_tied_tokens_is_greedy(model)


def test_verbalizers_of_one_length_are_read_off_one_copy(model):
    texts = ("s", "t", "r", "a", " a")
    context = "The answ"
    lengths = [len(model.tokenizer(context + text)["input_ids"]) for text in texts]
    assert len(set(lengths[:4])) == 1
    scorer = make_scorer(model)
    scorer.score([Request(context, texts[:4])])
    assert scorer.usage.tokens == lengths[0]
    check(model, [Request(context, texts)], "cloze")


def test_a_copy_that_two_sentences_share_goes_through_once(model):
    """The sentences differ in one token: with that one masked they are the same."""
    pair = ("The old a.", "The old b.")
    one, other = (model.tokenizer(text)["input_ids"] for text in pair)
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
    scorer = make_scorer(model)
    scorer.score([Request("", pair)], "pll")
    assert scorer.usage.tokens == (2 * (len(one) - 2) - 1) * len(one)
    check(model, [Request("", pair)], "pll")


def test_what_paths_have_in_common_goes_through_once(model):
    request = Request("The old", (" keeper", " a", " children walked."))
    scorer = make_scorer(model)
    apart = {path: make_scorer(model) for path in PATHS["encoder"]}
    for path, alone in apart.items():
        (found,), (expected,) = scorer.score([request], path), alone.score([request], path)
        assert found.log_likelihoods == pytest.approx(expected.log_likelihoods, abs=TOLERANCE)
    assert scorer.usage.tokens < sum(alone.usage.tokens for alone in apart.values())
    again = scorer.usage.tokens
    scorer.score([request], path, details=True)
    assert scorer.usage.tokens == again


def test_many_texts_go_in_parts(model, monkeypatch):
    monkeypatch.setattr(encoder, "LINES_AT_ONCE", 3)
    check(model, [Request("The old", (" a", " keeper", text)) for text in SENTENCES[:4]], "pll")


@paths
def test_a_long_context_loses_its_beginning(model, path):
    request = Request(" ".join(SENTENCES), (" very positive", "\n"))
    (found,) = score(model, [request], path)
    assert found.truncated
    check(model, [request], path)
    assert not score(model, [Request("The", (" answer",))], path)[0].truncated


def test_the_window_holds_the_special_tokens_too(model):
    scorer = make_scorer(model)
    assert scorer.max_length == model.max_length - 2 == 62
    text = scorer.shorten(" ".join(SENTENCES), scorer.max_length, "start")
    assert scorer.count_tokens([text]) == [62]
    assert not scorer.score([Request("", (text,))], "pll")[0].truncated
    with pytest.raises(CellFailed, match="request 1: a continuation of .* 62 tokens"):
        scorer.score([Request("", ("x",)), Request("", (" ".join(SENTENCES),))])


def test_what_cannot_be_scored_says_so(model):
    with pytest.raises(CellFailed, match="request 0: continuation 1 has no token"):
        score(model, [Request("The", (" answer", ""))])
    with pytest.raises(InputError, match="no scoring path 'sum' for an encoder; it"):
        score(model, [Request("The", (" answer",))], "sum")
    with pytest.raises(NotApplicable):
        make_scorer(model).generate(["The"], ["\n"], 4)


def test_a_score_that_is_not_finite_names_its_request(tmp_path):
    model = load_model(str(tiny_bert(tmp_path)))
    token = model.tokenizer(" keeper", add_special_tokens=False)["input_ids"][0]
    scorer = make_scorer(model)
    model.network.cls.predictions.bias.data[token] = float("nan")
    with pytest.raises(CellFailed, match="request 0: the log-likelihood .* nan"):
        scorer.score([Request("The old", (" keeper",))])


def test_a_tokenizer_without_a_mask_is_refused(tmp_path):
    model = load_model(str(tiny_bert(tmp_path)))
    model.tokenizer.mask_token = None
    with pytest.raises(CellFailed, match="no mask token"):
        make_scorer(model)


def test_bfloat16_is_close(tiny_bert_folder, model):
    requests = [Request("", tuple(SENTENCES[:2])), Request("The answer is", (" yes", " no"))]
    rough = load_model(str(tiny_bert_folder), dtype="bfloat16")
    for path in PATHS["encoder"]:
        for exact, found in zip(
            score(model, requests, path), score(rough, requests, path), strict=True
        ):
            assert found.log_likelihoods == pytest.approx(exact.log_likelihoods, rel=0.03)


def test_running_out_of_memory_halves_the_budget_for_good(model, monkeypatch):
    requests = [Request("", (sentence[:40],)) for sentence in SENTENCES]
    expected = score(model, requests, "pll")
    scorer = make_scorer(model)
    plain, sizes = scorer.logits, []

    def small(inputs, lines, positions):
        sizes.append(inputs["input_ids"].numel())
        if sizes[-1] > 300:
            raise torch.OutOfMemoryError
        return plain(inputs, lines, positions)

    monkeypatch.setattr(scorer, "logits", small)
    found = scorer.score(requests, "pll")
    for one, other in zip(found, expected, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=TOLERANCE)
    failed = [size for size in sizes if size > 300]
    assert failed == sizes[: len(failed)] and scorer.budget.tokens <= 300

    def none(inputs, lines, positions):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(scorer, "logits", none)
    with pytest.raises(CellFailed, match="one text does not fit the memory"):
        scorer.score([Request("The old", (" keeper",))], "pll")


BERT_LIKE = {
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
# Name -> architecture, configuration, where the places are picked out (what a pass saves).
ARCHITECTURES = {
    "bert": (BertForMaskedLM, BertConfig, {}, "bert.encoder.layer.1.attention.output"),
    "roberta": (RobertaForMaskedLM, RobertaConfig, {}, "roberta.encoder.layer.1.attention.output"),
    "distilbert": (
        DistilBertForMaskedLM,
        DistilBertConfig,
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
        "distilbert.transformer.layer.1.sa_layer_norm",
    ),
    "modernbert": (
        ModernBertForMaskedLM,
        ModernBertConfig,
        # A window of 8 tokens in one of the two layers.
        {"global_attn_every_n_layers": 2, "local_attention": 8},
        "model",
    ),
    "electra": (
        ElectraForMaskedLM,
        ElectraConfig,
        {"embedding_size": 8},
        "electra.encoder.layer.1.attention.output",
    ),
    # Its layers share their weights, so nothing can be picked out inside the last one.
    "albert": (AlbertForMaskedLM, AlbertConfig, {"embedding_size": 8}, "albert"),
    "deberta": (
        DebertaV2ForMaskedLM,
        DebertaV2Config,
        {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
        "deberta.encoder.layer.1.attention.output",
    ),
    # Sees padding whatever the mask says.
    "fnet": (FNetForMaskedLM, FNetConfig, {}, "fnet.encoder.layer.1.fourier.output"),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures(tmp_path, name):
    architecture, config, extra, point = ARCHITECTURES[name]
    tokenizer = tiny_tokenizer("encoder")
    settings = {**BERT_LIKE, "vocab_size": len(tokenizer), **extra}
    if name == "modernbert":
        cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
        settings |= {"cls_token_id": cls, "sep_token_id": sep}
        settings |= {"bos_token_id": cls, "eos_token_id": sep}
    torch.manual_seed(0)
    network = architecture(config(**settings))
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    requests = [
        Request("", (SENTENCES[0], "x")),
        Request("Is the answer", (" yes", " no", " very negative.", " naïve €")),
        Request(" ".join(SENTENCES), (" very positive", "\n")),
    ]
    for path in PATHS["encoder"]:
        check(model, requests, path)
    modules = dict(model.network.named_modules())
    assert make_scorer(model).logits.point is modules[point]


def test_a_head_that_cannot_be_split_gets_all_states(model):
    """Whatever the head does with neighbours, scores are those of the plain pass."""

    class Mixing(torch.nn.Module):
        def __init__(self, head):
            super().__init__()
            self.head = head

        def forward(self, states):
            return self.head(states + states.cumsum(1))

    whole = model.network.cls
    model.network.cls = Mixing(whole)
    try:
        assert make_scorer(model).logits.point is None
        check(model, [Request("Is the answer", (" yes", " no, never"))], "pll")
    finally:
        model.network.cls = whole


def test_positions_that_begin_after_padding_shorten_the_window(tmp_path):
    tokenizer = tiny_tokenizer("encoder")
    RobertaForMaskedLM(RobertaConfig(**BERT_LIKE, vocab_size=len(tokenizer))).save_pretrained(
        tmp_path
    )
    tokenizer.save_pretrained(tmp_path)
    assert load_model(str(Path(tmp_path))).max_length == 63
