"""The command line: what it prints, how it exits, what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.cli import main
from tests.tiny import tiny_gpt2

HEAVY = ("torch", "transformers", "datasets", "pandas", "sklearn", "scipy", "pyarrow", "lm_eval")


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run `bench` in this process; its exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny decoder on disk."""
    return str(tiny_gpt2(tmp_path_factory.mktemp("cli") / "tiny"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom benchsuite.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: bench" in found.stdout
    assert found.stdout.splitlines()[-1] == "HEAVY []"


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        *("run", "tasks", "models", "regimes", "show", "report", "doctor", "pretrain"),
        *("data status", "data pull", "tokenizer train", "tokenizer encode", "tokenizer report"),
    ):
        code, out, _ = bench(capsys, *command.split(), "--help")
        assert code == 0 and "Usage" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--model", "gtp"], "gpt"),
        (["run", "--model", ""], "--model"),
        (["run", "--model", "hf:"], "hf:"),
        (["run", "--task", "mini/sentimant"], "mini/sentiment"),
        (["run", "--task", ""], "--task"),
        (["run", "--task", "mini/sentiment,"], "--task"),
        (["run", "--suite", "minni"], "mini"),
        (["run", "--suite", "mini", "--task", "mini/sentiment"], "not both"),
        (["run", "--regime", "zeroshoot"], "zeroshot"),
        (["run", "--regime", "zeroshot:treshold=tuned"], "threshold"),
        (["run", "--regime", "zeroshot:threshold=best"], "threshold"),
        (["run", "--regime", "zeroshot:3"], "zeroshot"),
        (["run", "--seeds", "x"], "seeds"),
        (["run", "--limit", "-1"], "--limit"),
        (["run", "--dtype", "int8"], "float32"),
        (["run", "--score", "best"], "own or all"),
        (["run", "--device", "tpu"], "cpu"),
        (["run", "--task", "mini/sentiment", "--prompt", "nope"], "nope"),
        (["run", "--task", "mini/sentiment", "--split", "nope"], "nope"),
        (["run", "--no-such-option"], "--no-such-option"),
        (["run", "--store", "/proc/nowhere"], "/proc/nowhere"),
        (["run", "--tasks-dir", "/no/such/folder"], "/no/such/folder"),
        (["show", "nothing"], "nothing"),
        (["report", "--store", "/no/such/store"], "no records"),
        (["tasks", "glue/sst"], "glue/sst2"),
        (["tasks", "--validate", "/no/such/folder"], "/no/such/folder"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    capsys: pytest.CaptureFixture[str],
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "run" and "--model" not in arguments:
        arguments = [*arguments, "--model", model]
    code, out, err = bench(capsys, *arguments)
    assert code == 2
    assert says in err and len(err.strip().splitlines()) == 1 and err.startswith("bench: ")
    assert "Traceback" not in err and not out
    assert not (tmp_path / "runs").exists()


def broken_input(kind: str, folder: Path) -> tuple[list[str], str]:
    """Make one broken thing in `folder`; the arguments that meet it and what the line must say."""
    table = folder / "nyu-mll" / "glue" / "sst2" / "validation.parquet"
    table.parent.mkdir(parents=True)
    rows = pa.table({"sentence": ["a", "b"] * 50, "label": [0, 1] * 50, "idx": list(range(100))})
    if kind == "missing column":
        pq.write_table(rows.rename_columns(["sentense", "label", "idx"]), table)
        return ["--task", "glue/sst2"], "sentense"
    pq.write_table(rows, table)
    if kind == "truncated mirror file":
        table.write_bytes(table.read_bytes()[:-40])
        return ["--task", "glue/sst2"], "validation.parquet"
    if kind == "truncated mirror file in a suite":
        table.write_bytes(table.read_bytes()[:-40])
        return ["--suite", "core"], "validation.parquet"
    if kind == "malformed YAML":
        (folder / "bad.yaml").write_text("version: 1\nkind: [classification\n")
        return ["--tasks-dir", str(folder), "--task", "bad"], "bad.yaml:"
    if kind == "unknown key":
        (folder / "bad.yaml").write_text("version: 1\nkindd: classification\n")
        return ["--tasks-dir", str(folder), "--task", "bad"], "did you mean `kind`"
    assert kind == "pickle-only checkpoint"
    model = tiny_gpt2(folder / "pickled")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    return ["--task", "mini/sentiment", "--model", str(model)], "safetensors"


@pytest.mark.parametrize(
    "kind",
    [
        "truncated mirror file",
        "truncated mirror file in a suite",
        "missing column",
        "malformed YAML",
        "unknown key",
        "pickle-only checkpoint",
    ],
)
def test_broken_files_are_one_clear_line_and_exit_2(
    capsys: pytest.CaptureFixture[str],
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setenv("BENCHSUITE_DATA", str(tmp_path))
    arguments, says = broken_input(kind, tmp_path)
    if "--model" not in arguments:
        arguments += ["--model", model]
    capsys.readouterr()
    code, out, err = bench(capsys, "run", *arguments, "--store", str(tmp_path / "store"))
    assert code == 2 and says in err
    assert err.startswith("bench: ") and len(err.strip().splitlines()) == 1 and not out
    assert not (tmp_path / "store").exists()


def test_the_main_job(capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path) -> None:
    arguments = ["run", "--model", model, "--limit", "8", "--store", str(tmp_path / "store")]
    code, out, err = bench(capsys, *arguments)
    assert code == 0, err
    assert "mini/sentiment" in out and "mini" in out and "chance" in out
    report = tmp_path / "store" / "report" / "leaderboard.md"
    assert str(report) in err.replace("\n", "") and "mini/sentiment" in report.read_text()
    code, out, err = bench(capsys, *arguments)
    assert code == 0 and err.count("reused") == 8
    code, out, _ = bench(capsys, *arguments, "--json")
    found = json.loads(out)
    assert len(found) == 8 and {record["status"] for record in found} == {"done"}


def test_show_joins_text_from_local_data(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    bench(capsys, "run", "--model", model, "--limit", "8", "--store", store)
    from benchsuite.tasks.registry import Registry

    for task in Registry().suite("mini").tasks:
        name = task.replace("/", "-").replace("_", "-")
        code, out, err = bench(capsys, "show", name, "--errors", "2", "--store", store, "--json")
        assert code == 0, err
        shown = json.loads(out)
        assert shown["record"]["cell"]["task"] == task
        for row in shown["errors"]:
            assert row["gold"] is not None and row["id"]
        code, out, _ = bench(capsys, "show", name, "--errors", "1", "--store", store)
        assert code == 0 and "provenance" in out


def test_dry_run_runs_nothing(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    code, out, _ = bench(
        capsys, "run", "--model", model, "--store", str(store), "--dry-run", "--json"
    )
    assert code == 0 and len(json.loads(out)) == 8 and not store.exists()


def test_listings_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["tasks"], ["models"], ["regimes"], ["data", "status"], ["doctor"]):
        code, out, err = bench(capsys, *arguments, "--json")
        assert code == 0, err
        assert json.loads(out)


def test_an_interrupt_exits_130(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchsuite.execute._measure", interrupted)
    code, _, err = bench(capsys, "run", "--model", model, "--store", str(tmp_path / "store"))
    assert code == 130 and "interrupted" in err


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["data"]):
        code, out, err = bench(capsys, *arguments)
        assert code == 2 and len((out + err).splitlines()) > 5


def test_an_unreadable_record_in_the_store_costs_nothing(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "record.json").write_text('{"schema_version": 7}')
    arguments = ["run", "--model", model, "--task", "mini/sentiment", "--limit", "4"]
    code, out, err = bench(capsys, *arguments, "--store", str(tmp_path))
    assert code == 0 and "mini/sentiment" in out, err
    text = (tmp_path / "report" / "leaderboard.md").read_text()
    assert "schema version 7" in text and "mini/sentiment" in text


def test_a_closed_pipe_is_no_error(model: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m benchsuite tasks --json | head -c 10; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert found.returncode == 0 and not found.stderr


def test_all_scores_are_shown_and_the_own_marked(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    settings = ["--task", "mini/choice", "--limit", "4", "--score", "all", "--store", store]
    code, out, err = bench(capsys, "run", "--model", model, *settings, "--json")
    assert code == 0, err
    [record] = json.loads(out)
    own = {(row["prompt"], row["norm"]) for row in record["results"] if row["primary"]}
    assert own == {("question-answer", "token"), ("plain", "byte")}
    assert {row["score"] for row in record["results"]} == {"sum", "pmi"}
    code, out, _ = bench(capsys, "show", "mini-choice", "--store", store, "--errors", "20")
    assert code == 0 and out.count("*") >= 2 and out.count("predicted:") <= 2 * 4


def test_a_template_that_reaches_for_internals_is_bad_input(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("text,label\nfine,0\npoor,1\n")
    (tmp_path / "t.yaml").write_text(
        "version: 1\nkind: classification\ndescription: d\n"
        "dataset: {files: {validation: t.csv}, train_split: null}\n"
        "fields: {text: text, label: label}\nlabels: [a, b]\nmetrics: [accuracy]\n"
        'prompts: [{name: p, method: cloze, template: "{{ text.__class__.__mro__ }}",'
        ' verbalizers: {a: " a", b: " b"}}]\n'
    )
    store = tmp_path / "store"
    run = ["run", "--model", model, "--task", "t", "--tasks-dir", str(tmp_path)]
    for arguments in (["tasks", "--validate", str(tmp_path)], [*run, "--store", str(store)]):
        code, _, err = bench(capsys, *arguments)
        assert code == 2 and "prompt" in err and len(err.strip().splitlines()) == 1
    assert not store.exists()


def test_a_failed_cell_exits_1(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **settings: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("benchsuite.execute._measure", broken)
    arguments = ["run", "--model", model, "--task", "mini/sentiment"]
    code, out, err = bench(capsys, *arguments, "--store", str(tmp_path / "store"))
    assert code == 1 and "a defect" in err and "failed" in out
