"""The model `benchsuite` inside lm-eval, against lm-eval's own model and our own scorer."""

from __future__ import annotations

from pathlib import Path

import pytest
from lm_eval.api.instance import Instance

from benchsuite.errors import InputError
from benchsuite.integrations.lm_eval import BenchsuiteLM
from benchsuite.models.registry import load_model
from benchsuite.scoring import Request, make_scorer
from tests.integrations.harness import answers, evaluate, harness_model, values, write_tasks

TOLERANCE = 1e-4  # nats, in float32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("harness") / "tasks")


@pytest.fixture
def folders(tiny_gpt2_folder: Path, tiny_bert_folder: Path, tiny_t5_folder: Path) -> dict:
    return {
        "decoder": tiny_gpt2_folder,
        "encoder": tiny_bert_folder,
        "encoder-decoder": tiny_t5_folder,
    }


def asked(*arguments: object) -> Instance:
    return Instance("loglikelihood", {}, arguments, 0)


def same(ours: list, theirs: list) -> None:
    """The same log-likelihoods within the tolerance and the same greedy flags."""
    assert len(ours) == len(theirs) > 0
    for (value, greedy), (other, flag) in zip(ours, theirs, strict=True):
        assert value == pytest.approx(other, abs=TOLERANCE)
        assert greedy == flag


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("task", ["made_choice", "made_word"])
@pytest.mark.parametrize("family", ["decoder", "encoder-decoder"])
def test_numbers_are_those_of_hflm(folder, folders, family, task, shots):
    if shots and task == "made_word":
        pytest.skip("has no split to draw demonstrations from")
    name = str(folders[family])
    settings = {"num_fewshot": shots, "log_samples": True}
    ours = evaluate(
        "benchsuite", folder, task, model_args={"pretrained": name, "path": "sum"}, **settings
    )
    theirs = evaluate(harness_model(load_model(name)), folder, task, **settings)
    same(answers(ours, task), answers(theirs, task))
    assert values(ours, task) == pytest.approx(values(theirs, task), rel=1e-5)
    assert len(set(answers(ours, task))) > 10  # the model tells its inputs apart


def test_minimal_pairs_of_a_decoder_are_those_of_hflm(folder, folders):
    name = str(folders["decoder"])
    ours = evaluate("benchsuite", folder, "made_pairs", model_args=f"pretrained={name}")
    theirs = evaluate(harness_model(load_model(name)), folder, "made_pairs")
    same(answers(ours, "made_pairs"), answers(theirs, "made_pairs"))


def test_rolling_windows_are_those_of_hflm(folder, folders):
    model = load_model(str(folders["decoder"]), max_length=26)
    ours = evaluate(BenchsuiteLM(model, batch_tokens=100), folder, "made_rolling")
    theirs = evaluate(harness_model(model), folder, "made_rolling")
    lengths = [
        len(model.tokenizer(one["doc"]["long"])["input_ids"])
        for one in ours["samples"]["made_rolling"]
    ]
    assert min(lengths) < 26 and max(lengths) > 3 * 26
    assert answers(ours, "made_rolling") == pytest.approx(
        answers(theirs, "made_rolling"), abs=TOLERANCE
    )
    assert values(ours, "made_rolling") == pytest.approx(values(theirs, "made_rolling"), rel=1e-6)


@pytest.mark.parametrize("family", ["decoder", "encoder-decoder"])
def test_generation_is_that_of_hflm(folder, folders, family):
    model = load_model(str(folders[family]))
    ours = evaluate(BenchsuiteLM(model), folder, "made_free")
    theirs = evaluate(harness_model(model), folder, "made_free")
    assert any(text for text in answers(ours, "made_free"))
    for text, other in zip(answers(ours, "made_free"), answers(theirs, "made_free"), strict=True):
        # HFLM lets a decoder that reads the context elsewhere write that many tokens more.
        assert text == other if family == "decoder" else other.startswith(text)


@pytest.mark.parametrize("path", [None, "pll"])
def test_an_encoder_gives_the_scores_of_our_scorer(folder, folders, path):
    model = load_model(str(folders["encoder"]))
    found = evaluate(BenchsuiteLM(model, path=path), folder, "made_choice")
    scorer = make_scorer(model)
    for sample in found["samples"]["made_choice"]:
        context = sample["arguments"][0][0]
        continuations = tuple(pair[1] for pair in sample["arguments"])
        (score,) = scorer.score([Request(context, continuations)], path or "cloze", details=True)
        expected = list(zip(score.log_likelihoods, score.greedy, strict=True))
        same(sample["filtered_resps"], expected)


@pytest.mark.parametrize(
    ("family", "path"), [("encoder", "pll_within_word"), ("encoder-decoder", "span")]
)
def test_a_whole_text_is_scored_as_one(folders, tmp_path, family, path):
    model = load_model(str(folders[family]))
    if family == "encoder-decoder":
        assert BenchsuiteLM(model).path_of_text() == "sum"  # it knows no spans
        model.tokenizer.add_tokens(["<extra_id_0>", "<extra_id_1>"])
        model.network.resize_token_embeddings(len(model.tokenizer))
    lm, text = BenchsuiteLM(model), "The sun came up over the old harbour."
    ((value, _),) = lm.loglikelihood([asked("", text)], disable_tqdm=True)
    (score,) = make_scorer(model).score([Request("", (text,))], path)
    assert value == pytest.approx(score.log_likelihoods[0], abs=TOLERANCE)
    assert lm.paths_used == {path}


