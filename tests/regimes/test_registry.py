"""Regimes by name, their options, and a toy plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace
from typing import ClassVar

import pytest

from benchsuite.cells import parse_regime
from benchsuite.errors import InputError
from benchsuite.regimes import registry
from benchsuite.regimes.base import Options
from benchsuite.regimes.registry import (
    canonical,
    describe_regimes,
    get_regime,
    list_regimes,
    parse_options,
)
from benchsuite.regimes.zeroshot import ZeroShot, ZeroShotOptions


class ToyOptions(Options):
    share: float = 0.25
    deep: bool = False


class Toy:
    name: ClassVar[str] = "toy"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "a toy"
    trains: ClassVar[str] = "nothing"
    source: ClassVar[str] = "made"
    options: ClassVar[type[Options]] = ToyOptions
    positional: ClassVar[str | None] = "share"
    randomized: ClassVar[bool] = True


@pytest.fixture
def toy_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "toy", f"{__name__}:Toy")


def install(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    point = metadata.EntryPoint(name, value, "benchsuite.regimes")
    monkeypatch.setattr(
        registry,
        "metadata",
        SimpleNamespace(
            entry_points=lambda group: [point] if group == "benchsuite.regimes" else [],
            EntryPoint=metadata.EntryPoint,
        ),
    )


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("zeroshot", "zeroshot"),
        ("zeroshot:threshold=median", "zeroshot"),
        ("zeroshot:threshold=tuned", "zeroshot:threshold=tuned"),
        ("fewshot:k=4", "fewshot"),
        ("fewshot:balanced=true+k=8", "fewshot:8+balanced=true"),
        ("embed:pooling=last+layer=-1", "embed:layer=-1+pooling=last"),
        ("embed:layer=first-last", "embed"),
    ],
)
def test_a_call_has_one_spelling(spelled: str, expected: str) -> None:
    call = canonical(parse_regime(spelled))
    assert str(call) == expected
    assert parse_options(call) == parse_options(parse_regime(spelled))
    assert canonical(call) == call


def test_built_in() -> None:
    assert isinstance(get_regime("zeroshot"), ZeroShot)
    assert parse_options(parse_regime("zeroshot")) == ZeroShotOptions(threshold="median")
    assert parse_options(parse_regime("zeroshot:threshold=tuned")).threshold == "tuned"
    (row,) = [row for row in describe_regimes() if row["name"] == "zeroshot"]
    assert row["options"] == "threshold=median" and row["randomized"] is False
    assert row["training"] == ""
    (row,) = [row for row in describe_regimes() if row["name"] == "frozen"]
    assert row["options"] == "k=0.5" and row["positional"] == "k"
    assert row["training"].startswith("lr=none+epochs=none+batch=16+")


def test_what_each_regime_trains_at_which_rate_and_where_from() -> None:
    rows = {row["name"]: row for row in describe_regimes()}
    assert rows["lora"]["options"] == "rank=8+alpha=16.0+targets=attention"
    assert rows["lora"]["source"] == "Hu et al. 2022"
    for name, row in rows.items():
        assert row["trains"] and row["source"], name
        assert (row["trains"] == "nothing") == (name in {"zeroshot", "fewshot", "embed"}), name
        rates = dict(rate.split(": ") for rate in filter(None, row["lr"].split(", ")))
        families = {"encoder", "decoder", "encoder-decoder"} if row["training"] else set()
        assert set(rates) == families, name
        assert all(0 < float(rate) < 1 for rate in rates.values()), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("zerosht", "unknown regime 'zerosht'; did you mean 'zeroshot'"),
        ("qqq", "unknown regime 'qqq'; there are: .*zeroshot"),
        ("zeroshot:treshold=tuned", "no option 'treshold'; did you mean 'threshold'"),
        ("zeroshot:xyz=1", "no option 'xyz'; it has: threshold"),
        ("full:epochs=true", "epochs"),
        ("lora:rank=true", "rank"),
        ("zeroshot:tuned", "takes no value of its own"),
        ("zeroshot:threshold=best", "threshold=best.*'median' or 'tuned'"),
        ("zeroshot:threshold=true", "threshold=true"),
    ],
)
def test_bad_calls_give_one_clear_line(call: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_options(parse_regime(call))
    assert "\n" not in str(caught.value)


def test_a_plugin_is_a_regime_like_any(toy_plugin: None) -> None:
    assert get_regime("toy").summary == "a toy"
    assert [regime.name for regime in list_regimes()][-1] == "toy"
    assert parse_options(parse_regime("toy:0.5+deep=true")) == ToyOptions(share=0.5, deep=True)
    with pytest.raises(InputError, match="'share' is given twice"):
        parse_options(parse_regime("toy:0.5+share=0.5"))
    with pytest.raises(InputError, match="share=much"):
        parse_options(parse_regime("toy:much"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("toy", "no_such_module_here:Toy", "'toy'.*cannot be loaded"),
        ("toy", f"{__name__}:NoSuchClass", "'toy'.*cannot be loaded"),
        ("zeroshot", f"{__name__}:Toy", "taken already"),
    ],
)
def test_broken_plugins_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    install(monkeypatch, name, value)
    with pytest.raises(InputError, match=message):
        get_regime(name)


def test_no_torch_for_listing() -> None:
    code = (
        "import sys, benchsuite.regimes.registry as r; r.describe_regimes();"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
