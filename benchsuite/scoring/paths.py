"""The ways in which each family scores a continuation. Pure: no torch."""

from __future__ import annotations

from benchsuite.errors import InputError

# The first is the family's default for a continuation after a context.
PATHS: dict[str, tuple[str, ...]] = {
    # sum of log p(token | everything before it)
    "decoder": ("sum",),
    # cloze: all of the continuation's tokens masked jointly, one pass. pll: each masked in turn
    # (Salazar et al. 2020). pll_within_word: with it the later tokens of its word (Kauf and
    # Ivanova 2023).
    "encoder": ("cloze", "pll", "pll_within_word"),
    # sum: context into the encoder, continuation out of the decoder. span: each word in turn
    # replaced by one sentinel, and scored as its filling. whole_span: all of the continuation as
    # the one filling.
    "encoder-decoder": ("sum", "span", "whole_span"),
}


def resolve_path(family: str, path: str | None) -> str:
    """The path asked for, or the family's default. Raises InputError for one it does not have."""
    if path is None:
        return PATHS[family][0]
    if path not in PATHS[family]:
        article = "an" if family.startswith("e") else "a"
        raise InputError(
            f"no scoring path '{path}' for {article} {family}; it has {', '.join(PATHS[family])}"
        )
    return path
