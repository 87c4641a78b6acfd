"""Colours of scores, and what can be read on them."""

from __future__ import annotations

# Between the nine, red, green and blue are interpolated, so that a colour can be told from a score.
VIRIDIS = (
    *("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30"),
    "#fde725",
)


def viridis(score: float, low: float, high: float) -> str:
    """The colour of a score between the lowest and the highest one."""
    at = (len(VIRIDIS) - 1) * (score - low) / ((high - low) or 1.0)
    first = min(int(at), len(VIRIDIS) - 2)
    channels = zip(_channels(VIRIDIS[first]), _channels(VIRIDIS[first + 1]), strict=True)
    return "#" + "".join(f"{round(a + (at - first) * (b - a)):02x}" for a, b in channels)


def ink_on(colour: str) -> str:
    """Black or white, whichever has more contrast with a colour: always more than 4.5."""
    # The contrast with white is 1.05 / (l + 0.05), that with black (l + 0.05) / 0.05.
    return "#000000" if (luminance(colour) + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def luminance(colour: str) -> float:
    """Relative luminance from 0 (black) to 1, as WCAG 2 defines it."""
    parts = [part / 255 for part in _channels(colour)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> list[int]:
    """Red, green and blue of `#rrggbb`."""
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
