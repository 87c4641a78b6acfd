"""The project's own gate: do the models here answer the mini suite as they did?

    bench run --model gpt,bert,t5 --suite mini --store DIR
    python -m tests.check.itself DIR

Beside `bench check` against `baselines/records/mini`: every score within 0.001, and the same
predictions. Another processor rounds differently, which turns around an answer in some ten
thousand: one in a thousand may differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchsuite import records
from benchsuite.check import check
from benchsuite.check.render import to_markdown
from benchsuite.paths import baselines_root

BASELINE = baselines_root() / "records" / "mini"
SCORE, SHARE = 1e-3, 1e-3
KEYS = ["prompt", "split", "subset", "id"]


ANSWERS = ["prediction", "tied", "x", "tp", "fp", "fn", "em", "f1"]
"""What of an outcome says what was answered: the class, the number, entities and spans by what
they earned."""


def predictions_of(folder: Path) -> pd.Series:
    """What a record's model answered, a tuple an example; numbers to three digits."""
    rows = records.read_outcomes(folder)
    rows = rows[rows["primary"]].set_index(KEYS).sort_index()
    known = [name for name in ANSWERS if name in rows]
    return rows[known].astype(float).round(3).fillna(-1).apply(tuple, axis=1)


def main(store: Path) -> int:
    """Print what differs; 1 where that is too much."""
    result = check(BASELINE, store)
    print(to_markdown(result))
    faults = [] if result.exit_code() == 0 else [f"bench check: {result.outcome}"]
    for one in result.verdicts:
        if one.candidate is None or abs(one.candidate - one.baseline) > SCORE:
            faults.append(f"{one.name}: {one.baseline:.4f} has become {one.candidate}")
    differ = total = 0
    for folder in records.store_folders(BASELINE):
        record = records.read(folder)
        if record.status != "done":
            continue
        names = [path.name for path in records.store_folders(store)]
        if folder.name not in names:
            faults.append(f"{record.name}: made under another key; accept it with --update")
            continue
        before, after = predictions_of(folder), predictions_of(store / folder.name)
        changed = int((before != after.reindex(before.index)).sum())
        differ, total = differ + changed, total + len(before)
        if changed:
            print(f"{record.name}: {changed} of {len(before):,} predictions differ")
    print(f"{differ} of {total:,} predictions differ")
    if differ > SHARE * total:
        faults.append(f"{differ} of {total:,} predictions differ")
    for fault in faults:
        print(f"not as it was: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
