"""The three figures: their points, tables and marks, from made records."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchsuite import records
from benchsuite.cells import digest
from benchsuite.records import Record
from benchsuite.report.figures.__main__ import main
from benchsuite.report.figures.page import PAGE, write_figures
from benchsuite.report.figures.points import by_depth, by_size, forgotten
from tests.made import made_outcomes, made_record


def trained(
    regime: str,
    value: float,
    size: int = 100,
    model: str = "bert",
    seed: int = 0,
    options: dict[str, Any] | None = None,
    **changes: Any,
) -> Record:
    """A record of a trained cell."""
    record = made_record(model=model, regime=regime, value=value, seed=seed, **changes)
    record.cell |= {
        "regime_name": regime.partition(":")[0],
        "options": options or {},
        "train_limit": size,
        "key": digest({"all": [regime, model, size, seed, repr(options)]}),
    }
    record.provenance["data"]["training"] = {
        name: {"source": "mirror", "rows": 9000, "official": 9000, "used": count}
        for name, count in (("train", size), ("selection", 50))
    }
    record.cost["parameters_trainable"] = 7
    record.baselines["bag_of_words"] = 0.5 + size / 10_000
    assert record.headline is not None
    record.headline.low, record.headline.high = value - 0.05, value + 0.05
    return record


def adapted(regime: str, value: float, distance: float, seed: int = 0, **loss: float) -> Record:
    """A record of an exported network on BLiMP."""
    record = made_record(model=f"out/{regime}-{seed}", task="blimp", value=value)
    made = {"from": "bert", "regime": regime, "task": "glue/sst2", "seed": seed}
    record.provenance["adapted"] = {**made, "distance": distance, **loss}
    record.cell |= {"regime_name": "zeroshot", "options": {}, "train_limit": None}
    return record


SIZES = [
    trained("full", 0.6, 100, seed=0),
    trained("full", 0.7, 100, seed=1),
    trained("full", 0.8, 1000),
    trained("full", 0.5, 100, model="bert:untrained"),
    trained("full", 0.6, 1000, model="bert:untrained"),
    trained("lora", 0.55, 100),
    trained("lora", 0.75, 1000),
    trained("probe", 0.9, 300),  # one size makes no curve
    made_record(),  # nor does zero-shot
]
DEPTHS = [
    trained("frozen", 0.5 + k / 10, options={"k": k, "lr": None}) for k in (0.0, 0.5, 1.0)
] + [
    trained("frozen", 0.4, options={"k": 2, "lr": None}),  # a count is no share
    trained("frozen", 0.9, size=500, options={"k": 0.0, "lr": None}),  # of another size
]
LOST = [
    adapted("full", 0.55, 0.1, 0, held_out_loss=5.0, held_out_loss_before=4.5),
    adapted("full", 0.57, 0.3, 1, held_out_loss=5.2, held_out_loss_before=4.5),
    adapted("lora", 0.60, 0.01),
    made_record(model="bert", task="blimp", value=0.62),
]
for one in (SIZES[-1], LOST[-1]):
    one.cell |= {"regime_name": "zeroshot", "options": {}, "train_limit": None}


def marks(svg: str, role: str) -> list[dict[str, str]]:
    """What the labels of a picture's marks say."""
    root = ElementTree.fromstring(svg)
    labels = [
        one.get("aria-label", "") for one in root.iter() if one.get("aria-roledescription") == role
    ]
    return [dict(part.split(": ", 1) for part in label.split("; ")) for label in labels]


def test_sizes_make_curves_over_seeds_with_a_bag_of_words() -> None:
    points = by_size(SIZES)
    found = {(p.series, p.untrained, p.regime, p.at): p.score.value for p in points}
    assert found[("bert", False, "full", 100.0)] == pytest.approx(0.65)
    assert found[("bert", True, "full", 1000.0)] == 0.6
    assert found[("bag of words", False, "bag of words", 1000.0)] == pytest.approx(0.6)
    assert len(points) == 8 and not any(point.regime == "probe" for point in points)
    [both] = [p for p in points if p.score.seeds == 2]
    assert both.score.spread == pytest.approx(0.0707, abs=1e-4)


def test_depths_are_shares_of_one_size() -> None:
    points = by_depth(DEPTHS)
    assert {p.regime for p in points} == {"frozen (100 examples)"}
    assert [(p.at, p.score.value) for p in points] == [
        (0.0, 0.5),
        (0.5, pytest.approx(0.55)),
        (1.0, pytest.approx(0.6)),
    ]
    assert by_size(DEPTHS) == []


def test_forgetting_is_told_beside_the_model_it_began_with() -> None:
    full, lora = forgotten(LOST)
    assert (full.regime, full.seeds) == ("full", 2)
    assert full.distance == pytest.approx(0.2)
    assert full.score == pytest.approx(0.56) and full.before == 0.62
    assert full.loss_gained == pytest.approx(0.6)
    assert (lora.regime, lora.loss_gained) == ("lora", None)
    assert forgotten(LOST[:-1]) == []  # without the model as it was nothing can be said


