"""Go's durations, as Docker's configuration files write them: `1h30m`, `500ms`; a plain number is nanoseconds."""

import re
from typing import Final

from havre.base.errors import InvalidInput

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)")


def parse_duration(value: str | int, what: str) -> float:
    """Seconds. Raises InvalidInput for what is no duration, or a negative one."""
    if isinstance(value, int):
        if value < 0:
            raise InvalidInput(f"invalid {what}: {value} is negative")
        return value * 1e-9
    if value == "0":
        return 0.0
    parts = _PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise InvalidInput(f"invalid {what}: {value[:64]!r} is no duration like 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
