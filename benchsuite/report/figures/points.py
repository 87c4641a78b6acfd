"""From records to the points of the three figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchsuite.cells import RegimeCall, digest, parse_regime
from benchsuite.metrics.bag_of_words import NAME as BAG_OF_WORDS
from benchsuite.models.registry import UNTRAINED
from benchsuite.records import Record
from benchsuite.report.seeds import OverSeeds, over_seeds
from benchsuite.report.table import one_a_seed, settings, way_of

BAG = "bag of words"


@dataclass(frozen=True, slots=True)
class Point:
    """A score, over its seeds, at one place of a curve.

    series: a model's name, `:untrained` left out but told by `untrained`. at: training examples,
    or the share of blocks that is frozen.
    """

    task: str
    metric: str
    series: str
    untrained: bool
    regime: str
    at: float
    score: OverSeeds


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What adapting did to the language model, means over seeds.

    regime: with what of its settings is not the default. distance: how far the weights moved, as a
    share of their norm. asked: the task, and the regime, that ask the language model; score and
    before: its headline after and before. loss, loss_before: nats a target of pretraining's
    held-out slice, None where not noted.
    """

    model: str
    regime: str
    learned: str
    asked: str
    seeds: int
    distance: float
    score: float
    before: float
    loss: float | None
    loss_before: float | None

    @property
    def loss_gained(self) -> float | None:
        """How much the held-out loss went up."""
        if self.loss is None or self.loss_before is None:
            return None
        return self.loss - self.loss_before


def by_size(found: Sequence[Record]) -> list[Point]:
    """Curves of score against training examples: those with several sizes, and a bag of words."""
    points = _points(
        [record for record in found if record.cell.get("regime_name") != "frozen"],
        lambda record: record.provenance["data"]["training"]["train"]["used"],
    )
    bags: dict[tuple[str, str, float], float] = {}
    for record in found:
        value = record.baselines.get(BAG_OF_WORDS)
        if _is_trained(record) and value is not None and record.headline is not None:
            at = float(record.provenance["data"]["training"]["train"]["used"])
            bags[(record.cell["task"], record.headline.metric, at)] = value
    shown = {(point.task, point.at) for point in points}
    points += [
        Point(task, metric, BAG, False, BAG, at, OverSeeds(1, value, None, None, None, 0))
        for (task, metric, at), value in sorted(bags.items())
        if (task, at) in shown
    ]
    return points


def by_depth(found: Sequence[Record]) -> list[Point]:
    """Curves of score against the share of blocks that `frozen` keeps: those with several."""
    shares = [record for record in found if _share(record) is not None]
    return _points(shares, _share, without=("k",))


def _share(record: Record) -> float | None:
    """Blocks that `frozen` kept, of all: of six no quarter can be kept, so a share asked for is not
    the one there was. None where it is not known.
    """
    if record.cell.get("regime_name") != "frozen":
        return None
    match record.provenance.get("chosen", {}).get("", {}).get("frozen_blocks"):
        case [int(frozen), int(blocks)] if blocks > 0:
            return frozen / blocks
    asked = record.cell.get("options", {}).get("k")
    return asked if isinstance(asked, float) else None


def forgotten(found: Sequence[Record]) -> list[Forgotten]:
    """Records of exported networks beside those of the weights that they were made from."""
    before = {
        (record.cell["model"], record.parts_but(()).get("weights"), _asking(record)): _value(record)
        for record in found
        if _has_value(record) and "adapted" not in record.provenance
    }
    groups: dict[tuple[str, str, str, str, str, float], dict[str, Record]] = defaultdict(dict)
    for record in found:
        made = record.provenance.get("adapted")
        if not made or not _has_value(record):
            continue
        asking = _asking(record)
        first = before.get((made["from"], made.get("weights"), asking))
        if first is not None:
            how = [made["regime"]]
            if made.get("train_limit"):
                how.append(f"{made['train_limit']:,} training examples")
            if made.get("tune"):
                how.append("tuned")
            asked = f"{record.cell['task']} {record.cell['regime']}"
            place = (made["from"], ", ".join(how), made["task"], asked, asking, first)
            # A cell exported twice is one network.
            groups[place][made.get("key", record.key)] = record
    rows = []
    for (model, regime, learned, asked, _, first), by_cell in sorted(groups.items()):
        group = list(by_cell.values())
        made = [record.provenance["adapted"] for record in group]
        rows.append(
            Forgotten(
                model=model,
                regime=regime,
                learned=learned,
                asked=asked,
                seeds=len({one["seed"] for one in made}),
                distance=fmean(one["distance"] for one in made),
                score=fmean(_value(record) for record in group),
                before=first,
                loss=_mean([one.get("held_out_loss") for one in made]),
                loss_before=_mean([one.get("held_out_loss_before") for one in made]),
            )
        )
    return rows


def _points(found: Sequence[Record], at: Any, without: tuple[str, ...] = ()) -> list[Point]:
    """Points of trained, done records by `at(record)`, of curves that have two or more."""
    curves: dict[tuple[str, str, str, str], dict[float, list[Record]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in found:
        if _is_trained(record) and _has_value(record):
            cell = record.cell
            options = {
                name: value
                for name, value in cell.get("options", {}).items()
                if name not in without
            }
            extras = settings(record)
            if without and cell.get("train_limit"):
                # Depths are compared at one number of examples.
                extras.append(f"{cell['train_limit']:,} examples")
            name = _without(cell["regime"], without)
            label = f"{name} ({', '.join(extras)})" if extras else name
            how = repr(sorted(options.items()))
            curves[cell["task"], cell["model"], label, how][float(at(record))].append(record)
    points = []
    for (task, model, label, _), places in sorted(curves.items()):
        if len(places) < 2:
            continue
        for place, group in sorted(places.items()):
            used = one_a_seed(group)
            first = used[0]
            assert first.headline is not None
            points.append(
                Point(
                    task=task,
                    metric=first.headline.metric,
                    series=model.removesuffix(UNTRAINED),
                    untrained=model.endswith(UNTRAINED),
                    regime=label,
                    at=place,
                    score=over_seeds(used),
                )
            )
    return points


def _without(regime: str, names: tuple[str, ...]) -> str:
    """A regime as it was called, without the options of these names or of none."""
    if not names:
        return regime
    call = parse_regime(regime)
    left = {name: value for name, value in call.options.items() if name and name not in names}
    return str(RegimeCall(name=call.name, options=left))


def _asking(record: Record) -> str:
    """How a record's model was asked: all that goes into its key but the model and the seed."""
    asked = way_of(record, "weights", "tokenizer")
    return digest({"parts": asked, "task": record.cell["task"], "regime": record.cell["regime"]})


def _is_trained(record: Record) -> bool:
    """Whether training examples were learned from."""
    training = record.provenance.get("data", {}).get("training", {})
    return record.status == "done" and "train" in training


def _has_value(record: Record) -> bool:
    done = record.status == "done" and record.headline is not None
    return done and record.headline is not None and record.headline.value is not None


def _value(record: Record) -> float:
    assert record.headline is not None and record.headline.value is not None
    return record.headline.value


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of values that are all known; None else."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
