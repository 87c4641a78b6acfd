"""Keys that stand twice, at every depth."""

import yaml

from benchsuite.yaml_keys import repeated_keys


def test_keys_that_stand_twice_are_found_at_every_depth():
    text = "a: 1\nb:\n  - {c: 1, c: 2}\n  - {c: 3}\na:\n  d: 1\n  e: 1\n  d: 2\n"
    found = list(repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader)))
    assert sorted(found) == [("a", 5, 1), ("c", 3, 3), ("d", 8, 6)]


def test_one_key_in_two_mappings_is_no_repetition():
    assert not list(repeated_keys(yaml.compose("a: {b: 1}\nc: {b: 1}\n", Loader=yaml.SafeLoader)))
