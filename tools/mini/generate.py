"""Write the data of `tasks/mini/`: `python -m tools.mini.generate --out tasks/mini/data`.

The same command gives the same bytes; `tests/mini` compares them with what is checked in.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from tools.mini.entailment import entailment
from tools.mini.grammaticality import acceptability, minimal_pairs
from tools.mini.reading import choice, span
from tools.mini.sampling import Row
from tools.mini.sentiment import sentiment
from tools.mini.similarity import similarity
from tools.mini.tagging import tagging

ONE = ("train", "validation")
TASKS: dict[str, tuple[Callable[[str], list[Row]], tuple[str, ...]]] = {
    "sentiment": (sentiment, ONE),
    "acceptability": (acceptability, ONE),
    "entailment": (entailment, ("train", "validation_matched", "validation_mismatched")),
    "similarity": (similarity, ONE),
    "tagging": (tagging, ONE),
    "span": (span, ONE),
    "choice": (choice, ONE),
    "minimal_pairs": (minimal_pairs, ONE),
}


def generate(out: Path) -> list[Path]:
    """Write every split of every task into `out` and return the files."""
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for task, (make, splits) in TASKS.items():
        for split in splits:
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in make(split)]
            file = out / f"{task}.{split}.jsonl"
            file.write_text("".join(lines), encoding="utf-8")
            files.append(file)
    return files


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    for file in generate(parser.parse_args().out):
        print(file)


if __name__ == "__main__":
    main()
