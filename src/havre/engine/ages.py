"""Moments as filters give them: `24h`, `1700000000`, `2026-01-02T03:04:05Z`, `2026-01-02`."""

import re
from typing import Final

from havre.base.clock import parse_rfc3339
from havre.base.errors import InvalidInput

_NS: Final = 1_000_000_000
_PART: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(ns|us|µs|ms|s|m|h)", re.ASCII)
_UNITS: Final = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "ms": 1_000_000,
    "s": _NS,
    "m": 60 * _NS,
    "h": 3600 * _NS,
}
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_MINUTE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}\Z", re.ASCII)
_UNIX: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?\Z", re.ASCII)


def parse_until(values: frozenset[str], now_ns: int) -> int:
    """The moment that the one value of an `until` filter means; the present without one. Raises InvalidInput."""
    if not values:
        return now_ns
    if len(values) > 1:
        raise InvalidInput("more than one until filter specified")
    return parse_moment(next(iter(values)), now_ns)


def parse_moment(text: str, now_ns: int) -> int:
    """Nanoseconds since the epoch of a duration before *now_ns*, a Unix time or a date. Raises InvalidInput."""
    if (unix := _UNIX.match(text)) is not None:
        return int(unix[1]) * _NS + int((unix[2] or "0").ljust(9, "0"))
    if (duration := _duration(text)) is not None:
        return now_ns - duration
    try:
        return parse_rfc3339(_with_time(text))
    except (ValueError, OverflowError):
        raise InvalidInput(f"invalid timestamp or duration: {text[:64]!r}") from None


def _with_time(text: str) -> str:
    """A date alone, or without seconds, as the whole moment that it begins."""
    if _DATE.match(text):
        return f"{text}T00:00:00"
    return f"{text}:00" if _MINUTE.match(text) else text


def _duration(text: str) -> int | None:
    total, position = 0, 0
    while (part := _PART.match(text, position)) is not None:
        whole, fraction, unit = part.groups()
        total += int(whole) * _UNITS[unit]
        if fraction:
            total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
        position = part.end()
    return total if text and position == len(text) else None
