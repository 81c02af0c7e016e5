"""Sizes, durations and ages, typed and shown."""

from __future__ import annotations

import pytest

from havre.cli import units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100", 100),
        ("1k", 1024),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("2GiB", 2 << 30),
        ("3MB", 3 << 20),
        ("4b", 4),
    ],
)
def test_typed_sizes(text: str, size: int) -> None:
    assert units.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "abc", "-1", "1x", "1 2", "1kk", "m", "inf", "1e3", "1_0", "1.2.3k", "٣"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid (size|suffix): "):
        units.parse_bytes(text)


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0B"), (999, "999B"), (1840, "1.84kB"), (166_000_000, "166MB"), (1_000_000, "1MB")]
)
def test_shown_sizes(size: int, shown: str) -> None:
    assert units.show_size(size) == shown


def test_shown_memory() -> None:
    assert units.show_memory(8_162_000_000) == "7.601GiB"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0", 0), ("1s", 10**9), ("1m30s", 90 * 10**9), ("1h2m3.5s", 3723_500_000_000), ("5ms", 5_000_000)],
)
def test_typed_durations(text: str, nanoseconds: int) -> None:
    assert units.parse_duration_ns(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1h2", "1.2.3s", "infs"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r'(invalid|missing unit in|unknown unit ".*" in) duration'):
        units.parse_duration_ns(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.2, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (150, "2 minutes"),
        (3600, "About an hour"), (7200, "2 hours"), (47 * 3600, "47 hours"), (3 * 86400, "3 days"),
        (20 * 86400, "2 weeks"),
        (100 * 86400, "3 months"), (800 * 86400, "2 years"),
    ],
)  # fmt: skip
def test_shown_durations(seconds: float, shown: str) -> None:
    assert units.show_duration(seconds) == shown


def test_cpus_are_exact() -> None:
    assert units.parse_cpus("1.5") == 1_500_000_000
    with pytest.raises(ValueError, match="too precise"):
        units.parse_cpus("0.0000000001")
