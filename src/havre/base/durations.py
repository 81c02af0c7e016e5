"""Durations as Go writes them: `1h2m3.5s`."""

import re
from typing import Final

from havre.base.errors import InvalidInput

_NUMBER: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_UNIT: Final = re.compile(r"[^0-9.]*", re.ASCII)
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_MAX_NS: Final = 2**63 - 1
_MAX_DIGITS: Final = 19
_SHOWN: Final = 100


def parse_duration(text: str) -> int:
    """Nanoseconds of *text*. Raises InvalidInput in Go's words."""
    body = text[1:] if text[:1] in {"-", "+"} else text
    if body == "0":
        return 0
    shown = f'duration "{text[:_SHOWN]}"'
    total, position = 0, 0
    while position < len(body):
        number = _NUMBER.match(body, position)
        if number is None:
            raise InvalidInput(f"time: invalid {shown}")
        unit = body[number.end() : (position := _end_of_unit(body, number.end()))]
        if not unit:
            raise InvalidInput(f"time: missing unit in {shown}")
        if unit not in _UNITS:
            raise InvalidInput(f'time: unknown unit "{unit[:_SHOWN]}" in {shown}')
        whole, _, fraction = number.group().partition(".")
        if len(whole) > _MAX_DIGITS:
            raise InvalidInput(f"time: invalid {shown}")
        total += int(whole or "0") * _UNITS[unit] + int(fraction[:18].ljust(18, "0")) * _UNITS[unit] // 10**18
    if not body or total > _MAX_NS:
        raise InvalidInput(f"time: invalid {shown}")
    return -total if text.startswith("-") else total


def _end_of_unit(text: str, position: int) -> int:
    found = _UNIT.match(text, position)
    return position if found is None else found.end()
