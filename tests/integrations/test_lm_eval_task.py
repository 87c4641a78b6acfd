"""`bench run --task lm-eval:...`: records that are lm-eval's own numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchsuite
from benchsuite import records
from benchsuite.errors import InputError, NotApplicable
from benchsuite.integrations import lm_eval_results
from benchsuite.integrations.lm_eval import BenchsuiteLM
from benchsuite.integrations.lm_eval_task import find_yaml, load_lm_eval_task
from benchsuite.records import Record
from tests.integrations.harness import evaluate, values
from tests.scoring.real import needs_data


def outcomes_of(record: Record, tmp_path: Path) -> pd.DataFrame:
    return records.read_outcomes(tmp_path / "store" / records.folder_name(record.cell), record)


@pytest.mark.parametrize("limit", [None, 9])
@pytest.mark.parametrize(
    ("task", "headline"),
    [("made_choice", "acc"), ("made_word", "acc"), ("made_rolling", "word_perplexity")],
)
def test_a_record_is_what_lm_eval_reports(run, folder, tiny_gpt2_folder, task, headline, limit):
    [record] = run(task, limit=limit)
    assert record.status == "done", record.reason
    lm = BenchsuiteLM(str(tiny_gpt2_folder))
    found = evaluate(lm, folder, task, num_fewshot=0, limit=limit)
    assert {row.metric: row.value for row in record.results} == values(found, task)
    assert record.headline.metric == headline
    assert record.headline.n == (limit or 24) and record.headline.score == "sum"
    for row in record.results:
        assert row.low <= row.high and (row.low < row.high or row.value in (0, 1))
        assert row.n == row.clusters == (limit or 24)
    chosen = record.provenance["chosen"][""]
    assert chosen["num_fewshot"] == 0 and chosen["lm_eval"].startswith("0.4")
    assert chosen["task_version"] == ("1.5" if task == "made_choice" else "2")
    assert record.cell["task"] == f"lm-eval:{task}"
    facts = record.provenance["data"]["evaluation"]["validation"]
    assert facts == {"source": "files", "rows": 24, "official": None, "used": limit or 24}


def test_outcomes_are_lm_evals_documents_and_explain_the_metrics(run, folder, tmp_path):
    [record] = run()
    table = outcomes_of(record, tmp_path)
    shown = {row.metric: row.value for row in record.results}
    assert table["id"].tolist() == [str(number) for number in range(24)]
    assert table["acc"].mean() == shown["acc"] and table["acc_norm"].mean() == shown["acc_norm"]
    assert (table["credit"] == table["acc"]).all()
    assert ((table["prediction"] == table["gold"]) == (table["acc"] == 1)).all()
    assert (table["mcc.0"] == table["gold"]).all() and (table["mcc.1"] == table["prediction"]).all()
    assert record.baselines == {"chance": 0.5}
    norms = {row.metric: row.norm for row in record.results}
    assert norms == {"acc": "none", "acc_norm": "character", "mcc": "none"}


def test_intervals_agree_with_lm_evals_standard_errors(run, folder, tiny_gpt2_folder, monkeypatch):
    """A mean's and a correlation's interval, against lm-eval's formula and its own bootstrap."""
    monkeypatch.setattr(lm_eval_results, "REPLICATES", 1000)
    [record] = run()
    from lm_eval.api.metrics import _bootstrap_internal, matthews_corrcoef, mean_stderr

    lm = BenchsuiteLM(str(tiny_gpt2_folder))
    samples = evaluate(lm, folder, "made_choice", num_fewshot=0)["samples"]["made_choice"]
    drawn = _bootstrap_internal(matthews_corrcoef, 1000)((0, [one["mcc"] for one in samples]))
    expected = {
        "acc": mean_stderr([one["acc"] for one in samples]),
        "mcc": np.std(drawn, ddof=1),
    }
    for row in record.results:
        if row.metric in expected:
            assert (row.high - row.low) / 3.92 == pytest.approx(expected[row.metric], rel=0.15)


def test_few_shot_is_lm_evals_own(run, folder, tiny_gpt2_folder):
    [zero], [one] = run(), run(regime="fewshot:1", seeds=[7])
    assert one.status == "done", one.reason
    assert one.key != zero.key and one.provenance["chosen"][""]["num_fewshot"] == 1
    lm = BenchsuiteLM(str(tiny_gpt2_folder))
    found = evaluate(lm, folder, "made_choice", num_fewshot=1, fewshot_random_seed=7)
    assert {row.metric: row.value for row in one.results} == values(found, "made_choice")
    assert one.labels_used == 24 and zero.labels_used == 0
    assert set(one.cell["key_parts"]["train"]) == {"fewshot"}
    [other] = run(regime="fewshot:1", seeds=[8])
    assert other.key != one.key


