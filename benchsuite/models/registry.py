"""Names of models -> folders, families and hashes, without torch; then the loaded model.

A name is a bundled model (a folder in `baselines/models/`, or an entry point of the group
`benchsuite.models`), a local path, or `hf:<hub id>`; then `@<revision or step>`; then `:untrained`,
which goes with a revision but not with a step.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import InputError
from benchsuite.models.checkpoint import (
    UNTRAINED_SEED,
    family_of,
    read_config,
    stated_layers,
    stated_window,
    tokenizer_hash,
    untrained_hash,
    weights_hash,
)
from benchsuite.paths import baselines_root
from benchsuite.pretrain.texts import run_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ENTRY_POINTS = "benchsuite.models"
UNTRAINED = ":untrained"
# What the project's own checkpoints say of themselves, beside the Hugging Face files.
METADATA_FILE = "benchsuite.json"
STEPS = Path("runs") / "pretrain"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that was found but not loaded.

    name: as the user wrote it. revision: commit on the hub, pretraining step, or "". Hashes are
    hexadecimal SHA-256 over file contents; the weights' takes in the configuration (an untrained
    model's names that and its seed).
    metadata: the contents of `benchsuite.json`, {} where there is none.
    """

    name: str
    path: Path
    family: str
    untrained: bool
    revision: str
    weights_hash: str
    tokenizer_hash: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """How far the checkpoint was trained; None where its `benchsuite.json` does not say.

        step; tokens: raw tokens of text read (T); flops: of training, 6 N a position passed
        through, None where unknown; recipe: `run_hash`, equal for checkpoints of one run.
        """
        if not {"tokens", "recipe"} <= self.metadata.keys():
            return None
        tokens, per_token = self.metadata["tokens"], self.metadata.get("flops_per_token")
        return {
            "step": self.metadata.get("steps"),
            "tokens": tokens,
            "flops": None if per_token is None else round(per_token * tokens),
            "recipe": run_hash(self.metadata),
        }

    @property
    def adapted(self) -> dict[str, Any] | None:
        """What `bench export` says of the training that made the checkpoint; None elsewhere."""
        found: dict[str, Any] | None = self.metadata.get("adapted")
        return found


@dataclass(slots=True)
class Model:
    """A loaded model in evaluation mode. max_length: window in tokens."""

    name: str
    path: Path
    family: str
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    device: str
    dtype: str
    ref: ModelRef

    @property
    def parameters_total(self) -> int:
        """Number of parameters, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.network.parameters())


def resolve_model(name: str) -> ModelRef:
    """Find the model of a name and hash its files; imports neither torch nor transformers.

    Raises InputError for a name that leads nowhere (with the nearest known one) and for a folder
    that lacks its configuration, tokenizer or safetensors.
    """
    stem, untrained = name.removesuffix(UNTRAINED), name.endswith(UNTRAINED)
    path, revision = _locate(stem, name, weights=not untrained)
    config = read_config(path, name)
    return ModelRef(
        name=name,
        path=path,
        family=family_of(config, name),
        untrained=untrained,
        revision=revision,
        weights_hash=untrained_hash(config) if untrained else weights_hash(path, config, name),
        tokenizer_hash=tokenizer_hash(path, name),
        metadata={} if untrained else _metadata(path, name),
    )


def check_window(ref: ModelRef, max_length: int | None) -> None:
    """InputError where max_length (tokens) exceeds the window the model's configuration states."""
    longest = stated_window(read_config(ref.path, ref.name))
    if max_length is not None and longest is not None and max_length > longest:
        raise InputError(f"--max-length {max_length}: the window of {ref.name} is {longest} tokens")


def number_of_layers(ref: ModelRef) -> int | None:
    """Blocks (an encoder-decoder's: of its encoder), where the model's configuration states them.

    Its token embeddings are not counted.
    """
    return stated_layers(read_config(ref.path, ref.name))


def list_models() -> list[ModelRef]:
    """Bundled models and those of plugins, by name."""
    return [resolve_model(name) for name in sorted(_folders())]


def describe_models() -> list[dict[str, Any]]:
    """A row a model for the command line.

    Name, family, stored weights (MiB), raw tokens of text read, pretraining steps that are at hand
    (`<name>@<step>`), description, path.
    """
    return [
        {
            "name": ref.name,
            "family": ref.family,
            "MiB": round(sum(f.stat().st_size for f in ref.path.glob("*.safetensors")) / 2**20, 1),
            "tokens": ref.metadata.get("tokens"),
            "steps": _steps(STEPS / ref.name),
            "description": str(ref.metadata.get("description", "")),
            "path": str(ref.path),
        }
        for ref in list_models()
    ]


