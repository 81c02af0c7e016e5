from __future__ import annotations

import pytest

from havre.build.dockerfile.directives import Directives, syntax_of
from havre.build.dockerfile.errors import Location, ParseError


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("# syntax=docker/dockerfile:1", "syntax", "docker/dockerfile:1"),
        ("#ESCAPE = `", "escape", "`"),
        ("#\tcheck=skip=all;error=true \t", "check", "skip=all;error=true"),
    ],
)
def test_directives(line: str, name: str, value: str) -> None:
    found = Directives().read(line, 3)
    assert found is not None
    assert (found.name, found.value, found.location) == (name, value, Location(3, 3))


@pytest.mark.parametrize("line", ["# syntax", "# other=1", "# syntax=", "# syntax= ", "FROM a", "", "# a b=c"])
def test_the_first_other_line_ends_them(line: str) -> None:
    directives = Directives()
    assert directives.read(line, 1) is None
    assert directives.read("# syntax=a", 2) is None
    assert directives.found == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["# check=a", "# CHECK=b"], "dockerfile parse error on line 2: only one check parser directive can be used"),
        (
            ["# escape=x"],
            "dockerfile parse error on line 1: invalid escape token 'x' does not match ` or \\",
        ),
    ],
)
def test_what_is_refused(lines: list[str], message: str) -> None:
    directives = Directives()
    with pytest.raises(ParseError) as caught:
        _ = [directives.read(line, number) for number, line in enumerate(lines, 1)]
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("# syntax=a b\nFROM x", "a"),
        ("#!/usr/bin/env x\n# syntax=a", "a"),
        ("# escape=`\n# syntax=a", "a"),
        ("// syntax=a\n", "a"),
        ('{"syntax": "a", "x": [1]}', "a"),
        ('#!/x\n{"syntax": "a"}', "a"),
        ('{"syntax": 1}', None),
        ('{"x": 1}', None),
        ("{", None),
        ("# x\n# syntax=a", None),
        ("# escape=x\n# syntax=a", None),
        ("FROM a", None),
        ("", None),
    ],
)
def test_the_reader_that_a_file_wants(text: str, syntax: str | None) -> None:
    assert syntax_of(text) == syntax
