"""Durations, sizes and modes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.compose.model.values import Duration, Mode, Size


@pytest.mark.parametrize(
    ("text", "nanos", "shown"),
    [
        ("1m30s", 90 * 10**9, "1m30s"),
        ("1h", 3600 * 10**9, "1h0m0s"),
        ("1.5s", 1_500_000_000, "1.5s"),
        ("100ms", 10**8, "100ms"),
        ("2us", 2000, "2µs"),
        ("0", 0, "0s"),
        ("2d", 172_800 * 10**9, "48h0m0s"),
    ],
)
def test_durations(text: str, nanos: int, shown: str) -> None:
    found = Duration.parse(text)
    assert (int(found), str(found)) == (nanos, shown)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_duration_that_is_shown_means_the_same(nanos: int) -> None:
    shown = str(Duration(nanos - nanos % 1000))
    assert abs(Duration.parse(shown) - (nanos - nanos % 1000)) <= 1000


@pytest.mark.parametrize("text", ["5", "5 s", "s", "1x", "-1s", "1m 30s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5", 5),
        ("5b", 5),
        ("1k", 1024),
        ("1kb", 1024),
        ("2M", 2 << 20),
        ("1.5gb", 3 << 29),
        ("1GiB", 1 << 30),
        ("-1", -1),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert Size.parse(text) == size
    assert str(Size.parse(text)) == str(size)


@pytest.mark.parametrize("text", ["", "x", "5x", "5 monkeys", "1e3", "-5"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        Size.parse(text)


def test_modes() -> None:
    assert str(Mode(0o440)) == "0440"
