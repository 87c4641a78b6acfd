"""What regimes give that learn, or compare states, must not move without a new version.

Of the loop that is its losses, the scores of its epochs and which is kept; how a task's answers are
read off the scores has tests of its own.

`golden_trained.json` holds the losses of each epoch, or the answers, of each regime, by family and
kind, and the versions that they are of. After a change that is meant, raise the version and write
what `found` has into the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from benchsuite.models.registry import load_model
from benchsuite.regimes.registry import get_regime
from tests.tiny import tiny_models
from tests.training.made import KINDS, TRAIN, made_cell, made_task

GOLDEN = json.loads(Path(__file__).with_name("golden_trained.json").read_text())
LOOP = "lr=0.003+epochs=3+batch=6+keep=last"
CALLS = {
    "frozen": f"frozen:0.5+{LOOP}",
    "bitfit": f"bitfit:{LOOP}",
    "adapter": f"adapter:{LOOP}",
    "lora": f"lora:{LOOP}",
    "ia3": f"ia3:{LOOP}",
    "prefix": f"prefix:4+{LOOP}",
    "prompt": f"prompt:4+{LOOP}",
    "full": f"full:{LOOP}",
    "full, best epoch": "full:lr=0.003+epochs=8+batch=2+patience=2",
    "probe": "probe",
    "embed": "embed",
}
FAMILIES = ("decoder", "encoder", "encoder-decoder")


def kinds_of(regime: str) -> tuple[str, ...]:
    """What a regime is tried on: a probe on what it can tell."""
    special = {"full": KINDS, "probe": ("tagging",), "full, best epoch": ("classification",)}
    return special.get(regime, ("regression",))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Networks whose weights follow from their names: no library's way of drawing them counts."""
    folders = tiny_models(tmp_path_factory.mktemp("golden"))
    for folder in folders.values():
        config = json.loads((folder / "config.json").read_text())
        dropouts = {name: 0.0 for name in config if "drop" in name}
        (folder / "config.json").write_text(json.dumps({**config, **dropouts}))
        weights = load_file(folder / "model.safetensors")
        drawn = {name: _drawn(name, one) for name, one in weights.items()}
        save_file(drawn, folder / "model.safetensors", metadata={"format": "pt"})
    return {family: str(folder) for family, folder in folders.items()}


def _drawn(name: str, like: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(crc32(name.encode())).normal(0, 0.3, like.shape)
    is_norm = like.ndim == 1 and name.endswith("weight")
    return (1 + noise / 3 if is_norm else noise).astype(np.float32)


def found(regime: str, family: str, kind: str, models: dict[str, str], folder: Path) -> list[float]:
    """Losses of the epochs; of a probe the scores of one example, of cosines the first answers.

    Where the best epoch is kept its number and the selection scores beside, on more examples, which
    are sorted by length.
    """
    best = regime == "full, best epoch"
    task, model = made_task(folder, kind, 60 if best else TRAIN + 1), load_model(models[family])
    cell = made_cell(task, CALLS[regime], models[family])
    fitted: Any = get_regime(cell.regime.name)
    predictor = fitted.fit(model, task, cell, folder / "scratch")
    losses = getattr(predictor, "notes", {}).get("loss")
    if losses is not None:
        beside = [predictor.notes["epoch"], *predictor.notes["selection"]] if best else []
        return [round(value, 4) for value in (*losses, *beside)]
    examples = task.evaluation("validation").examples[:6]
    if regime == "probe":
        scores = predictor.scores(predictor.maker.make(examples))[0]
        return [round(float(one), 4) for one in np.ravel(scores)]
    [variant] = predictor.predict(examples)
    return [round(float(one.value), 4) for one in variant.predictions]


def test_the_golden_values_are_of_these_versions() -> None:
    names = {call.partition(":")[0] for call in CALLS.values()}
    assert {name: get_regime(name).version for name in names} == GOLDEN["versions"], (
        "a version has moved: write the new values, and it, into golden_trained.json"
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("regime", CALLS)
def test_outputs_move_with_the_version_alone(
    regime: str, family: str, models: dict[str, str], tmp_path: Path, one_thread: None
) -> None:
    if (regime, family) == ("bitfit", "encoder-decoder"):
        pytest.skip("T5 has no bias terms")
    golden = GOLDEN["values"][regime][family]
    assert (*golden,) == kinds_of(regime)
    for kind, values in golden.items():
        now = found(regime, family, kind, models, tmp_path / kind)
        assert now == pytest.approx(values, rel=2e-3, abs=2e-3), kind
