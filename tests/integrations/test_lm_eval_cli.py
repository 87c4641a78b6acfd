"""`bench lm-eval` is lm-eval's own command line with one model more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.cli import main
from tests.integrations.harness import evaluate, values, write_tasks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "tasks", rows=12)


@pytest.fixture
def own_tasks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave lm-eval's own tasks unread: that alone takes ten seconds and more."""
    import lm_eval.tasks
    from lm_eval.tasks._index import TaskIndex

    bundled, listed = Path(lm_eval.tasks.__file__).parent, TaskIndex._iter_yaml_files
    monkeypatch.setattr(
        TaskIndex,
        "_iter_yaml_files",
        staticmethod(lambda root: () if root == bundled else listed(root)),
    )


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["lm-eval", *arguments])
    return int(stop.value.code or 0)


# `made_pairs` has a mean only: what lm-eval bootstraps, 100,000 times, takes it minutes.
def settings(model: Path, folder: Path, task: str) -> list[str]:
    return [
        *("--model", "benchsuite", "--model_args", f"pretrained={model},batch_tokens=512"),
        *("--tasks", task, "--include_path", str(folder), "--limit", "7"),
    ]


def check(out: Path, model: Path, folder: Path) -> None:
    """The file lm-eval wrote holds what the model gives in Python."""
    (file,) = out.rglob("results_*.json")
    written = json.loads(file.read_text())
    arguments = {"pretrained": str(model)}
    expected = evaluate("benchsuite", folder, "made_pairs", model_args=arguments, limit=7)
    assert values(written, "made_pairs") == pytest.approx(values(expected, "made_pairs"))
    assert written["config"]["model"] == "benchsuite"
    assert written["config"]["model_family"] == "decoder"


def test_arguments_pass_through_and_results_are_written(
    folder, tiny_gpt2_folder, tmp_path, own_tasks_only, capsys
):
    before = list(sys.argv)
    arguments = settings(tiny_gpt2_folder, folder, "made_pairs")
    assert call(*arguments, "--output_path", str(tmp_path / "out")) == 0
    assert "|made_pairs|" in capsys.readouterr().out and sys.argv == before
    check(tmp_path / "out", tiny_gpt2_folder, folder)


def test_help_and_exit_codes_are_lm_evals(capsys):
    assert call("--help") == 0
    assert "usage: lm-eval" in capsys.readouterr().out
    assert call("run", "--limit", "many") == 2
    assert "invalid float value: 'many'" in capsys.readouterr().err


def test_what_the_engines_refuse_is_one_line(folder, tiny_bert_folder, own_tasks_only, capsys):
    assert call(*settings(tiny_bert_folder, folder, "made_free")) == 2
    error = capsys.readouterr().err
    assert error.strip().splitlines()[-1].startswith("bench: ")
    assert "generates no text" in error
    assert call(*settings(tiny_bert_folder, folder, "made_pairs"), "--apply_chat_template") == 2
    assert "chat templates" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["batch_tokens=abc", "batch_tokens=-5", "max_length=1"])
def test_bad_arguments_of_the_model_are_one_line(folder, own_tasks_only, capsys, wrong):
    arguments = ("--model", "benchsuite", "--model_args", wrong)
    assert call(*arguments, "--tasks", "made_pairs", "--include_path", str(folder)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"bench: model 'benchsuite': {wrong}")
    assert "give a whole number of at least" in last


@pytest.mark.slow
def test_the_installed_command(folder, tiny_gpt2_folder, tmp_path):
    found = subprocess.run(
        [
            *(sys.executable, "-m", "benchsuite", "lm-eval"),
            *settings(tiny_gpt2_folder, folder, "made_pairs"),
            *("--output_path", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    check(tmp_path / "out", tiny_gpt2_folder, folder)