@pytest.mark.parametrize(("family", "path"), [("encoder", "cloze"), ("encoder-decoder", "sum")])
def test_mutual_information_compares_scores_of_one_path(folder, folders, family, path):
    """As lm-eval has it where the path is set by hand, which leaves no other."""
    model = load_model(str(folders[family]))
    if family == "encoder-decoder":
        model.tokenizer.add_tokens(["<extra_id_0>", "<extra_id_1>"])
        model.network.resize_token_embeddings(len(model.tokenizer))
    lm = BenchsuiteLM(model)
    found = evaluate(lm, folder, "made_information")
    by_hand = evaluate(BenchsuiteLM(model, path=path), folder, "made_information")
    same(answers(found, "made_information"), answers(by_hand, "made_information"))
    assert values(found, "made_information") == values(by_hand, "made_information")
    assert lm.paths_used == {path}
    evaluate(lm, folder, "made_pairs")  # whole texts keep a path of their own
    assert lm.paths_used == {path, lm.path_of_text()} and lm.path_of_text() != path


def test_continuations_of_one_context_are_one_request_and_answers_keep_their_order(folders):
    lm = BenchsuiteLM(str(folders["decoder"]))
    pairs = [("One thing", " is"), ("Another", " yes"), ("One thing", " no"), ("One thing", " is")]
    seen: list[Request] = []
    score = lm.scorer.score

    def listening(requests, *rest, **settings):
        seen.extend(requests)
        return score(requests, *rest, **settings)

    lm.scorer.score = listening
    found = lm.loglikelihood([asked(*pair) for pair in pairs], disable_tqdm=True)
    assert seen == [Request("One thing", (" is", " no")), Request("Another", (" yes",))]
    alone = [lm.loglikelihood([asked(*pair)], disable_tqdm=True)[0] for pair in pairs]
    same(found, alone)
    assert found[0] == found[3] and len({value for value, _ in found}) == 3


def test_white_space_that_ends_a_context_goes_to_the_continuation(folders):
    lm = BenchsuiteLM(str(folders["decoder"]))
    (one, other) = lm.loglikelihood(
        [asked("The answer is ", "yes"), asked("The answer is", " yes")], disable_tqdm=True
    )
    assert one == other


def test_answers_are_kept_and_read_from_lm_evals_cache(folder, folders, tmp_path):
    arguments = {"pretrained": str(folders["decoder"])}
    cache = str(tmp_path / "answers")
    first = evaluate("benchsuite", folder, "made_choice", model_args=arguments, use_cache=cache)
    lm = BenchsuiteLM(**arguments)
    lm.scorer = None  # whatever is asked for again would fail
    again = evaluate(lm, folder, "made_choice", use_cache=cache)
    assert answers(again, "made_choice") == answers(first, "made_choice")


def test_a_pinned_number_of_demonstrations_is_not_overridden(folder, folders):
    """lm-eval's trap: `num_fewshot: 0` in a file stays, whatever is asked for."""
    lm = BenchsuiteLM(str(folders["decoder"]))
    found = evaluate(lm, folder, "made_pairs", num_fewshot=2)
    assert found["n-shot"] == {"made_pairs": 0}
    assert evaluate(lm, folder, "made_choice", num_fewshot=1)["n-shot"] == {"made_choice": 1}


def test_what_lm_eval_writes_of_the_model(folder, folders):
    lm = BenchsuiteLM(str(folders["encoder"]))
    info = evaluate(lm, folder, "made_choice", limit=2)["config"]
    assert info["model_family"] == "encoder" and info["scoring_path"] == "cloze"
    assert info["model_num_parameters"] > 0 and len(info["model_sha"]) == 64
    assert "/" not in lm.tokenizer_name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pretrained": "gtp"}, "did you mean 'gpt'"),
        ({"dtype": "float16"}, "float32 or bfloat16"),
        ({"device": "mps"}, "cpu or cuda"),
        ({"path": "pll"}, "no scoring path 'pll' for a decoder"),
        ({"parallelize": True}, "no argument 'parallelize'"),
        ({"max_length": 10**6}, "window"),
        ({"max_length": "abc"}, "max_length=abc: give a whole number of at least 2"),
        ({"max_length": 2.5}, "max_length=2.5: give a whole number"),
        ({"max_length": 1}, "max_length=1: give a whole number"),
        ({"batch_tokens": "abc"}, "batch_tokens=abc: give a whole number of at least 1"),
        ({"batch_tokens": 0}, "batch_tokens=0: give a whole number"),
        ({"batch_tokens": -5}, "batch_tokens=-5: give a whole number"),
        ({"batch_tokens": True}, "batch_tokens=True: give a whole number"),
    ],
)
def test_bad_arguments_are_one_clear_line(arguments, words):
    with pytest.raises(InputError, match=words) as caught:
        BenchsuiteLM(**arguments)
    assert "\n" not in str(caught.value)


def test_what_a_family_cannot_do_is_refused(folders):
    rolling, text = [asked("A text.")], [asked("A text", {"until": ["."]})]
    for family in ("encoder", "encoder-decoder"):
        with pytest.raises(InputError, match="left-to-right"):
            BenchsuiteLM(str(folders[family])).loglikelihood_rolling(rolling)
    with pytest.raises(InputError, match="generates no text"):
        BenchsuiteLM(str(folders["encoder"])).generate_until(text)
    lm = BenchsuiteLM(str(folders["decoder"]))
    for extra in ({"do_sample": True}, {"temperature": 0.7}, {"num_beams": 4}):
        with pytest.raises(InputError, match="greedily"):
            lm.generate_until([asked("A text", extra)])
    with pytest.raises(InputError, match="chat template"):
        lm.apply_chat_template([])
    with pytest.raises(InputError, match="chat template"):
        lm.chat_template(True)