def test_a_task_that_pins_zero_demonstrations_is_not_applicable_few_shot(run):
    [zero], [one] = run("made_pairs"), run("made_pairs", regime="fewshot:2")
    assert zero.status == "done" and one.status == "not_applicable"
    assert "num_fewshot: 0" in one.reason


@pytest.mark.parametrize(
    ("old", "new", "most"),
    [
        # lm-eval draws one more than it shows, as long as there is no test split.
        ("metadata", "metadata", 23),
        ("training_split: train\n", "", 23),
        ("metadata", "fewshot_config: {sampler: first_n}\nmetadata", 24),
        ("validation_split", "test_split", 24),
    ],
    ids=["train", "scored", "first", "test"],
)
def test_too_few_demonstrations_are_not_applicable(run, folder, old, new, most):
    path = folder / "choice.yaml"
    path.write_text(path.read_text().replace(old, new))
    task = load_lm_eval_task("lm-eval:made_choice", [folder])
    assert len(task.demonstrations(most, 0, None).examples) == 24
    task.prepare(most + 1, 0)
    with pytest.raises((ValueError, AssertionError), match="[Ss]ample"):  # lm-eval's own
        task.harness.build_all_requests(rank=0, world_size=1)
    [short] = run(regime=f"fewshot:{most + 1}")
    assert short.status == "not_applicable"
    assert short.reason == (
        f"lm-eval:made_choice has {most} demonstrations for each document, not {most + 1}"
    )


def test_copies_of_a_document_are_no_demonstrations_of_it(folder):
    path, data = folder / "choice.yaml", folder / "validation.jsonl"
    path.write_text(path.read_text().replace("training_split: train\n", ""))
    data.write_text(data.read_text() + data.read_text().splitlines()[3] + "\n")
    task = load_lm_eval_task("lm-eval:made_choice", [folder])
    task.demonstrations(23, 0, None)
    with pytest.raises(NotApplicable, match="has 23 demonstrations"):
        task.demonstrations(24, 0, None)
    assert task.demonstrations(24, 0, 3)  # the document that is there twice is not looked at


def test_every_family_and_its_way_of_scoring(run, tiny_bert_folder, tiny_t5_folder):
    names = [str(tiny_bert_folder), str(tiny_t5_folder)]
    encoder, other = run(model=names)
    assert (encoder.status, other.status) == ("done", "done"), (encoder.reason, other.reason)
    assert (encoder.headline.score, other.headline.score) == ("cloze", "sum")
    encoder, other = run("made_pairs", model=names)
    # The tiny T5 knows no spans.
    assert (encoder.headline.score, other.headline.score) == ("pll_within_word", "sum")
    for record in run("made_rolling", model=names):
        assert record.status == "not_applicable" and "left-to-right" in record.reason


def test_whole_texts_have_no_demonstrations(run):
    [record] = run("made_rolling", regime="fewshot:1")
    assert record.status == "not_applicable" and "without demonstrations" in record.reason


def test_empty_texts_cost_a_draw_not_the_cell(run, folder):
    data = folder / "validation.jsonl"
    documents = [json.loads(line) for line in data.read_text().splitlines()][:3]
    for document in documents[1:]:
        document["long"] = ""
    data.write_text("\n".join(map(json.dumps, documents)))
    [record] = run("made_rolling")
    assert record.status == "done", record.reason
    assert all(row.low <= row.value <= row.high for row in record.results)


def test_mutual_information_is_of_one_path(run, folder, tiny_bert_folder):
    data, path = folder / "validation.jsonl", folder / "made_information.yaml"
    documents = [json.loads(line) for line in data.read_text().splitlines()]
    documents[1]["text"] = ""  # all it asks for has an empty context
    data.write_text("\n".join(map(json.dumps, documents)))
    path.write_text(path.read_text().replace("\\nIt is", ""))
    [record] = run("made_information", model=str(tiny_bert_folder))
    assert record.status == "done", record.reason
    assert {row.metric: row.score for row in record.results} == {
        "acc_mutual_info": "cloze",
        "acc": "cloze",
    }


def test_only_likelihoods_make_a_perplexity(run, tiny_bert_folder, tiny_t5_folder):
    for record in run("made_word", model=[str(tiny_bert_folder), str(tiny_t5_folder)]):
        assert record.status == "done", record.reason
        rows = {row.metric: row for row in record.results}
        row = rows["perplexity"]
        assert rows["acc"].value is not None and row.n == 24
        if record.cell["family"] == "encoder":
            assert (row.value, row.low, row.high) == (None, None, None)
            assert row.undefined_reason.startswith("cloze gives no likelihood")
        else:
            assert row.value > 1 and row.undefined_reason is None


