"""`bench run --task lm-eval:...`: whatever changes a request is another record, a move is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import InputError
from tests.integrations.harness import write_tasks


def test_an_edited_file_or_document_is_another_record(run, folder):
    [first], [again] = run(), run()
    assert again == first
    path = folder / "choice.yaml"
    path.write_text(path.read_text().replace("good or bad?", "bad or good?"))
    [edited] = run()
    assert edited.key != first.key
    data = folder / "validation.jsonl"
    data.write_text(data.read_text().replace("keeper", "miller"))
    assert run()[0].key not in (first.key, edited.key)


FUNCTIONS = """
from pathlib import Path
SCALE = 1
def helper(doc): return doc["text"] + " It is"
def to_text(doc): return helper(doc)
def shown(doc): return (Path(__file__).parent / "words.txt").read_text() + doc["text"]
def judge(doc, results): return {"acc": SCALE * int(results[0][0] > results[1][0])}
"""


@pytest.fixture
def own_code(folder: Path) -> Path:
    """Let `made_choice` take its functions from a file beside it, which is given back."""
    path = folder / "choice.yaml"
    lines = path.read_text().splitlines()
    metric = "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]"
    kept = [line for line in lines if "doc_to_text" not in line and "metric" not in line]
    more = ["doc_to_text: !function own.to_text", "process_results: !function own.judge", metric]
    path.write_text("\n".join([*kept, *more]))
    (folder / "own.py").write_text(FUNCTIONS)
    return folder / "own.py"


@pytest.mark.parametrize(
    ("old", "new"), [(' It is"', ' Is it"'), ("SCALE = 1", "SCALE = 2")], ids=["helper", "constant"]
)
def test_edited_code_is_another_record(run, own_code, old, new):
    [first] = run(limit=5)
    assert first.status == "done", first.reason
    assert run(limit=5)[0] == first
    own_code.write_text(FUNCTIONS.replace(old, new))
    assert run(limit=5)[0].key != first.key


def test_whatever_changes_a_request_is_another_record(run, folder, own_code):
    """A function that reads a file: no text of the task's own changes."""
    words = folder / "words.txt"
    words.write_text("One. ")
    own_code.write_text(FUNCTIONS.replace("return helper(doc)", "return shown(doc)"))
    [first], [shot] = run(limit=5), run(limit=5, regime="fewshot:1")
    assert (run(limit=5), run(limit=5, regime="fewshot:1")) == ([first], [shot])
    words.write_text("Two. ")
    assert run(limit=5)[0].key != first.key
    assert run(limit=5, regime="fewshot:1")[0].key != shot.key


def test_demonstrations_that_read_a_file_are_part_of_the_record(run, folder, own_code):
    path, words = folder / "choice.yaml", folder / "words.txt"
    path.write_text(path.read_text() + "\nfewshot_config: {doc_to_text: !function own.shown}\n")
    words.write_text("One. ")
    [zero], [shot] = run(limit=5), run(limit=5, regime="fewshot:1")
    words.write_text("Two. ")
    assert run(limit=5) == [zero] and run(limit=5, regime="fewshot:1")[0].key != shot.key


def test_code_that_fails_is_one_clear_line(run, own_code):
    own_code.write_text(FUNCTIONS.replace('doc["text"]', '{"0": doc["text"]}[doc["text"][-1]]', 1))
    with pytest.raises(InputError, match="requests cannot be made: .*KeyError") as caught:
        run()
    assert "\n" not in str(caught.value)


def test_a_moved_folder_is_the_same_record(run, folder, tmp_path):
    [first] = run()
    other = write_tasks(tmp_path / "elsewhere")
    [moved] = run(tasks_dir=[other], force=True)
    assert moved.key == first.key
    [by_file] = run(str(other / "choice.yaml"), tasks_dir=[], force=True)
    assert by_file.key == first.key and by_file.cell["task"] == "lm-eval:made_choice"
