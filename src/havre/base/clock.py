"""Time for display (wall clock, nanoseconds since the epoch) and its text forms.

Deadlines use `time.monotonic` and nothing of this module.
"""

import time
from datetime import UTC, datetime

ZERO_TIME = "0001-01-01T00:00:00Z"
_NS = 1_000_000_000


def now_ns() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()


def rfc3339(time_ns: int) -> str:
    """RFC 3339 in UTC with up to nine digits, trailing zeros cut, as Go's RFC3339Nano; 0 is Go's zero time."""
    if time_ns == 0:
        return ZERO_TIME
    seconds, nanos = divmod(time_ns, _NS)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{whole}{fraction}Z"


def rfc3339_fixed(time_ns: int) -> str:
    """RFC 3339 in UTC with always nine digits, as in the timestamps of `docker logs -t`."""
    seconds, nanos = divmod(time_ns, _NS)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanos:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 text with any offset. Raises ValueError."""
    if text == ZERO_TIME:
        return 0
    body, digits, zone = text, "", ""
    if "." in text:
        body, _, rest = text.partition(".")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        zone = rest[len(digits) :]
        body += zone
    moment = datetime.fromisoformat(body.replace("Z", "+00:00").replace("z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _NS + int(digits[:9].ljust(9, "0") or "0")
