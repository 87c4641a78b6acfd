"""Who is compared with whom, what is missing, what does not compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchsuite import records
from benchsuite.check import assert_no_regression, check
from benchsuite.check.render import to_markdown
from benchsuite.errors import InputError
from benchsuite.records import Record
from tests.check.made import BASE, TASK, compare, credits, flipped, seeded, store_record
from tests.made import made_record


def test_what_the_candidate_lacks_or_failed_at_fails(stores: tuple[Path, Path]) -> None:
    base, new = stores
    store_record(base, BASE, model="bert")
    records.write(new, made_record("bert", TASK, status="failed", cell=failed_cell("bert")), None)
    found = compare(stores, 0, 0)
    assert found.outcome == "fail" and found.exit_code(allow_inconclusive=True) == 1
    assert found.missing == [f"bert zeroshot {TASK}: failed (because) in the candidate"]
    (new / records.store_folders(new)[0].name / "record.json").unlink()
    assert check(*stores).missing == [f"bert zeroshot {TASK}: not in the candidate"]


def failed_cell(model: str) -> dict[str, Any]:
    return {"model": model, "regime": "zeroshot", "regime_name": "zeroshot", "task": TASK} | {
        "key": "f" * 64,
        "seed": None,
    }


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"task_version": 99}, "task version ("),
        ({"data": {"validation": "others"}}, "evaluation data (split, cap or content)"),
        ({"prompts": "other ones"}, "prompts"),
        ({"options": {"threshold": "tuned"}}, "options of the regime"),
    ],
)
def test_other_conditions_are_refused(
    stores: tuple[Path, Path], parts: dict[str, Any], words: str
) -> None:
    store_record(stores[1], BASE, parts=parts)
    with pytest.raises(InputError) as told:
        check(*stores)
    assert words in str(told.value)


def test_precision_and_batch_may_differ(stores: tuple[Path, Path]) -> None:
    store_record(
        stores[1], flipped(BASE, 1, 1), parts={"dtype": "bfloat16"}, cell={"dtype": "bfloat16"}
    )
    assert check(*stores).outcome == "pass"


def test_one_model_can_stand_for_another(stores: tuple[Path, Path]) -> None:
    store_record(stores[1], flipped(BASE, 80, 0), model="gpt-small")
    assert check(*stores).missing
    found = check(*stores, renamed={"gpt": "gpt-small"})
    assert found.verdicts[0].name == f"gpt zeroshot {TASK} -> gpt-small"
    assert found.outcome == "fail" and not found.missing
    with pytest.raises(InputError, match="the baseline has no model or regime 'gtp'"):
        check(*stores, renamed={"gtp": "gpt-small"})


def test_one_regime_can_stand_for_another(stores: tuple[Path, Path]) -> None:
    store_record(
        stores[1], flipped(BASE, 80, 0), regime="fewshot:4", parts={"options": {"shots": 4}}
    )
    assert check(*stores, renamed={"zeroshot": "fewshot:4"}).outcome == "fail"


def test_a_suite_is_a_scope(stores: tuple[Path, Path]) -> None:
    assert compare(stores, 0, 0, suite="mini").outcome == "pass"
    with pytest.raises(InputError, match="nothing is comparable"):
        check(*stores, suite="core")


def test_a_cell_the_baseline_failed_at_is_not_compared(stores: tuple[Path, Path]) -> None:
    records.write(
        stores[0], made_record("bert", TASK, status="failed", cell=failed_cell("bert")), None
    )
    found = compare(stores, 0, 0)
    assert found.outcome == "pass"
    assert found.skipped == [f"bert zeroshot {TASK}: failed (because) in the baseline"]


def test_names_decide_where_a_map_parts(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    options = {"rank": 8, "lr": 0.1}
    store_record(base, BASE, regime="lora:lr=0.1", seed=0)
    store_record(new, BASE, regime="lora:rank=8+lr=0.1", seed=0, parts={"options": options})
    found = check(base, new, renamed=["lora:lr=0.1=lora:rank=8+lr=0.1"])
    assert len(found.verdicts) == 1
    with pytest.raises(InputError, match="give OLD=NEW"):
        check(base, new, renamed=["lora"])
    same = tmp_path / "same"
    store_record(same, BASE, regime="lora:lr=0.1+rank=8", seed=0, parts={"options": options})
    assert check(same, new).outcome == "pass"  # the order of options says nothing


def test_untrained_and_trained_regimes_can_be_mapped(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE, prompts=2)
    seeded(new, [600, 605, 595])
    one = check(base, new, renamed={"zeroshot": "lora"}).verdicts[0]
    assert (one.seeds, one.outcome) == ((1, 3), "fail")
    back = check(new, base, renamed={"lora": "zeroshot"}).verdicts[0]
    assert (back.seeds, back.outcome, back.gained) == ((3, 1), "pass", True)


def test_a_map_of_regimes_relaxes_no_other_pair(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for store, train in ((base, "one"), (new, "other")):
        seeded(store, [700, 701, 702])
        store_record(store, BASE, regime="full", seed=0)
        store_record(store, BASE, regime="bitfit", seed=0, parts={"train": {"train": train}})
    found = check(base, new, renamed={"full": "lora"})
    assert found.exit_code() == 2 and "bitfit" in found.unlike[0]
    assert [one.name for one in found.verdicts] == [f"gpt full {TASK} -> lora", f"gpt lora {TASK}"]


def test_regimes_are_held_against_each_other_on_the_same_training_data(tmp_path: Path) -> None:
    """Sizes of a learning curve stand in one store; the newest of them is not every size's."""
    store, right = tmp_path / "store", {20: (600, 590), 54: (700, 500), 90: (650, None)}
    for cap, (full, lora) in right.items():
        for regime, count in (("full", full), ("lora", lora)):
            if count is not None:
                store_record(
                    store, flipped(BASE, len(BASE) - count, 0), regime=regime, seed=0,
                    parts={"train": {"train": cap}}, cell={"train_limit": cap},
                )  # fmt: skip
    found = check(store, store, renamed={"full": "lora"})
    names = [f"gpt full {TASK} ({cap} training examples) -> lora" for cap in (20, 54)]
    assert [one.name for one in found.verdicts if "->" in one.name] == names
    assert [f"gpt full {TASK} seed 0 (90 training examples): not in the candidate"] == found.missing