def test_a_perplexity_beyond_all_numbers_is_undefined(run, folder, tmp_path):
    """lm-eval's own raises OverflowError."""
    from tests.tiny import tiny_gpt2

    wide = tiny_gpt2(tmp_path / "wide", n_positions=800)
    path = folder / "made_word.yaml"
    path.write_text(
        path.read_text().replace("doc_to_target: word", 'doc_to_target: "{{long * 3}}"')
    )
    [record] = run("made_word", model=str(wide))
    assert record.status == "done", record.reason
    row = next(row for row in record.results if row.metric == "perplexity")
    assert row.value is None and "inf" in row.undefined_reason


def test_ties_are_counted_and_the_first_option_wins_as_in_lm_eval(run, tmp_path):
    from tests.tiny import tiny_gpt2

    constant = tiny_gpt2(tmp_path / "constant", constant=0.0)
    path = tmp_path / "tasks" / "choice.yaml"
    path.write_text(path.read_text().replace('"very good"', '"sad"'))
    [record] = run(model=str(constant), limit=10)
    table = outcomes_of(record, tmp_path)
    tied = table["tied"] > 0
    assert record.counts["ties"] == tied.sum() > 0
    assert (table["prediction"][tied] == 0).all()


def test_errors_can_be_shown(run, folder, tmp_path):
    from benchsuite.report import inspect

    [record] = run()
    place = tmp_path / "store" / records.folder_name(record.cell)
    rows = inspect.errors(record, place, 3, [folder])
    assert len(rows) == 3 and all(row["gold"] != row["predicted"] for row in rows)
    assert all(row["text"] for row in rows)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("made_choise", "did you mean `made_choice`"),
        ("made_free", "generate_until"),
        ("absent", "cannot be loaded: .*no_such_owner/no_such_set/main"),
        ("broken", "not a task of lm-eval"),
        ("several", "group"),
        ("glue", "group of lm-eval's tasks"),
        ("gsm8k", "generate_until"),
        ("./nothing.yaml", "no such file"),
    ],
)
def test_what_cannot_run_is_one_clear_line(run, folder, task, words):
    head = "dataset_path: no_such_owner/no_such_set\ndataset_name: main\n"
    rest = "output_type: multiple_choice\nvalidation_split: test\n"
    (folder / "absent.yaml").write_text(f"task: absent\n{head}{rest}")
    (folder / "broken.yaml").write_text("task: broken\ninclude: nothing.yaml\n")
    (folder / "several.yaml").write_text("group: several\ntask: [made_choice, made_word]\n")
    with pytest.raises(InputError, match=words) as caught:
        run(task)
    assert "\n" not in str(caught.value)


def test_other_regimes_prompts_and_splits_are_refused(run):
    with pytest.raises(InputError, match="zeroshot or fewshot"):
        load_lm_eval_task("lm-eval:made_choice", [run_folder(run)]).regime("full")
    with pytest.raises(InputError, match="no prompt"):
        run(prompt="p")
    with pytest.raises(InputError, match="lm-eval scores validation"):
        run(split="train")


def run_folder(run: Callable[..., list[Record]]) -> Path:
    """The tasks folder that the fixture `run` closes over."""
    return next(
        cell.cell_contents
        for cell in run.__closure__
        if isinstance(cell.cell_contents, Path) and cell.cell_contents.name == "tasks"
    )


def test_a_users_task_hides_lm_evals_of_the_same_name(folder):
    own = folder / "own.yaml"
    own.write_text('"task": "sst2"  # mine\n')
    assert find_yaml("sst2", [folder]) == own
    assert find_yaml("sst2", []).match("lm_eval/tasks/glue/sst2/*.yaml")
    assert find_yaml("blimp_adjunct_island", [folder]).name == "adjunct_island.yaml"


def test_without_lm_eval_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("benchsuite.integrations.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install"):
        benchsuite.load_task("lm-eval:sst2")


@needs_data
@pytest.mark.parametrize(
    ("task", "rows"),
    [
        ("cola", 1043),
        ("mrpc", 408),
        ("rte", 277),
        ("sst2", 872),
        ("wnli", 71),
        ("blimp_adjunct_island", 1000),
        ("blimp_passive_1", 1000),
    ],
)
def test_bundled_tasks_read_the_mirror(task, rows, tmp_path):
    [record] = benchsuite.run("gpt", task=f"lm-eval:{task}", limit=8, store=tmp_path, offline=True)
    assert record.status == "done", record.reason
    (facts,) = record.provenance["data"]["evaluation"].values()
    assert facts == {"source": "mirror", "rows": rows, "official": None, "used": 8}
    assert all(np.isfinite(row.value) for row in record.results)
