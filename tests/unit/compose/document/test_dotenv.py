"""Files of variables."""

from __future__ import annotations

import pytest

from havre.compose.document.dotenv import parse_dotenv, parse_raw
from havre.compose.errors import InvalidFile


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB = two words \n", {"A": "1", "B": "two words"}),
        ("# note\n\nexport A=1\n", {"A": "1"}),
        ("A=1 # note\nB=1#2\n", {"A": "1", "B": "1#2"}),
        ("A='$X # \\n'\n", {"A": "$X # \\n"}),
        ('A="a\\nb \\" $B ${C:-c}"\n', {"A": 'a\nb " outer c'}),
        ('A="one\ntwo"\nB=3\n', {"A": "one\ntwo", "B": "3"}),
        ("A=1\nB=${A}2\n", {"A": "1", "B": "12"}),
        ("A\nB=\n", {"A": None, "B": ""}),
        ("A: yaml\n", {"A": "yaml"}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ('A="\\$B"\n', {"A": "$B"}),
        ("A=\n# x\nB=1", {"A": "", "B": "1"}),
    ],
)
def test_values(text: str, found: dict[str, str | None]) -> None:
    assert parse_dotenv(text, ".env", {"B": "outer"} if "$B" in text else {}) == found


def test_the_environment_wins_in_values() -> None:
    assert parse_dotenv("A=1\nB=$A\n", ".env", {"A": "outer"}) == {"A": "1", "B": "outer"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nB b=2\n", ".env:2: invalid variable 'B b=2': NAME=value expected"),
        ("\nA='x\n", ".env:2: a quote is not closed"),
        ("A='x' y\n", ".env:1: unexpected 'y' behind a quoted value"),
        ("A=${B\n", ".env:1: invalid interpolation format"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_dotenv(text, ".env", {})
    assert str(caught.value).startswith(message)


def test_raw() -> None:
    assert parse_raw("# c\nA='1' # x\nB=$C\nD\n", "f") == {"A": "'1' # x", "B": "$C", "D": None}
