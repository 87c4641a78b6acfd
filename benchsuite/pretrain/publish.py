"""Put finished runs into `baselines/models`, each with a card that compares it with the others.

    python -m benchsuite.pretrain.publish runs/pretrain/{gpt,bert,t5} --shards runs/shards \
        --store runs/results --trials runs/tune/gpt-* --harness runs/harness
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchsuite.console import print_error
from benchsuite.errors import InputError
from benchsuite.models.registry import resolve_model
from benchsuite.paths import baselines_root
from benchsuite.pretrain.card import write_card
from benchsuite.pretrain.evidence import (
    blimp_section,
    harness_section,
    scaling_section,
    trials_section,
)
from benchsuite.pretrain.log import read_log
from benchsuite.pretrain.shards import digest_of, read_shards


def publish(
    runs: Sequence[Path],
    shards: Path,
    store: Path | None = None,
    trials: Sequence[Path] = (),
    harness: Path | None = None,
    scaling: Path | None = None,
    remark: str = "",
) -> None:
    """Copy the models of finished runs and write their cards.

    Args:
        runs: folders of `bench pretrain`; a model's name is its recipe's.
        shards: what they were trained on, the last of several.
        store: records of the published weights on BLiMP, for a table by field. Publish once, run
            `bench run --model ... --task blimp`, and publish again.
        trials: short runs with other settings; a card shows those named `<model>-...`.
        harness: lm-eval's `--log_samples` of `gpt` on BLiMP's paradigms.
        scaling: records of the runs' intermediate checkpoints, for scores at equal cost.
        remark: a paragraph for every card, of what neither log nor record tells.

    Raises InputError where a run is not finished, or was not trained on the shards, or two have one
    name; the bundled models are then as they were.
    """
    if harness is not None and store is None:
        raise InputError("--harness needs --store, the records that it is compared with")
    models: dict[str, Path] = {}
    common = [] if scaling is None else [scaling_section(scaling)]
    remarks = [f"## Remarks\n\n{remark}"] if remark else []
    digest = digest_of(shards, read_shards(shards, "train"), read_shards(shards, "validation"))
    for run in runs:
        meta = _meta_of(run)
        name = meta["recipe"]["name"]
        if name in models:
            raise InputError(f"{models[name]} and {run} are both named {name!r}")
        if "texts" not in meta:
            raise InputError(f"{run} is of an earlier version; delete its model and resume it")
        if meta["shards"] != digest:
            raise InputError(f"{run} was trained on other shards than {shards}")
        closing = read_log(run / "log.jsonl")[-1:]
        if not closing or "loss" in closing[0] or closing[0]["step"] != meta["steps"]:
            raise InputError(f"{run} has gone on from its model; resume it with `bench pretrain`")
        models[name] = run
    root = baselines_root() / "models"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as staging:
        kept = {name: Path(staging) / f"{name}-before" for name in models}
        for name in models:
            if (root / name).is_dir():
                (root / name).rename(kept[name])
        try:
            # all of them first: each card compares with the others
            for name, run in models.items():
                shutil.copytree(run / "model", root / name)
            for name, run in models.items():
                sections = _sections(name, root / name, store, trials, harness)
                write_card(root / name, run / "log.jsonl", [*common, *sections, *remarks])
        except BaseException:
            for name in models:
                shutil.rmtree(root / name, ignore_errors=True)
                if kept[name].is_dir():
                    kept[name].rename(root / name)
            raise


def _meta_of(run: Path) -> dict:
    """What a finished run says of itself."""
    path = run / "model" / "benchsuite.json"
    if not path.is_file() or not (run / "log.jsonl").is_file():
        raise InputError(f"{run} holds no finished run; resume it with `bench pretrain`")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is damaged; resume the run with `bench pretrain`") from error


def _sections(
    name: str, folder: Path, store: Path | None, trials: Sequence[Path], harness: Path | None
) -> list[str]:
    """Parts of a card from elsewhere than the run."""
    sections = []
    if store is not None:
        weights = resolve_model(str(folder)).weights_hash
        untrained = resolve_model(f"{folder}:untrained").weights_hash
        sections.append(blimp_section(name, weights, untrained, store))
        if harness is not None and name == "gpt":
            sections.append(harness_section(name, weights, store, harness))
    own = [trial for trial in trials if trial.name.startswith(f"{name}-")]
    if own:
        sections.append(trials_section(own))
    return sections


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchsuite.pretrain.publish")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--trials", nargs="*", type=Path, default=[])
    parser.add_argument("--harness", type=Path)
    parser.add_argument("--scaling", type=Path)
    parser.add_argument("--remark", default="")
    try:
        publish(**vars(parser.parse_args()))
    except InputError as error:
        print_error(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
