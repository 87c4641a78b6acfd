"""Candidate spans for entity tagging by prompt, and the tags that chosen spans make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]

MAX_TOKENS = 4

# Closed-class words of English. Names that double as one ("US", "May", "Such") decide what is
# left out: "us", "may" and "will" are not here.
_FUNCTION_WORDS = """
    a an the this that these those some any each every either neither no all both half several such
    i me my mine myself you your yours yourself he him his himself she her hers herself it its
    itself we our ours ourselves they them their theirs themselves who whom whose which what one
    and or but nor so yet for if unless until while although though because since when where
    whether than as after before of in on at by with from to into onto over under above below
    between among through during without within against about across along around behind beside
    besides beyond despite down near off out per toward towards up upon via till inside outside
    like except be am is are was were been being have has had having do does did doing done can
    could shall should would might must ought cannot not n't 's 'm 're 've 'll 'd there here then
    thus also too very more most less least only even just ever never how why again still already
    """
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


def is_content(token: str) -> bool:
    """Whether a token may stand in a candidate: it has a letter and is no function word."""
    return token.lower() not in FUNCTION_WORDS and any(char.isalpha() for char in token)


def candidate_spans(tokens: Sequence[str]) -> list[Span]:
    """Spans (start, end), end exclusive, of one to four content words, by start, then end.

    Neither capitals nor a tagger are consulted. On CoNLL-2003's validation split the candidates
    cover 97.0% of the gold entities with 13 candidates a sentence; three tokens would cover
    96.5%, function words inside a span 98% with 17 candidates.
    """
    spans: list[Span] = []
    for start in range(len(tokens)):
        for end in range(start + 1, min(start + MAX_TOKENS, len(tokens)) + 1):
            if not is_content(tokens[end - 1]):
                break
            spans.append((start, end))
    return spans


def entity_spans(tags: Iterable[str]) -> list[tuple[int, int, str]]:
    """Entities (start, end, type) of an IOB2 sequence; a stray I- opens an entity, as in conlleval.

    The last end is exclusive.
    """
    spans: list[tuple[int, int, str]] = []
    start, kind = 0, ""
    position = 0
    for position, tag in enumerate([*tags, "O"]):
        goes_on = bool(kind) and tag == f"I-{kind}"
        if goes_on:
            continue
        if kind:
            spans.append((start, position, kind))
        start, kind = position, tag[2:] if tag != "O" else ""
    return spans


def resolve(
    length: int, found: Sequence[tuple[Span, str, float]], labels: Sequence[str]
) -> tuple[int, ...]:
    """IOB2 tag indices of a sentence of `length` tokens from (span, type, margin).

    Where spans overlap the larger margin wins; equal margins go to the earlier start, then to the
    longer span.
    """
    tags = ["O"] * length
    order = sorted(found, key=lambda one: (-one[2], one[0][0], -one[0][1]))
    for (start, end), kind, _ in order:
        if any(tag != "O" for tag in tags[start:end]):
            continue
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    index = {label: number for number, label in enumerate(labels)}
    return tuple(index[tag] for tag in tags)
