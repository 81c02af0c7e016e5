"""Time for display (wall clock, nanoseconds since the epoch) and its text forms.

Deadlines use `time.monotonic` and nothing of this module.
"""

import re
import time
from datetime import UTC, datetime

ZERO_TIME = "0001-01-01T00:00:00Z"
_NS = 1_000_000_000
# `datetime.fromisoformat` takes far more than RFC 3339: weeks, commas, bare dates; without an offset UTC is meant.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def now_ns() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()


def rfc3339(time_ns: int) -> str:
    """RFC 3339 in UTC with up to nine digits, trailing zeros cut, as Go's RFC3339Nano; 0 is Go's zero time."""
    if time_ns == 0:
        return ZERO_TIME
    seconds, nanos = divmod(time_ns, _NS)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{_whole(seconds)}{fraction}Z"


def rfc3339_fixed(time_ns: int) -> str:
    """RFC 3339 in UTC with always nine digits, as in the timestamps of `docker logs -t`."""
    seconds, nanos = divmod(time_ns, _NS)
    return f"{_whole(seconds)}.{nanos:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 text with any offset, or none for UTC. Raises ValueError."""
    if text == ZERO_TIME:
        return 0
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError(f"not a moment of RFC 3339: {text[:64]!r}")
    whole, digits, zone = parts.groups(default="")
    moment = datetime.fromisoformat(whole.upper() + (zone if zone not in ("Z", "z") else ""))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _NS + int(digits[:9].ljust(9, "0"))


def _whole(seconds: int) -> str:
    at = time.gmtime(seconds)  # strftime(3) writes years before 1000 with fewer than four digits
    return f"{at[0]:04d}-{at[1]:02d}-{at[2]:02d}T{at[3]:02d}:{at[4]:02d}:{at[5]:02d}"
