"""YAML: scalars of the core schema, places, merges, and what is refused before it costs anything."""

from __future__ import annotations

import pytest

from havre.compose.document.nodes import Table
from havre.compose.document.yaml_text import plain_value, read_yaml
from havre.compose.errors import InvalidFile
from havre.compose.model.readers import plain


def read(text: str) -> object:
    return plain(read_yaml(text, "f.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0644", 420),
        ("089", 89),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    found = plain_value(text)
    assert (found, type(found)) == (value, type(value))


def test_quoted_scalars_are_texts() -> None:
    assert read("a: '12'\nb: \"true\"\nc: !!str 5\n") == {"a": "12", "b": "true", "c": "5"}


def test_merge_keys_and_their_order() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert read(text) == {"a": {"x": 1, "y": 1}, "b": {"y": 2, "z": 2}, "c": {"x": 3, "y": 1, "z": 2}}


def test_places_are_lines() -> None:
    tree = read_yaml("a:\n  b:\n    - x\n", "f.yaml")
    inner = tree.entries["a"]
    assert isinstance(inner, Table)
    assert str(inner.place_of("b")) == "f.yaml:2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "f.yaml:2: mapping key 'a' already defined at line 1"),
        ("a: *b\n", "f.yaml:1: unknown anchor 'b' referenced"),
        ("a: &a {b: *a}\n", "f.yaml:1: anchor 'a' contains itself"),
        ("- a\n", "f.yaml:1: top-level object must be a mapping"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: only one document is allowed in a compose file"),
        ("a: !own x\n", "f.yaml:1: unknown tag !own"),
        ("a: {b: [c\n", "f.yaml:2: yaml: did not find expected ',' or ']'"),
        ("a:\n  <<: 5\n", "f.yaml:2: a mapping or a list of mappings expected behind <<"),
    ],
)
def test_faults_have_places(text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read(text)
    assert str(caught.value) == message


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(InvalidFile, match="too large"):
        read("\n".join(lines))


def test_merges_that_grow_are_refused() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: v" for i in range(300)) + "}"]
    lines += [f"b{i}: {{<<: *a0, x: [*a0, *a0, *a0, *a0]}}" for i in range(100)]
    with pytest.raises(InvalidFile, match="too large"):
        read("all:\n" + "\n".join(f"  {line}" for line in lines))


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "a: " + "- " * 5000])
def test_deep_nests_are_refused(text: str) -> None:
    with pytest.raises(InvalidFile):
        read(text)


def test_a_file_of_a_hundred_thousand_services_is_refused() -> None:
    text = "services:\n" + "".join(f"  s{i}: {{image: i}}\n" for i in range(100_000))
    with pytest.raises(InvalidFile, match="too large"):
        read(text)
