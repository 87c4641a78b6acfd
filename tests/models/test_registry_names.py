"""Names of models: bundled ones, steps, folders, plugins and the hub."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.models import hub, registry
from benchsuite.models.registry import describe_models, list_models, load_model, resolve_model
from tests.models.conftest import refused, unresolved
from tests.tiny import tiny_gpt2


@pytest.fixture
def bundled(tiny_gpt2_folder, tmp_path, monkeypatch) -> Path:
    """A baselines folder with the one model `small`."""
    shutil.copytree(tiny_gpt2_folder, tmp_path / "baselines" / "models" / "small")
    (tmp_path / "baselines" / "models" / "empty").mkdir()
    monkeypatch.setattr(registry, "baselines_root", lambda: tmp_path / "baselines")
    return tmp_path / "baselines" / "models" / "small"


def test_bundled_models_and_their_metadata(bundled):
    (bundled / "benchsuite.json").write_text('{"seen_in_pretraining": ["race"]}')
    assert [ref.name for ref in list_models()] == ["small"]
    assert load_model("small").path == bundled
    assert resolve_model("small").metadata == {"seen_in_pretraining": ["race"]}
    assert resolve_model("small:untrained").metadata == {}
    (row,) = describe_models()
    assert (row["name"], row["family"], row["path"]) == ("small", "decoder", str(bundled))
    (bundled / "benchsuite.json").write_text("{")
    refused("small", "not valid JSON")


def test_pretraining_steps(bundled, tiny_gpt2_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = "`bench pretrain baselines/recipes/small.yaml --corpus DIR --out runs/pretrain/small`"
    refused("small@64", "no runs/pretrain/small/step-64;", command)
    for step in (1024, 64, 128):
        shutil.copytree(tiny_gpt2_folder, f"runs/pretrain/small/step-{step}")
    tiny_gpt2(tmp_path / "runs/pretrain/small/step-64", seed=1)
    (tmp_path / "runs/pretrain/small/step-old").mkdir()
    ref = resolve_model("small@64")
    assert (ref.path, ref.revision) == (Path("runs/pretrain/small/step-64"), "64")
    assert ref.weights_hash != resolve_model("small").weights_hash
    refused("small@256", "no runs/pretrain/small/step-256 (steps there: 64, 128, 1024)", command)
    refused("smal@64", "did you mean 'small@64'?")
    assert [row["steps"] for row in describe_models()] == [[64, 128, 1024]]

    assert resolve_model("./runs/pretrain/small@64").path == Path("runs/pretrain/small/step-64")
    refused("./runs/pretrain/small@7", "no runs/pretrain/small/step-7 (steps there: 64, 128, 1024)")
    refused("./runs/pretrain/none@64", "no such folder")


@pytest.mark.parametrize("step", ["", "x", "-1", "0", "064", "1.5", "1_000", "٦٤", "/../step-64"])
def test_what_is_no_step(step, bundled, tiny_gpt2_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_gpt2_folder, "runs/pretrain/small/step-64")
    unresolved(f"small@{step}", "after @ comes a pretraining step, a whole number above 0")
    if "/" not in step:
        unresolved(f"./runs/pretrain/small@{step}", "after @ comes a pretraining step")


def test_a_step_is_not_untrained(bundled, tiny_gpt2_folder, tmp_path, monkeypatch):
    """It would be the untrained model of the name without the step, under another name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_gpt2_folder, "runs/pretrain/small/step-64")
    for name in ("small", "./runs/pretrain/small"):
        unresolved(f"{name}@64:untrained", "a step is trained; leave out @64 or :untrained")


def test_a_path_may_hold_an_at_sign(folder, tmp_path):
    odd = Path(shutil.copytree(folder, tmp_path / "a@b" / "model@2"))
    assert (resolve_model(str(odd)).path, resolve_model(str(odd)).revision) == (odd, "")
    assert resolve_model(f"{odd}:untrained").untrained
    unresolved(str(tmp_path / "a@b" / "none"), "no such folder")