def test_another_number_of_prompts_is_no_permutation(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE, prompts=2)
    store_record(new, flipped(BASE, 90, 0), regime="embed", prompts=1)
    one = check(base, new, renamed={"zeroshot": "embed"}).verdicts[0]
    assert (one.test, one.outcome) == ("paired bootstrap", "fail")


def half(**cell: Any) -> dict[str, Any]:
    return {"parts": {"dtype": "bfloat16"}, "cell": {"dtype": "bfloat16", **cell}}


def test_another_precision_stands_in_only_where_it_is_free(stores: tuple[Path, Path]) -> None:
    base, new = stores
    store_record(new, flipped(BASE, 1, 1), **half())
    assert check(base, new).verdicts[0].name.endswith("-> (bfloat16)")
    store_record(base, BASE, **half())
    found = check(base, new)  # float32 has no counterpart of its own any more
    assert found.missing == [f"gpt zeroshot {TASK}: not in the candidate"]
    assert len(found.verdicts) == 1


def test_a_failed_cell_is_not_hidden_by_another_precision(stores: tuple[Path, Path]) -> None:
    base, new = stores
    store_record(new, BASE, **half())
    records.write(new, made_record("gpt", TASK, status="failed", cell=failed_cell("gpt")), None)
    assert check(base, new).missing == [f"gpt zeroshot {TASK}: failed (because) in the candidate"]


def test_a_cap_that_the_candidate_lacks_is_missing(stores: tuple[Path, Path]) -> None:
    base, new = stores
    capped = {"parts": {"data": {"validation": "a hundred"}}, "cell": {"limit": 100}}
    store_record(base, credits(100, 70), **capped)
    found = compare(stores, 1, 1)
    assert found.missing == [f"gpt zeroshot {TASK} (cap 100): not in the candidate"]
    store_record(new, credits(100, 70), **capped)
    assert check(base, new).outcome == "pass"


def at(time: str, **more: Any) -> dict[str, Any]:
    """Parts of a record that was made at this time, of weights of its own."""
    return {"parts": {"weights": time}, **more}


