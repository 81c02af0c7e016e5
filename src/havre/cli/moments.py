"""`--since` and `--until`: a moment, or how long ago it was."""

from __future__ import annotations

import time

from havre.cli.units import parse_duration_ns


def moment(text: str) -> str:
    """Seconds since the epoch with a fraction, as the API takes them; "" stays so.

    What is neither a duration nor a date goes on to the daemon, which refuses it.
    """
    if not text:
        return ""
    try:
        return _unix(time.time_ns() - parse_duration_ns(text))
    except ValueError:
        pass
    if text.replace(".", "").isdecimal():
        return text
    from datetime import datetime

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return _unix(int(when.timestamp() * 1_000_000) * 1000)


def _unix(time_ns: int) -> str:
    seconds, nanos = divmod(time_ns, 10**9)
    return f"{seconds}.{nanos:09d}"
