"""`bench compare` on made stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy.stats import binomtest

from benchsuite.check.comparison import TWO_SIDED, compare_all, to_markdown
from benchsuite.check.verdict import permutations_for
from benchsuite.cli import main
from benchsuite.errors import InputError
from tests.check.made import BASE, TASK, flipped, store_record


def test_two_models_of_one_store(tmp_path: Path) -> None:
    store_record(tmp_path, BASE)
    store_record(tmp_path, flipped(BASE, 30, 60), model="bert")
    [row] = compare_all("gpt", "bert", tmp_path).rows
    assert row.name == f"gpt zeroshot {TASK} -> bert"
    assert row.difference == pytest.approx(0.03)
    assert row.p == pytest.approx(binomtest(30, 90).pvalue)
    assert row.low is not None and row.high is not None and row.low < 0.03 < row.high
    [back] = compare_all("bert", "gpt", tmp_path).rows
    assert back.difference == pytest.approx(-0.03)
    assert back.p == pytest.approx(row.p)


def test_of_seeds_what_most_have_right_counts(tmp_path: Path) -> None:
    for model, few in (("gpt", 0), ("bert", 30)):
        for seed in (0, 1, 2):
            # Of bert's seeds two lose the same thirty; the third loses others, and is outvoted.
            said = flipped(BASE, few, 0, seed=max(seed, 1))
            store_record(tmp_path, said, model=model, regime="lora", seed=seed)
    found = compare_all("gpt", "bert", tmp_path)
    [row] = found.rows
    assert row.seeds == (3, 3) and all(flip.lost for flip in row.flips)
    said = flipped(BASE, 30, 0, seed=1)
    lost = {str(n) for n, (a, b) in enumerate(zip(BASE, said, strict=True)) if a != b}
    assert {flip.id for flip in row.flips} == lost
    assert "30 right by A alone, 0 by B alone, in most seeds" in to_markdown(found)


def test_examples_are_counted_once_whatever_their_prompts(tmp_path: Path) -> None:
    store_record(tmp_path, BASE, prompts=3)
    store_record(tmp_path, flipped(BASE, 30, 60), model="bert", prompts=3)
    store_record(tmp_path, flipped(BASE, 40, 10), model="bert", regime="embed", prompts=1)
    found = compare_all("gpt", "bert", tmp_path)
    assert "30 right by A alone, 60 by B alone, in most prompts" in to_markdown(found)
    # Neither has the other's prompts, and yet both answered the same examples.
    [row] = compare_all("zeroshot", "embed", tmp_path).rows
    assert 0 < len(row.flips) <= 140


def test_few_seeds_are_compared_over_examples_alone(tmp_path: Path) -> None:
    store_record(tmp_path, BASE)
    store_record(tmp_path, flipped(BASE, 30, 60), regime="lora", seed=0)
    store_record(tmp_path, flipped(BASE, 0, 90), regime="full", seed=0)
    store_record(tmp_path, flipped(BASE, 0, 80), regime="full", seed=1)
    [row] = compare_all("zeroshot", "lora", tmp_path).rows
    assert row.p == pytest.approx(binomtest(30, 90).pvalue)
    assert row.seeds == (1, 1) and "fewer than 3 seeds" in row.reason
    [row] = compare_all("lora", "full", tmp_path).rows
    assert row.seeds == (1, 2) and row.difference == pytest.approx(0.055)
    assert row.low is not None and row.low > 0 and row.p is not None and row.p < 0.05


def test_any_number_of_rows_can_be_significant() -> None:
    for rows in (1, 14, 255, 10_000):
        smallest = 1 / (1 + permutations_for(rows, TWO_SIDED))
        assert 2 * rows * smallest < 0.05


def test_texts_that_are_not_at_hand_cost_no_comparison(tmp_path: Path) -> None:
    store_record(tmp_path, BASE)
    store_record(tmp_path, flipped(BASE, 1, 0), model="bert")
    told = to_markdown(compare_all("gpt", "bert", tmp_path, examples=3))
    assert "no texts" in told and "1 right by A alone" in told


def test_two_regimes_and_two_stores(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    store_record(one, BASE)
    store_record(one, flipped(BASE, 5, 5), regime="embed")
    store_record(other, flipped(BASE, 50, 5))
    assert compare_all("zeroshot", "embed", one).rows[0].difference == pytest.approx(0.0)
    assert compare_all(str(one), str(other), one).rows[0].difference == pytest.approx(-0.045)
    found = compare_all(str(one), str(other), one)
    assert found.left_out == [f"gpt embed {TASK}: not in the candidate"]


def test_p_values_are_adjusted(tmp_path: Path) -> None:
    for number, task in enumerate((TASK, "mini/choice")):
        store_record(tmp_path, BASE, task=task)
        store_record(tmp_path, flipped(BASE, 30, 60, seed=number), model="bert", task=task)
    ps = [row.p for row in compare_all("gpt", "bert", tmp_path).rows]
    assert ps == pytest.approx([2 * binomtest(30, 90).pvalue] * 2)


def test_unknown_names_are_told(tmp_path: Path) -> None:
    store_record(tmp_path, BASE)
    with pytest.raises(InputError, match="which has no record of glue/sst2, glue/x$"):
        compare_all("gpt", "bert", tmp_path, tasks=["glue/sst2", "glue/x"])
    with pytest.raises(InputError, match="neither two stores nor two models or regimes"):
        compare_all("gpt", "bart", tmp_path)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_record(tmp_path, BASE)
    store_record(tmp_path, flipped(BASE, 30, 60), model="[b]")
    file = tmp_path / "out.md"
    with pytest.raises(SystemExit) as ended:
        main(["compare", "gpt", "[b]", "--store", str(tmp_path), "--markdown", str(file)])
    assert not ended.value.code
    told = capsys.readouterr().out
    assert "[b]" in told and "30 right by A alone, 60 by B alone" in told
    assert file.read_text() == to_markdown(compare_all("gpt", "[b]", tmp_path))
    with pytest.raises(SystemExit):
        main(["compare", "gpt", "[b]", "--store", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out)["rows"][0]["difference"] == pytest.approx(0.03)