def when(store: Path, record: Record, time: str, status: str = "done") -> None:
    """Date a stored record, and let it fail."""
    record.provenance["time"] = time
    if status == "failed":
        record.status, record.reason, record.headline, record.results = "failed", "why", None, []
        records.write(store, record, None)
    else:
        folder = store / records.folder_name(record.cell)
        records.write(store, record, records.read_outcomes(folder))


@pytest.mark.parametrize("later", ["failed", "done"])
def test_of_a_cell_run_twice_the_last_one_counts(stores: tuple[Path, Path], later: str) -> None:
    base, new = stores
    early, late = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"
    when(new, store_record(new, BASE, **at("old")), early if later == "failed" else late)
    other = store_record(new, BASE, **at("new"))
    when(new, other, late if later == "failed" else early, "failed")
    found = check(base, new)
    assert found.outcome == ("fail" if later == "failed" else "pass")
    assert ("failed (why)" in "".join(found.missing)) == (later == "failed")


def test_another_precision_hides_no_record_that_does_not_compare(
    stores: tuple[Path, Path],
) -> None:
    base, new = stores
    store_record(new, flipped(BASE, 300, 0), parts={"prompts": "others"})
    store_record(new, BASE, **half())
    with pytest.raises(InputError, match="same conditions: prompts"):
        check(base, new)


def test_all_that_does_not_compare_is_told_beside_the_rest(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for model in ("a", "b", "c", "d"):
        store_record(base, BASE, model=model)
    store_record(new, flipped(BASE, 200, 0), model="a")
    for model in ("b", "c"):
        store_record(new, BASE, model=model, parts={"weights": model, "prompts": "others"})
    found = check(base, new)
    assert found.exit_code() == found.exit_code(allow_inconclusive=True) == 2
    assert [one.outcome for one in found.verdicts] == ["fail"]
    assert len(found.unlike) == 2 and len(found.missing) == 1
    text = to_markdown(found)
    assert "not comparable: 2 not comparable, 1 missing, 1 fail" in text
    with pytest.raises(AssertionError, match="not comparable"):
        assert_no_regression(base, new)


def test_other_right_answers_are_refused(stores: tuple[Path, Path]) -> None:
    base, new = stores
    store_record(new, BASE, targets=[0] * 999 + [1])
    with pytest.raises(InputError, match=f"gpt zeroshot {TASK}: .*other right answers"):
        check(base, new)


def test_a_regime_stands_for_no_model(stores: tuple[Path, Path]) -> None:
    base, new = stores
    store_record(new, BASE, model="t5")
    with pytest.raises(InputError, match="--map zeroshot=t5"):
        check(base, new, renamed=["zeroshot=t5"])


def test_one_name_stands_for_one_other(stores: tuple[Path, Path]) -> None:
    base, new = stores
    store_record(new, BASE, model="t5")
    store_record(new, BASE, model="bert")
    with pytest.raises(InputError, match="twice"):
        check(base, new, renamed=["gpt=t5", "gpt=bert"])


def test_a_failed_run_of_another_cap_or_seed_is_no_fault(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    store_record(base, BASE, regime="fewshot", seed=0)
    store_record(new, flipped(BASE, 3, 3), regime="fewshot", seed=0)
    store_record(new, flipped(BASE, 3, 3))
    late = "2027-01-01T00:00:00+00:00"
    capped = {"parts": {"data": {"validation": "10"}}, "cell": {"limit": 10}}
    when(new, store_record(new, BASE, **capped), late, "failed")
    when(new, store_record(new, BASE, regime="fewshot", seed=1), late, "failed")
    found = check(base, new)
    assert found.outcome == "pass" and len(found.verdicts) == 2 and not found.missing


def test_broken_outcomes_hide_no_other_verdict(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for model in ("a", "b"):
        store_record(base, BASE, model=model)
        store_record(new, flipped(BASE, 200, 0), model=model)
    torn = records.store_folders(new)[1] / "outcomes.parquet"
    torn.write_bytes(torn.read_bytes()[:-9])
    found = check(base, new)
    assert [one.outcome for one in found.verdicts] == ["fail"]
    assert "truncated" in found.unlike[0] and found.exit_code() == 2
    assert found.to_json()["outcome"] == found.outcome == "not comparable"
