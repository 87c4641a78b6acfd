"""What YAML's own loader lets pass: keys that stand twice."""

from __future__ import annotations

from collections.abc import Iterator

import yaml


def repeated_keys(node: yaml.Node) -> Iterator[tuple[str, int, int]]:
    """(key, line, line of its first) of keys that stand twice in one mapping; lines from 1.

    YAML would silently keep the last of them.
    """
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from repeated_keys(child)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = int(key.start_mark.line) + 1
                if key.value in lines:
                    yield key.value, line, lines[key.value]
                lines.setdefault(key.value, line)
            yield from repeated_keys(value)
