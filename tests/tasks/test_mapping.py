"""Rows -> examples: one table gives one set of examples whatever it came from, and every value
that does not fit is named."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import InputError
from benchsuite.tasks.data import Table
from benchsuite.tasks.example import Example
from benchsuite.tasks.mapping import data_hash, examples_of
from benchsuite.tasks.task import SplitData, Task
from tests.tasks.tables import (
    SPECS,
    TABLES,
    WRITERS,
    Columns,
    hub_dataset,
    hub_of,
    make_spec,
    write_parquet,
)

TARGETS: dict[str, list[Any]] = {
    "classification": [0, 2, None, 1],
    "regression": [3.8, 0.0, 2.333],
    "tagging": [(3, 0, 0), (1, 2)],
    "span": [("1973", "in 1973"), ()],
    "choice": [0, 1, 1],
    "minimal_pair": [0, 0],
}


def examples(kind: str, columns: Columns, **changes: Any) -> list[Example]:
    table = Table("x.jsonl", "files", columns, len(next(iter(columns.values()))))
    return examples_of(make_spec(kind, hub_dataset(), **changes), table, "validation", "")


@pytest.mark.parametrize("kind", TABLES)
def test_each_kind_is_mapped(kind: str) -> None:
    found = examples(kind, TABLES[kind])
    assert [one.target for one in found] == TARGETS[kind]
    inputs = [
        name for name in SPECS[kind]["fields"] if name not in ("id", "label", "tags", "answers")
    ]
    for row, one in enumerate(found):
        assert one.fields == {
            name: TABLES[kind][SPECS[kind]["fields"][name]][row] for name in inputs
        }


@pytest.mark.parametrize("kind", TABLES)
def test_mirror_hub_and_files_agree(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same table through five ways in: the same examples and the same canonical hash."""
    table = TABLES[kind]
    monkeypatch.setenv("BENCHSUITE_DATA", str(tmp_path / "mirror"))
    hub_task = make_spec(kind, hub_dataset())
    (tmp_path / "mirror").mkdir()
    hub = hub_of({("owner/name", "config", "validation"): table})
    found: dict[str, SplitData] = {"hub": Task(hub_task, load_dataset=hub).evaluation("validation")}
    write_parquet(tmp_path / "mirror/owner/name/config/validation.parquet", table)
    found["mirror"] = Task(hub_task).evaluation("validation")
    for suffix, write in WRITERS.items():
        write(tmp_path / f"x.{suffix}", table)
        dataset = {"files": {"validation": f"x.{suffix}"}, "train_split": None}
        files_task = make_spec(kind, dataset, source=str(tmp_path / "task.yaml"))
        found[suffix] = Task(files_task).evaluation("validation")
    assert [one.source for one in found.values()] == ["hub", "mirror", "files", "files", "files"]
    assert len({one.hash for one in found.values()}) == 1
    assert all(one.examples == found["hub"].examples for one in found.values())


def test_the_hub_s_class_labels_and_single_precision_agree_with_plain_columns() -> None:
    """The hub codes GLUE's labels as ClassLabel and STS-B's as float32."""
    import datasets

    def typed(kind: str, feature: Any) -> list[Example]:
        plain = datasets.Dataset.from_dict(TABLES[kind])
        typed = plain.cast_column("label", feature)
        spec = make_spec(kind, hub_dataset())
        task = Task(spec, load_dataset=lambda *rest, **keys: typed)
        return task.evaluation("validation").examples

    names = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])
    assert data_hash(typed("classification", names)) == data_hash(
        examples("classification", TABLES["classification"])
    )
    assert data_hash(typed("regression", datasets.Value("float32"))) == data_hash(
        examples("regression", TABLES["regression"])
    )


def test_the_hash_is_sha256_of_canonical_json() -> None:
    """Written out by hand once, so that it cannot move unseen (records compare by it)."""
    table = {"premise": ["é"], "hypothesis": ['"'], "label": [2], "idx": [7]}
    found = examples("classification", table)
    cluster = hashlib.sha256(b"\x1f7").hexdigest()[:16]
    text = (
        f'{{"cluster":"{cluster}","fields":{{"text":"é","text_pair":"\\""}},"group":"","id":"7",'
        '"subset":"","target":2}\n'
    )
    assert json.loads(text)  # it is JSON
    assert data_hash(found) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("column", ["premise", "hypothesis", "label", "idx"])
def test_the_hash_sees_every_column_in_use(column: str) -> None:
    table = TABLES["classification"]
    changed = {**table, column: [table[column][1], table[column][0], *table[column][2:]]}
    assert data_hash(examples("classification", changed)) != data_hash(
        examples("classification", table)
    )


