from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.values import csv_fields, parse_bool, parse_number, parse_size


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("t", True), ("TRUE", True), ("True", True), ("0", False), ("F", False), ("tRue", None), ("", None)],
)
def test_truth(text: str, value: bool | None) -> None:  # noqa: FBT001
    assert parse_bool(text) is value


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("32", 32),
        ("32b", 32),
        ("32k", 32 << 10),
        ("32KB", 32 << 10),
        ("1.5GiB", 3 << 29),
        ("1 g", 1 << 30),
        (".5k", 512),
        ("1.m", 1 << 20),
        ("2p", 2 << 50),
        ("", None),
        ("k", None),
        ("-1", None),
        ("1x", None),
        ("1ib", None),
        ("1  k", None),
        ("9" * 30, None),
        ("1e3", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "base", "number"),
    [
        ("0755", 8, 0o755),
        ("8", 8, None),
        ("1000", 10, 1000),
        ("4294967295", 10, 2**32 - 1),
        ("4294967296", 10, None),
        ("", 10, None),
        ("-1", 10, None),
        ("1_0", 10, None),
        ("١", 10, None),
        ("9" * 30, 10, None),
    ],
)
def test_numbers(text: str, base: int, number: int | None) -> None:
    assert parse_number(text, base) == number


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a=b,c", ["a=b", "c"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"a""b"', ['a"b']),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        ('""', [""]),
    ],
)
def test_fields(text: str, fields: list[str]) -> None:
    assert csv_fields(text) == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "EOF"),
        ('a"b', 'parse error on line 1, column 2: bare " in non-quoted-field'),
        ('"a', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'),
        ('"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        csv_fields(text)
    assert caught.value.reason == message


@given(st.lists(st.text('ab," ', max_size=4), min_size=1, max_size=4).filter(lambda fields: fields != [""]))
def test_what_a_writer_wrote(fields: list[str]) -> None:
    lines: list[str] = []

    class Sink:
        def write(self, line: str) -> int:
            lines.append(line)
            return len(line)

    csv.writer(Sink(), lineterminator="").writerow(fields)
    assert csv_fields("".join(lines)) == fields
