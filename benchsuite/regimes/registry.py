"""Regimes by name: the built-in ones and plugins of the entry-point group `benchsuite.regimes`."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from importlib import metadata
from typing import Any

from benchsuite.cells import RegimeCall, Value, format_value, parse_value
from benchsuite.errors import InputError
from benchsuite.regimes.base import Options, Regime, read_options
from benchsuite.training.settings import TrainingOptions

GROUP = "benchsuite.regimes"

# Name -> module:class, imported when asked for.
BUILT_IN = {
    "zeroshot": "benchsuite.regimes.zeroshot:ZeroShot",
    "fewshot": "benchsuite.regimes.fewshot:FewShot",
    "embed": "benchsuite.regimes.embed:Embed",
    "probe": "benchsuite.regimes.probe:Probe",
    "frozen": "benchsuite.regimes.frozen:Frozen",
    "bitfit": "benchsuite.regimes.bitfit:BitFit",
    "adapter": "benchsuite.regimes.adapter:Adapter",
    "lora": "benchsuite.regimes.lora:LoRA",
    "ia3": "benchsuite.regimes.ia3:IA3",
    "prefix": "benchsuite.regimes.prefix:PrefixTuning",
    "prompt": "benchsuite.regimes.prompt:PromptTuning",
    "full": "benchsuite.regimes.full:Full",
}


def get_regime(name: str) -> Regime:
    """The regime of this name.

    Raises InputError, with a suggestion, for an unknown one, for a plugin that cannot be loaded
    and for one that takes a built-in name.
    """
    plugins = _plugins()
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        regime: Regime = getattr(importlib.import_module(module), attribute)()
        return regime
    if name not in plugins:
        known = sorted({*BUILT_IN, *plugins})
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
        raise InputError(f"unknown regime '{name}'; {hint}")
    try:
        plugin: Regime = plugins[name].load()()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"regime '{name}' of the plugin '{plugins[name].value}' cannot be loaded: {error}"
        ) from None
    return plugin


def list_regimes() -> list[Regime]:
    """All regimes, the built-in ones first, then by name."""
    plugins = sorted(_plugins())
    return [get_regime(name) for name in [*BUILT_IN, *plugins]]


def describe_regimes() -> list[dict[str, Any]]:
    """A row a regime: name, summary, trains, options with their defaults, randomized, source.

    lr: default rates of the regimes trained by gradient descent, training: the options that all of
    them share; "" elsewhere.
    """
    rows = []
    for regime in list_regimes():
        trained = issubclass(regime.options, TrainingOptions)
        shared = set(TrainingOptions.model_fields) if trained else set()
        options: dict[bool, list[str]] = {True: [], False: []}
        for name, field in regime.options.model_fields.items():
            default = format_value(field.get_default(call_default_factory=True))
            options[name in shared].append(f"{name}={default}")
        rates: dict[str, float] = getattr(regime, "default_lr", {})
        rows.append(
            {
                "name": regime.name,
                "summary": regime.summary,
                "trains": regime.trains,
                "options": "+".join(options[False]),
                "lr": ", ".join(f"{family}: {rate:g}" for family, rate in rates.items()),
                "training": "+".join(options[True]),
                "positional": regime.positional,
                "randomized": regime.randomized,
                "source": regime.source,
            }
        )
    return rows


def parse_options(call: RegimeCall) -> Options:
    """The options of a regime as it was called, defaults filled in.

    Raises InputError on an unknown regime or option, or a value that an option cannot take.
    """
    return read_options(get_regime(call.name), call)


def canonical(call: RegimeCall) -> RegimeCall:
    """The one spelling of a call: options in the regime's order, the positional one unnamed and
    first, those at their defaults left out.

    Raises InputError as parse_options does.
    """
    regime = get_regime(call.name)
    given = read_options(regime, call)
    fields = regime.options.model_fields
    options: dict[str, Value] = {}
    for name in sorted(fields, key=lambda name: name != regime.positional):
        value = format_value(getattr(given, name))
        # Not equality: 1 and 1.0 are two options, a count and a share.
        if value != format_value(fields[name].get_default(call_default_factory=True)):
            options["" if name == regime.positional else name] = parse_value(value)
    return RegimeCall(name=call.name, options=options)


def _plugins() -> dict[str, metadata.EntryPoint]:
    found: dict[str, metadata.EntryPoint] = {}
    for point in metadata.entry_points(group=GROUP):
        if point.name in BUILT_IN or point.name in found:
            raise InputError(
                f"the plugin '{point.value}' takes the regime name '{point.name}', "
                "which is taken already; uninstall it or rename its entry point"
            )
        found[point.name] = point
    return found