def test_curves_of_other_settings_stay_apart() -> None:
    tuned = [trained("full", 0.9, size) for size in (100, 1000)]
    for record in tuned:
        record.cell["tune"] = True
    regimes = {point.regime for point in by_size(SIZES + tuned)}
    assert {"full", "full (tuned)"} <= regimes
    more = [trained("frozen", 0.9, 500, options={"k": k, "lr": None}) for k in (0.0, 0.5)]
    assert {point.regime for point in by_depth(DEPTHS + more)} == {
        "frozen (100 examples)",
        "frozen (500 examples)",
    }


def test_depths_of_other_options_stay_apart() -> None:
    other = [
        trained(f"frozen:{k}+epochs=1", 0.9, options={"k": k, "lr": None, "epochs": 1})
        for k in (0.0, 0.5)
    ]
    points = by_depth(DEPTHS + other)
    assert {point.regime for point in points} == {
        "frozen (100 examples)",
        "frozen:epochs=1 (100 examples)",
    }
    assert len({(point.regime, point.at) for point in points}) == len(points) == 5


def test_depths_are_shares_of_what_was_frozen() -> None:
    """Of six blocks no quarter can be frozen: two are."""
    found = []
    for seed, (k, blocks) in enumerate(((0.0, 0), (0.25, 2), (2, 2), (0.75, 5))):
        record = trained(f"frozen:{k}", 0.5, options={"k": k, "lr": None}, seed=seed)
        record.provenance["chosen"] = {"": {"frozen_blocks": [blocks, 6]}}
        found.append(record)
    assert [point.at for point in by_depth(found)] == [0.0, 2 / 6, 5 / 6]


def test_a_network_exported_twice_counts_once() -> None:
    one, two = (adapted("lora", value, 0.1, seed=seed) for value, seed in ((0.5, 0), (0.7, 1)))
    again = adapted("lora", 0.5, 0.1, seed=0)
    for record, key in ((one, "a"), (again, "a"), (two, "b")):
        record.provenance["adapted"]["key"] = key
    [row] = forgotten([one, again, two, LOST[-1]])
    assert row.score == pytest.approx(0.6) and row.seeds == 2


def test_a_language_model_asked_in_another_way_is_no_before() -> None:
    other = made_record(model="bert", task="blimp", regime="full", value=0.95)
    limited = made_record(model="bert", task="blimp", value=0.1)
    limited.cell["key_parts"] = {"data": {"validation": "a part"}}
    assert [one.before for one in forgotten([*LOST, other, limited])] == [0.62, 0.62]
    small = adapted("full", 0.3, 0.1)
    small.provenance["adapted"]["train_limit"] = 100
    found = {one.regime: one.score for one in forgotten([*LOST, small])}
    assert found["full, 100 training examples"] == 0.3
    assert found["full"] == pytest.approx(0.56)


def stored(folder: Path, found: list[Record]) -> Path:
    for record in found:
        records.write(folder, record, made_outcomes())
    return folder


def test_a_network_made_from_other_weights_is_not_compared() -> None:
    before, after = LOST[-1].model_copy(deep=True), adapted("lora", 0.5, 0.1)
    before.cell["key_parts"] = {"weights": "new"}
    after.provenance["adapted"]["weights"] = "old"
    assert forgotten([before, after]) == []
    after.provenance["adapted"]["weights"] = "new"
    assert [one.before for one in forgotten([before, after])] == [0.62]


def test_the_page_and_its_pictures(tmp_path: Path) -> None:
    store = stored(tmp_path / "store", SIZES + DEPTHS + LOST)
    page = write_figures([store])
    text = page.read_text()
    assert page == store / "report" / PAGE
    assert "| glue/sst2 | bert | full | 65.0 \\[" in text and "over 2 seeds" in text
    assert "| glue/sst2 | bert:untrained | full | 50.0 \\[45.0, 55.0\\] unstable 1/1 |" in text
    assert (
        "| bert | full | glue/sst2 | 2 | 0.2 | blimp zeroshot | 62.0 | 56.0 | 4.500 | 5.100 |"
        in text
    )
    sizes = marks((page.parent / "train-size.svg").read_text(), "point")
    assert len(sizes) == 6 + 2 * 2  # the bag of words is in both panels
    assert {(one["at"], one["score"]) for one in sizes} >= {
        ("100", "65"),
        ("1000", "80"),
    }
    depth = marks((page.parent / "depth.svg").read_text(), "point")
    assert [one["score"] for one in depth] == ["50", "55", "60"]
    lost = marks((page.parent / "forgetting.svg").read_text(), "point")
    assert len(lost) == 2 + 1
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    write_figures([store])
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before


def test_what_a_figure_needs_may_lie_in_several_stores(tmp_path: Path) -> None:
    whole = stored(tmp_path / "whole", SIZES + DEPTHS + LOST)
    parts = [
        stored(tmp_path / "first", SIZES[::2]),
        stored(tmp_path / "second", SIZES[1::2] + LOST),
    ]
    # A record that lies in two of them counts once.
    parts.append(stored(tmp_path / "third", DEPTHS + SIZES[:2]))
    page = write_figures(parts)
    assert page.parent == parts[0] / "report"
    assert page.read_text() == write_figures([whole]).read_text()


def test_a_store_without_their_records_says_what_they_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = stored(tmp_path / "store", SIZES[-1:])
    assert main(["--store", str(store)]) == 2
    assert "several --train-limit of one regime" in capsys.readouterr().err
    stored(store, DEPTHS)
    assert main(["--store", str(store), "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["depth.svg", PAGE]
