"""How long to wait before another attempt, and how many attempts there are."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int

_MAX_PAUSE_S: Final = 15.0
_MAX_ASKED_S: Final = 120.0


class Attempts:
    """A count of failures: *most* in a row are the end, and pauses double from *first_s*. Progress begins anew."""

    def __init__(self, most: int, first_s: float, chance: Callable[[], float] = random.random) -> None:
        self._most = max(1, most)
        self._first_s = first_s
        self._chance = chance
        self._failed = 0

    def progress(self) -> None:
        """What was tried has come a good deal further: earlier failures do not count."""
        self._failed = 0

    def failed(self, asked_s: float | None = None) -> float | None:
        """Seconds to wait before the next attempt, *asked_s* if the registry asked for them; None: no more."""
        self._failed += 1
        if self._failed >= self._most:
            return None
        if asked_s is not None:
            return asked_s
        # Some chance keeps many clients of one registry from coming back in the same moment.
        return min(self._first_s * 2.0 ** (self._failed - 1), _MAX_PAUSE_S) * (0.75 + self._chance() / 2)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that Retry-After asks for, at most 120 (RFC 9110, 10.2.3); None when it does not."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return min(float(parse_int(text, what="Retry-After")), _MAX_ASKED_S)
    except InvalidInput:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    left_s = float((moment - (now or datetime.now(UTC))).total_seconds())
    return min(max(0.0, left_s), _MAX_ASKED_S)