def test_the_hash_sees_the_order_and_no_unicode_normalization() -> None:
    found = examples("classification", TABLES["classification"])
    assert data_hash(found) != data_hash(found[::-1])
    one, other = (
        {"premise": [text], "hypothesis": ["b"], "label": [0], "idx": [1]}
        for text in ("\u00e9", "e\u0301")
    )
    assert data_hash(examples("classification", one)) != data_hash(
        examples("classification", other)
    )


def label(kind: str, value: Any, **changes: Any) -> Any:
    """The target a single label value gives."""
    column = SPECS[kind]["fields"]["label"]
    row = {name: [values[0]] for name, values in TABLES[kind].items()}
    return examples(kind, {**row, column: [value]}, **changes)[0].target


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (2, 2),
        ("contradiction", 2),
        ("2", 2),
        (2.0, 2),
        (-1, None),
        ("-1", None),
        (None, None),
        ("", None),
    ],
)
def test_a_class_is_an_index_or_a_name(value: Any, target: int | None) -> None:
    assert label("classification", value) == target


@pytest.mark.parametrize("value", [3, -2, "contradictoin", 1.5, True, "1.0.0", [1], float("nan")])
def test_a_label_outside_the_coding_names_the_row(value: Any) -> None:
    with pytest.raises(InputError, match=r"x\.jsonl, row 1: label"):
        label("classification", value)


def test_names_that_are_numbers_are_matched_as_names_and_never_guessed() -> None:
    stars = {"labels": ["1", "2", "3"]}
    assert label("classification", "1", **stars) == 0
    with pytest.raises(InputError, match="ambiguous"):
        label("classification", 1, **stars)
    assert label("classification", 1, labels=["0", "1"]) == 1


@pytest.mark.parametrize(
    ("value", "target"), [(2.5, 2.5), ("3.8", 3.8), (5, 5.0), (-1.0, None), (None, None)]
)
def test_a_rating_is_a_number(value: Any, target: float | None) -> None:
    assert label("regression", value) == target


def test_minus_one_within_the_range_is_a_rating() -> None:
    assert label("regression", -1, range=(-2, 2)) == -1.0


@pytest.mark.parametrize("value", [5.1, -0.5, "high", float("nan"), float("inf"), True, [1.0]])
def test_a_rating_outside_the_range_names_the_row(value: Any) -> None:
    with pytest.raises(InputError, match=r"row 1: label .* is not a number between 0.0 and 5.0"):
        label("regression", value)


@pytest.mark.parametrize(
    ("value", "target"), [("B", 1), (1, 1), ("1", 1), ("c, d", 1), (-1, None), (None, None)]
)
def test_a_choice_is_an_index_a_letter_or_the_option(value: Any, target: int | None) -> None:
    table = {name: [values[0]] for name, values in TABLES["choice"].items()}
    table = {**table, "options": [["a b", "c, d"]], "answer": [value]}
    assert examples("choice", table)[0].target == target


@pytest.mark.parametrize("value", ["C", 2, "a", "same", 0.5])
def test_a_choice_outside_the_options_names_the_row(value: Any) -> None:
    table = {name: [values[0]] for name, values in TABLES["choice"].items()}
    table = {**table, "options": [["same", "same"]], "answer": [value]}
    with pytest.raises(InputError, match="row 1: label .* the 2 options"):
        examples("choice", table)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ({"text": ["a", "b"], "answer_start": [0, 1]}, ("a", "b")),
        ({"text": [], "answer_start": []}, ()),
        ([{"text": "a", "answer_start": 0}], ("a",)),
        (["a"], ("a",)),
        ("Paris", ("Paris",)),
        ('{"text": ["a"]}', ("a",)),
        ('["a"]', ("a",)),
        ("", ()),
        ([], ()),
        (None, None),
    ],
)
def test_answers_as_the_hub_json_or_a_csv_spells_them(value: Any, target: Any) -> None:
    table = {"id": ["1"], "context": ["c"], "question": ["q"], "answers": [value]}
    assert examples("span", table)[0].target == target


@pytest.mark.parametrize(
    ("value", "starts"),
    [
        ({"text": ["b", "c d"], "answer_start": [2, 4]}, (2, 4)),
        ([{"text": "b", "answer_start": 6}, {"text": "a", "answer_start": 0}], (6, 0)),
        ('{"text": ["b"], "answer_start": [6]}', (6,)),
        # Another text stands there, places are missing, or there are none.
        ({"text": ["b"], "answer_start": [3]}, ()),
        ({"text": ["b", "a"], "answer_start": [2]}, ()),
        ({"text": ["b"]}, ()),
        (["b"], ()),
        ("b", ()),
        ([], ()),
        (None, ()),
    ],
)
def test_places_of_answers_are_kept_where_they_hold(value: Any, starts: tuple[int, ...]) -> None:
    table = {"id": ["1"], "context": ["a b c d"], "question": ["q"], "answers": [value]}
    if 6 in starts:
        table["context"] = ["a b c b"]
    [example] = examples("span", table)
    assert example.starts == starts
    assert (data_hash([example]) == data_hash([replace(example, starts=())])) == (starts == ())


