"""Lists of processors and memory nodes as cpuset(7) writes them: `0-3,5`."""

from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int

_HIGHEST: Final = 8192


def parse_set(text: str) -> frozenset[int]:
    """The numbers that *text* lists. Raises InvalidInput, also for numbers that no machine has."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = parse_int(first, what="cpuset", high=_HIGHEST)
        high = parse_int(last, what="cpuset", high=_HIGHEST) if dash else low
        if high < low:
            raise InvalidInput(f"invalid cpuset: {part[:64]!r} ends before it begins")
        numbers.update(range(low, high + 1))
    return frozenset(numbers)
