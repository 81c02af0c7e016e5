"""Sizes, durations and ages in the grammars of Docker's command line: what is typed, and what is shown."""

from __future__ import annotations

import time

_SIZE_UNITS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def parse_bytes(text: str) -> int:
    """`512m`, `1.5GiB`, `100` (bytes); units are binary. Raises ValueError."""
    behind = max(text.rfind(sign) for sign in "0123456789. ") + 1
    number, unit = text[:behind].removesuffix(" "), text[behind:].lower()
    if not _is_number(number):
        raise ValueError(f"invalid size: '{text}'")
    short = unit if unit == "b" else unit.removesuffix("ib").removesuffix("b")
    if short not in _SIZE_UNITS:
        raise ValueError(f"invalid suffix: '{unit}'")
    return int(float(number) * 1024 ** _SIZE_UNITS[short])


def parse_swap_bytes(text: str) -> int:
    """The same, and -1 for unlimited."""
    return -1 if text == "-1" else parse_bytes(text)


def parse_duration_ns(text: str) -> int:
    """Go's durations, `1h2m3.5s`, in nanoseconds. Raises ValueError."""
    body = text.removeprefix("-").removeprefix("+")
    if body == "0":
        return 0
    total, at = 0.0, 0
    while at < len(body):
        end = at
        while end < len(body) and (body[end].isdigit() or body[end] == "."):
            end += 1
        stop = end
        while stop < len(body) and not (body[stop].isdigit() or body[stop] == "."):
            stop += 1
        if not _is_number(body[at:end]):
            raise ValueError(f'time: invalid duration "{text}"')
        if end == stop:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if body[end:stop] not in _DURATION_UNITS:
            raise ValueError(f'time: unknown unit "{body[end:stop]}" in duration "{text}"')
        total += float(body[at:end]) * _DURATION_UNITS[body[end:stop]]
        at = stop
    if not body:
        raise ValueError(f'time: invalid duration "{text}"')
    return int(-total if text.startswith("-") else total)


def _is_number(text: str) -> bool:
    whole, _, part = text.partition(".")
    digits = whole + part
    return digits.isascii() and digits.isdecimal() and len(digits) < 100


def parse_cpus(text: str) -> int:
    """`1.5` processors as nano-CPUs. Raises ValueError."""
    from fractions import Fraction

    try:
        nano = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if nano.denominator != 1:
        raise ValueError("value is too precise")
    return int(nano)


def show_size(size: float, digits: int = 3) -> str:
    """Decimal units with *digits* significant digits: `1.84kB`."""
    return _show(size, 1000.0, _DECIMAL, digits)


def show_memory(size: float) -> str:
    """Binary units with four significant digits: `7.602GiB`."""
    return _show(size, 1024.0, _BINARY, 4)


def show_duration(seconds: float) -> str:
    """`3 minutes`, `About an hour`, as Docker says it."""
    for limit, unit_s, unit in ((_MINUTE, 1, "second"), (_HOUR, _MINUTE, "minute"), (48 * _HOUR, _HOUR, "hour")):
        if seconds < limit:
            return _few(seconds, unit_s, unit)
    hours = round(seconds / _HOUR)
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"


def show_age(created_s: float) -> str:
    """How long ago a moment of the wall clock was."""
    return show_duration(max(0.0, time.time() - created_s)) + " ago"


def show_moment(seconds: int) -> str:
    """A moment of the wall clock with the zone it has here: `2026-11-23 21:09:38 +0000 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))


def _few(seconds: float, unit_s: int, unit: str) -> str:
    if seconds < 1:
        return "Less than a second"
    count = round(seconds / unit_s) if unit == "hour" else int(seconds) // unit_s
    if count == 1:
        return {"second": "1 second", "minute": "About a minute", "hour": "About an hour"}[unit]
    return f"{count} {unit}s"


def _show(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    step = 0
    while size >= base and step < len(units) - 1:
        size /= base
        step += 1
    return f"{size:.{digits}g}{units[step]}"
