"""Durations and sizes in the grammar of compose files."""

from __future__ import annotations

import re
from typing import Final

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d|w)", re.ASCII)
_UNITS_NS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 86400 * 10**9, "w": 7 * 86400 * 10**9,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)i?b?\Z", re.ASCII | re.IGNORECASE)
_EXPONENTS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class Duration(int):
    """Nanoseconds, shown as Go shows them: `1m30s`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError."""
        if text in ("0", ""):
            return cls(0)
        total, at = 0.0, 0
        while at < len(text):
            found = _DURATION.match(text, at)
            if found is None:
                raise ValueError(f"not a duration: {text!r} (1m30s expected)")
            total += float(found.group(1)) * _UNITS_NS[found.group(2)]
            at = found.end()
        return cls(round(total))

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return int(self) / 10**9

    def __str__(self) -> str:
        nanos = int(self)
        if nanos == 0:
            return "0s"
        if nanos < 10**9:
            unit, scale = ("ms", 10**6) if nanos >= 10**6 else ("µs", 10**3) if nanos >= 10**3 else ("ns", 1)
            return f"{nanos / scale:g}{unit}"
        seconds, fraction = divmod(nanos, 10**9)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        tail = f"{seconds}.{fraction:09d}".rstrip("0").rstrip(".") + "s" if fraction else f"{seconds}s"
        if hours:
            return f"{hours}h{minutes}m{tail}"
        return f"{minutes}m{tail}" if minutes else tail


class Size(int):
    """Bytes, shown as a text of digits as Compose shows them."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Size:
        """`512m`, `1.5gb`, `100`; units are binary. Raises ValueError."""
        if text == "-1":
            return cls(-1)
        found = _SIZE.match(text.strip())
        if found is None:
            raise ValueError(f"not a size: {text!r} (512m expected)")
        return cls(int(float(found.group(1)) * 1024 ** _EXPONENTS[found.group(2).lower()]))

    def __str__(self) -> str:
        return repr(int(self))


class Mode(int):
    """A file mode, shown in octal: `0440`."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{int(self):04o}"


NO_SIZE: Final = Size(0)
NO_TIME: Final = Duration(0)
