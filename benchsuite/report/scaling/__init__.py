"""Scaling curves: zero-shot scores against tokens read and FLOPs spent, from records alone."""

from benchsuite.report.scaling.points import (
    Checkpoint,
    Panel,
    Point,
    Scaling,
    Score,
    collect,
    latest_within,
)

__all__ = ["Checkpoint", "Panel", "Point", "Scaling", "Score", "collect", "latest_within"]