def load_model(
    name: str, dtype: str = "float32", device: str = "cpu", max_length: int | None = None
) -> Model:
    """Load a model's network and tokenizer.

    dtype: `float32` or `bfloat16`, whatever precision the file has. device: `cpu` or `cuda`.
    max_length: a window smaller than the model's own. `:untrained` initialises the same
    configuration afresh, from one fixed seed whatever the cell's. Raises InputError.
    """
    from benchsuite.models.loading import load_network, load_tokenizer, window

    ref = resolve_model(name)
    tokenizer = load_tokenizer(ref.path, name)
    network = load_network(
        ref.path,
        name,
        family=ref.family,
        dtype=dtype,
        device=device,
        seed=UNTRAINED_SEED if ref.untrained else None,
    )
    longest = window(network, tokenizer)
    if max_length is not None and max_length > longest:
        raise InputError(f"--max-length {max_length}: the window of {name} is {longest} tokens")
    return Model(
        name=name,
        path=ref.path,
        family=ref.family,
        network=network,
        tokenizer=tokenizer,
        max_length=max_length or longest,
        device=device,
        dtype=dtype,
        ref=ref,
    )


def _folders() -> dict[str, Callable[[], Path]]:
    """Short names -> how to get their folder: plugins first, so that none hides a bundled model."""
    found: dict[str, Callable[[], Path]] = {
        point.name: partial(_plugin_folder, point) for point in entry_points(group=ENTRY_POINTS)
    }
    models = baselines_root() / "models"
    for folder in sorted(models.iterdir()) if models.is_dir() else []:
        if (folder / "config.json").is_file():
            found[folder.name] = partial(Path, folder)
    return found


def _plugin_folder(point: EntryPoint) -> Path:
    """What a plugin's callable returns: the folder of its checkpoint."""
    return Path(point.load()())


def _locate(stem: str, name: str, weights: bool) -> tuple[Path, str]:
    """Folder and revision of a name without its `:untrained`."""
    if stem.startswith("hf:"):
        from benchsuite.models.hub import fetch

        hub_id, at, revision = stem.removeprefix("hf:").partition("@")
        if at and not revision:
            raise InputError(f"model '{name}': after @ comes a revision, as in hf:{hub_id}@main")
        return fetch(hub_id, revision or None, name, weights=weights)
    folders = _folders()
    if stem in folders:
        return folders[stem](), ""
    base, _, step = stem.rpartition("@")
    if base in folders:
        run = STEPS / base
        make = f"bench pretrain baselines/recipes/{base}.yaml --corpus DIR --out {run}"
        return _step_folder(
            run,
            base,
            step,
            name,
            weights,
            f"; steps 64, 96, 128, 192, ... come from `{make}`, later ones from "
            f"{base}-second.yaml after it (docs/pretraining.md), in a folder without a run",
        )
    # A plain word may be a mistyped name that some folder happens to bear.
    if os.path.isdir(stem) if "/" in stem else os.path.isfile(f"{stem}/config.json"):
        return Path(stem), ""
    if base and "/" not in step and (os.path.isdir(base) if "/" in base else _steps(Path(base))):
        return _step_folder(Path(base), base, step, name, weights, "")
    if "/" in stem:
        raise InputError(
            f"model '{name}': no such folder; a model of the hub is written hf:{stem.lstrip('./')}"
        )
    near = difflib.get_close_matches(base or stem, folders, n=1)
    hint = f"did you mean '{near[0]}{stem[len(base) :] if base else ''}'? " if near else ""
    known = ", ".join(sorted(folders)) or "none"
    raise InputError(
        f"unknown model '{name}'; {hint}known: {known}; also ./path and hf:<id>@<revision>"
    )


def _step_folder(
    run: Path, base: str, step: str, name: str, weights: bool, advice: str
) -> tuple[Path, str]:
    """Folder of a pretraining step of the run in `run`, and the step.

    advice: what the refusal of a missing step ends with.
    """
    if re.fullmatch("[1-9][0-9]*", step) is None:
        raise InputError(
            f"model '{name}': after @ comes a pretraining step, a whole number above 0, "
            f"as in {base}@1024"
        )
    if not weights:
        raise InputError(f"model '{name}': a step is trained; leave out @{step} or {UNTRAINED}")
    path = run / f"step-{step}"
    if not path.is_dir():
        there = ", ".join(map(str, _steps(run)))
        known = f" (steps there: {there})" if there else ""
        raise InputError(f"model '{name}': no {path}{known}{advice}")
    return path, step


def _steps(run: Path) -> list[int]:
    """Pretraining steps whose folders are in a run's folder, in order."""
    found = (re.fullmatch("step-([1-9][0-9]*)", path.name) for path in run.glob("step-*"))
    return sorted(int(match[1]) for match in found if match)


def _metadata(path: Path, name: str) -> dict[str, Any]:
    file = path / METADATA_FILE
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"model '{name}': {file} is not valid JSON ({error})") from None
    return content if isinstance(content, dict) else {}
