"""Networks that were adapted, as checkpoints: the same states, what they say, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import benchsuite
from benchsuite.artifacts import load_predictor
from benchsuite.cli import main
from benchsuite.errors import InputError
from benchsuite.models.registry import load_model
from benchsuite.records import folder_name
from benchsuite.training.export import export
from tests.tiny import tiny_models
from tests.training.made import made_task


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = tiny_models(tmp_path_factory.mktemp("export"))
    return {family: str(folder) for family, folder in found.items()}


def trained(model: str, regime: str, folder: Path, kind: str = "classification") -> Path:
    """The folder of a kept cell."""
    made_task(folder / "tasks", kind)
    [record] = benchsuite.run(
        model,
        regime,
        kind,
        keep_artifacts=True,
        tasks_dir=[folder / "tasks"],
        store=folder / "store",
    )
    assert record.status == "done", record.reason
    return folder / "store" / folder_name(record.cell)


@pytest.mark.parametrize("family", ["encoder", "decoder", "encoder-decoder"])
@pytest.mark.parametrize("regime", ["full", "lora", "ia3", "frozen:0.5"])
def test_the_checkpoint_computes_what_was_trained(
    family: str, regime: str, models: dict[str, str], tmp_path: Path, one_thread: None
) -> None:
    options = "epochs=4+lr=0.01+batch=8+keep=last"
    folder = trained(models[family], f"{regime}{'+' if ':' in regime else ':'}{options}", tmp_path)
    target = export(folder, tmp_path / "adapted", [tmp_path / "tasks"])
    first, adapted = load_model(models[family]), load_model(str(target))
    predictor: Any = load_predictor(folder, [tmp_path / "tasks"])
    ids = torch.tensor([[5, 30, 77, 12]])
    given = {"input_ids": ids}
    if family == "encoder-decoder":
        given["decoder_input_ids"] = ids
    with torch.no_grad():
        expected = predictor.model.backbone.network.eval()(**given).logits
        assert torch.equal(adapted.network(**given).logits, expected)
        assert not torch.allclose(first.network(**given).logits, expected)
    said = json.loads((target / "benchsuite.json").read_text())["adapted"]
    before = torch.cat([p.flatten() for p in first.network.parameters()]).detach().double()
    after = torch.cat([p.flatten() for p in adapted.network.parameters()]).detach().double()
    assert said["distance"] == pytest.approx(float((after - before).norm() / before.norm()))
    assert adapted.ref.tokenizer_hash == first.ref.tokenizer_hash
    assert said["from"] == models[family] and said["regime"].startswith(regime.partition(":")[0])


def test_records_of_the_checkpoint_say_what_it_is(models: dict[str, str], tmp_path: Path) -> None:
    folder = trained(models["decoder"], "full:epochs=2+batch=8+keep=last", tmp_path)
    target = export(folder, tmp_path / "adapted", [tmp_path / "tasks"])
    [record] = benchsuite.run(
        str(target), "zeroshot", "mini/minimal_pairs", limit=20, store=tmp_path / "store"
    )
    assert record.status == "done", record.reason
    assert record.provenance["adapted"]["task"] == "classification"
    assert not math.isnan(record.provenance["adapted"]["distance"])
    [again] = benchsuite.run(
        str(target), "probe", "classification", tasks_dir=[tmp_path / "tasks"], store=tmp_path / "s"
    )
    assert again.seen_in_pretraining == ["classification"]


@pytest.mark.parametrize(
    ("regime", "why"),
    [
        ("adapter:epochs=1", "layers of its own"),
        ("prompt:epochs=1", "leaves the network as it was"),
        ("prefix:epochs=1", "leaves the network as it was"),
        ("probe", "trains nothing of the network"),
    ],
)
def test_what_no_checkpoint_can_hold_is_refused(
    regime: str, why: str, models: dict[str, str], tmp_path: Path
) -> None:
    folder = trained(models["encoder"], regime, tmp_path)
    with pytest.raises(InputError, match=why):
        export(folder, tmp_path / "adapted", [tmp_path / "tasks"])
    assert not (tmp_path / "adapted").exists()


def test_nothing_is_overwritten_and_nothing_made_of_nothing(
    models: dict[str, str], tmp_path: Path
) -> None:
    folder = trained(models["encoder"], "full:epochs=2+batch=8+keep=last", tmp_path)
    (tmp_path / "adapted").mkdir()
    with pytest.raises(InputError, match="is there already"):
        export(folder, tmp_path / "adapted", [tmp_path / "tasks"])
    with pytest.raises(InputError, match="cannot be written"):
        export(folder, Path("/proc/none/adapted"), [tmp_path / "tasks"])
    (folder / "artifact.safetensors").unlink()
    with pytest.raises(InputError, match="keeps nothing"):
        export(folder, tmp_path / "other", [tmp_path / "tasks"])


def test_the_command(
    models: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(models["encoder"], "full:epochs=2+batch=8+keep=last", tmp_path)
    arguments = ["export", folder.name, "--to", str(tmp_path / "adapted")]
    arguments += ["--store", str(tmp_path / "store"), "--tasks-dir", str(tmp_path / "tasks")]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code
    assert capsys.readouterr().out.strip() == str(tmp_path / "adapted")
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
