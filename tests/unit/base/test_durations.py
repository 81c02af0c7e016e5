from __future__ import annotations

import pytest

from havre.base.durations import parse_duration
from havre.base.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("1s", 10**9),
        ("1h2m3.5s", 3_723_500_000_000),
        ("1.5ms", 1_500_000),
        (".5us", 500),
        ("2µs", 2000),
        ("3ns", 3),
        ("-1s", -(10**9)),
        ("+1s", 10**9),
        ("1.s", 10**9),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", 'invalid duration ""'),
        ("s", 'invalid duration "s"'),
        (".s", 'invalid duration ".s"'),
        ("٣s", 'invalid duration "٣s"'),
        ("--1s", 'invalid duration "--1s"'),
        ("9" * 15 + "h", f'invalid duration "{"9" * 15}h"'),
        ("9" * 30 + "s", f'invalid duration "{"9" * 30}s"'),
        ("1", 'missing unit in duration "1"'),
        ("1s2", 'missing unit in duration "1s2"'),
        ("1x", 'unknown unit "x" in duration "1x"'),
        ("1 s", 'unknown unit " s" in duration "1 s"'),
        ("1e3s", 'unknown unit "e" in duration "1e3s"'),
        ("1_0s", 'unknown unit "_" in duration "1_0s"'),
    ],
)
def test_no_durations(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_duration(text)
    assert caught.value.message == f"time: {reason}"
