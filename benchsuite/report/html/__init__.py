"""The leaderboard as one self-contained HTML file: no network, no clock, no random ids."""

from benchsuite.report.html.page import render

__all__ = ["render"]
