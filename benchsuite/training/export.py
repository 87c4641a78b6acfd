"""What training made of a network, as a checkpoint folder that any run takes as a model."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite import records
from benchsuite.artifacts import load_predictor
from benchsuite.errors import InputError
from benchsuite.models.checkpoint import TOKENIZER_FILES
from benchsuite.models.registry import METADATA_FILE, load_model, resolve_model

if TYPE_CHECKING:
    from torch import nn

    from benchsuite.records import Record

HELD_OUT_LENGTH = 256


def export(
    folder: Path, target: Path, tasks_dir: Sequence[Path] = (), shards: Path | None = None
) -> Path:
    """Write the adapted network of a record's kept artifact to a Hugging Face folder.

    The task's head stays behind; the language-model head is the checkpoint's own, so that what
    adapting has cost the language model can be measured. LoRA and IA3 are merged. `benchsuite.json`
    says what was adapted to what, and `distance`: how far the weights moved, as a share of their
    norm. shards: pretraining shards, on whose held-out slice the loss (nats a target) is noted,
    where the model's own recipe is known.

    Raises InputError where nothing was kept, where the regime leaves the network as it was or
    builds other layers into it, and where the target is there already.
    """
    record = records.read(folder)
    if target.exists():
        raise InputError(f"{target} is there already; give another folder")
    predictor: Any = load_predictor(folder, tasks_dir)
    backbone = getattr(getattr(predictor, "model", None), "backbone", None)
    if backbone is None:
        raise InputError(f"{record.name}: the regime trains nothing of the network")
    reference = resolve_model(record.cell["model"])
    first = load_model(record.cell["model"])
    network = backbone.network.cpu()
    distance = _distance(network, first.network, record)
    adapted = {
        "from": record.cell["model"],
        "weights": reference.weights_hash,
        "regime": record.cell["regime"],
        "task": record.cell["task"],
        "seed": record.cell.get("seed"),
        "train_limit": record.cell.get("train_limit"),
        "tune": record.cell.get("tune", False),
        "key": record.key,
        "distance": distance,
    }
    if shards is not None:
        _check_tokenizer(first.tokenizer, shards)
        adapted["held_out_loss"] = held_out_loss(network, reference.metadata, shards)
        adapted["held_out_loss_before"] = held_out_loss(first.network, reference.metadata, shards)
    seen = [*reference.metadata.get("seen_in_pretraining", []), record.cell["task"]]
    metadata = {
        "family": reference.family,
        "description": f"{record.cell['model']} after {record.cell['regime']} on "
        f"{record.cell['task']}",
        "seen_in_pretraining": list(dict.fromkeys(seen)),
        "adapted": adapted,
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            made = Path(scratch) / "model"
            network.save_pretrained(made)
            for name in TOKENIZER_FILES:
                if (reference.path / name).is_file():
                    shutil.copy(reference.path / name, made / name)
            text = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
            (made / METADATA_FILE).write_text(text, encoding="utf-8")
            shutil.move(made, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror})") from None
    return target


def _check_tokenizer(tokenizer: Any, shards: Path) -> None:
    """Raise InputError where the shards' tokens are not the model's."""
    from benchsuite.pretrain.tokenizer import load_tokenizer

    if load_tokenizer(shards / "tokenizer").get_vocab() != tokenizer.get_vocab():
        raise InputError(f"{shards}: shards of another tokenizer than the model's")


def held_out_loss(network: Any, metadata: dict[str, Any], shards: Path) -> float:
    """Loss in nats a target on the held-out slice of pretraining shards, by the model's own
    objective, at the longest of its recipe's row lengths up to HELD_OUT_LENGTH.

    Raises InputError where the model does not say how it was pretrained.
    """
    from benchsuite.pretrain.loop import Trainer
    from benchsuite.pretrain.recipe import Recipe

    if "recipe" not in metadata:
        raise InputError("the model does not say how it was pretrained, so its loss is unknown")
    recipe = Recipe.model_validate(metadata["recipe"])
    lengths = sorted(phase.length for phase in recipe.lengths)
    length = max((one for one in lengths if one <= HELD_OUT_LENGTH), default=lengths[0])
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(recipe, shards, Path(scratch))
        trainer.model = network.to(trainer.device)
        return trainer.evaluate(length)


def _distance(network: nn.Module, first: nn.Module, record: Record) -> float:
    """Norm of the change of all weights over the norm of all weights.

    Raises InputError where the networks have not the same weights, or these did not change.
    """
    now, before = (
        {name: one.detach() for name, one in each.named_parameters()} for each in (network, first)
    )
    if set(now) != set(before):
        raise InputError(
            f"{record.name}: the regime builds layers of its own into the network, which a "
            f"checkpoint of its architecture has no place for"
        )
    changed = sum(float((now[name] - before[name]).square().sum()) for name in before)
    if changed == 0:
        raise InputError(f"{record.name}: the regime leaves the network as it was")
    return math.sqrt(changed / sum(float(one.square().sum()) for one in before.values()))