def test_how_far_a_checkpoint_was_trained(bundled):
    """T and FLOPs of a million tokens at 41 million FLOPs each; a run is known by its recipe."""

    def said(**metadata):
        (bundled / "benchsuite.json").write_text(json.dumps(metadata))
        return resolve_model("small").pretraining

    assert said() is None
    run = {"tokens": 1_000_000, "steps": 64, "recipe": {"name": "small", "seed": 0}}
    first = said(**run, flops_per_token=41e6)
    assert first == {"step": 64, "tokens": 10**6, "flops": 41 * 10**12, "recipe": first["recipe"]}
    assert said(**run) == {**first, "flops": None}
    assert said(**{**run, "steps": 128}) == {**first, "step": 128, "flops": None}
    other = said(**{**run, "recipe": {"name": "small", "seed": 1}})
    assert other["recipe"] != first["recipe"] and len(first["recipe"]) == 8
    # Gone on with a second text, it is the same run still.
    gone_on = {"recipe": {"name": "small", "seed": 1}, "texts": [{"recipe": run["recipe"]}, {}]}
    assert said(**run | gone_on) == {**first, "flops": None}
    assert resolve_model("small:untrained").pretraining is None


def test_unknown_names(bundled):
    refused("smal", "unknown model 'smal'", "did you mean 'small'?", "hf:<id>")
    refused("nothing-like-it", "known: small")
    refused("./not/there", "no such folder", "hf:not/there")
    refused("", "unknown model ''")


def test_a_folder_needs_no_slash(folder, bundled, tmp_path, monkeypatch):
    """Unless a known model bears its name, or it holds no checkpoint."""
    monkeypatch.chdir(tmp_path)
    assert load_model("broken").path == Path("broken")
    assert load_model("broken:untrained").ref.untrained
    shutil.copytree(folder, "broken/step-8")
    assert (resolve_model("broken@8").path, resolve_model("broken@8").revision) == (
        Path("broken/step-8"),
        "8",
    )
    shutil.copytree(folder, "small")
    assert resolve_model("small").path == bundled
    assert resolve_model("./small").path == Path("small")
    (tmp_path / "smal").mkdir()
    refused("smal", "unknown model 'smal'", "did you mean 'small'?")
    refused("./smal", "no config.json")
    monkeypatch.chdir(folder)
    refused("", "unknown model ''")


def test_plugins(folder, bundled, monkeypatch):
    point = importlib.metadata.EntryPoint("plug", "shutil:which", registry.ENTRY_POINTS)
    monkeypatch.setattr(type(point), "load", lambda self: lambda: str(folder))
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert [ref.name for ref in list_models()] == ["plug", "small"]
    assert load_model("plug").path == folder


def test_the_hub_cannot_be_reached():
    refused("hf:gpt2@main", "hub cannot be reached", "hf download gpt2")
    refused("hf:a/b/c", "not of the form owner/name")
    unresolved("hf:gpt2@", "after @ comes a revision")
    unresolved("hf:gpt2@2048", "hub cannot be reached")


def test_a_hub_model_is_read_from_the_cache(tiny_gpt2_folder, monkeypatch, tmp_path):
    """Only the files that are read are asked for, and no pickle among them."""
    asked = {}

    def download(hub_id, revision, allow_patterns):
        asked.update(id=hub_id, revision=revision, patterns=allow_patterns)
        return str(shutil.copytree(tiny_gpt2_folder, tmp_path / "abc123", dirs_exist_ok=True))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    ref = resolve_model("hf:owner/small@v1")
    assert (ref.revision, ref.path.name) == ("abc123", "abc123")
    assert (asked["id"], asked["revision"]) == ("owner/small", "v1")
    assert not [pattern for pattern in asked["patterns"] if pattern.endswith((".bin", ".pt", "*"))]
    resolve_model("hf:owner/small:untrained")
    assert asked["revision"] is None
    assert not [pattern for pattern in asked["patterns"] if pattern.endswith(".safetensors")]
    assert hub.SMALL_FILES[0] == "config.json"


def test_names_resolve_without_heavy_imports(tiny_gpt2_folder):
    code = (
        "import sys; from benchsuite.models.registry import resolve_model, list_models;"
        "import benchsuite.scoring; list_models(); resolve_model(sys.argv[1]);"
        "print(sorted({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tiny_gpt2_folder)], capture_output=True, text=True
    )
    assert found.stdout.strip() == "[]", found.stderr