@pytest.mark.parametrize("value", [{"answer": ["a"]}, {"text": [1]}, 3, "[1"])
def test_answers_that_are_none_name_the_row(value: Any) -> None:
    table = {"id": ["1"], "context": ["c"], "question": ["q"], "answers": [value]}
    with pytest.raises(InputError, match="row 1: `answers`"):
        examples("span", table)


@pytest.mark.parametrize("tags", [["B-PER", "O"], [1, 0], '["B-PER", "O"]', "[1, 0]"])
def test_tags_are_indices_or_names(tags: Any) -> None:
    table = {"id": ["1"], "tokens": [["Tim", "ran"]], "ner_tags": [tags]}
    assert examples("tagging", table)[0].target == (1, 0)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([1], "2 tokens but 1 tags"),
        ([1, 5], "tag 5 is neither one of O, B-PER"),
        ([1, -1], "tag -1 is neither"),
        ([1, None], "tag null is neither"),
        (["B-PER", "I-LOC"], "tag 'I-LOC' is neither"),
        ("B-PER O", "`tags` must be a list"),
        (3, "`tags` must be a list"),
    ],
)
def test_tags_that_do_not_fit_name_the_row(tags: Any, expected: str) -> None:
    table = {"id": ["1"], "tokens": [["Tim", "ran"]], "ner_tags": [tags]}
    with pytest.raises(InputError, match=f"x.jsonl, row 1: .*{re.escape(expected)}"):
        examples("tagging", table)


@pytest.mark.parametrize(
    ("kind", "column", "value", "expected"),
    [
        ("classification", "premise", 3, "`text` must be text, not 3"),
        ("classification", "premise", None, "`text` must be text, not null"),
        ("tagging", "tokens", "EU rejects", "`tokens` must be a list"),
        ("tagging", "tokens", [], "`tokens` has 0 entries"),
        ("choice", "options", ["one"], "`options` has 1 entries"),
        ("choice", "options", ["a", 2], "`options` must be a list of texts"),
        ("classification", "idx", None, "id in column 'idx' is null"),
        ("classification", "idx", 1.5, "id in column 'idx' is 1.5"),
    ],
)
def test_a_field_of_the_wrong_type_names_the_row(
    kind: str, column: str, value: Any, expected: str
) -> None:
    table = {name: list(values) for name, values in TABLES[kind].items()}
    table[column][1] = value
    with pytest.raises(InputError, match=f"x.jsonl, row 2: .*{re.escape(expected)}"):
        examples(kind, table)


def test_messages_stay_on_one_short_line() -> None:
    with pytest.raises(InputError) as caught:
        label("classification", "a\nlong label " * 50)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_repeated_ids_are_told_apart() -> None:
    """RACE's id is the passage's."""
    found = examples("choice", TABLES["choice"])
    assert [one.id for one in found] == ["high1.txt", "high1.txt#2", "high2.txt"]


def test_an_id_that_looks_like_a_repeat_stays_unique() -> None:
    table = {**TABLES["classification"], "idx": ["a", "a#2", "a", "a"]}
    ids = [one.id for one in examples("classification", table)]
    assert ids[:2] == ["a", "a#2"] and len(set(ids)) == 4


def test_the_row_index_is_the_id_where_none_is_mapped() -> None:
    assert [one.id for one in examples("regression", TABLES["regression"])] == ["0", "1", "2"]


def test_examples_of_a_passage_share_a_cluster_and_no_text() -> None:
    first, second, third = (one.cluster for one in examples("choice", TABLES["choice"]))
    assert first == second != third
    assert all(re.fullmatch("[0-9a-f]{16}", cluster) for cluster in (first, third))


def test_a_cluster_can_be_a_column_that_is_no_field() -> None:
    table = {**TABLES["classification"], "source": ["x", "y", "x", None]}
    clusters = [one.cluster for one in examples("classification", table, cluster="source")]
    assert clusters[0] == clusters[2] and len(set(clusters)) == 3


def test_without_a_cluster_each_example_is_its_own_in_every_subset() -> None:
    spec = make_spec("minimal_pair", hub_dataset())
    table = Table("x", "hub", TABLES["minimal_pair"], 2)
    found = [one.cluster for subset in ("a", "b") for one in examples_of(spec, table, "s", subset)]
    assert len(set(found)) == 4


def test_groups_are_the_column_s_values_under_their_names() -> None:
    found = examples("minimal_pair", TABLES["minimal_pair"], group_names={"syntax": "Syntax"})
    assert [one.group for one in found] == ["Syntax", "morphology"]
