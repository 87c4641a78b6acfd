"""Version of the scoring engine: raised whenever the same request would get another number."""

SCORER_VERSION = 3
