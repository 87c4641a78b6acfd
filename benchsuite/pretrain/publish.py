"""Put finished runs into `baselines/models`, each with a card that compares it with the others.

    python -m benchsuite.pretrain.publish runs/pretrain/{gpt,bert,t5} --shards runs/shards \
        --store runs/results --trials runs/tune/gpt-* --harness runs/harness
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchsuite.console import print_error
from benchsuite.errors import InputError
from benchsuite.models.registry import resolve_model
from benchsuite.paths import baselines_root
from benchsuite.pretrain.card import write_card
from benchsuite.pretrain.evidence import blimp_section, harness_section, trials_section


def publish(
    runs: Sequence[Path],
    shards: Path,
    store: Path | None = None,
    trials: Sequence[Path] = (),
    harness: Path | None = None,
) -> None:
    """Copy the models of finished runs and write their cards.

    Args:
        runs: folders of `bench pretrain`; a model's name is its recipe's.
        shards: what they were trained on.
        store: records of the published weights on BLiMP, for a table by field. Publish once, run
            `bench run --model ... --task blimp`, and publish again.
        trials: runs by which settings were chosen; a card shows those of its own recipe.
        harness: lm-eval's `--log_samples` of `gpt` on BLiMP's paradigms.

    Raises InputError where a run is not finished.
    """
    models = {}
    for run in runs:
        meta = run / "model" / "benchsuite.json"
        if not meta.is_file():
            raise InputError(f"{run} holds no finished run; resume it with `bench pretrain`")
        models[json.loads(meta.read_text())["recipe"]["name"]] = run
    targets = {name: baselines_root() / "models" / name for name in models}
    for name, run in models.items():  # all of them first: each card compares with the others
        shutil.rmtree(targets[name], ignore_errors=True)
        shutil.copytree(run / "model", targets[name])
    for name, run in models.items():
        sections = []
        weights = resolve_model(str(targets[name])).weights_hash
        if store is not None:
            sections.append(blimp_section(name, weights, store))
        if harness is not None and store is not None and name == "gpt":
            sections.append(harness_section(name, weights, store, harness))
        own = [trial for trial in trials if trial.name.startswith(f"{name}-")]
        if own:
            sections.append(trials_section(own))
        write_card(targets[name], run / "log.jsonl", shards, sections)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchsuite.pretrain.publish")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--trials", nargs="*", type=Path, default=[])
    parser.add_argument("--harness", type=Path)
    try:
        publish(**vars(parser.parse_args()))
    except InputError as error:
        print_error(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
