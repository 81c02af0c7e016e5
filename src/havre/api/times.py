"""Moments in queries: seconds since the epoch with up to nine decimals, which clients make of what people type."""

from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int

_NS: Final = 1_000_000_000
_DIGITS: Final = 9


def parse_moment(text: str, *, what: str) -> int | None:
    """Nanoseconds since the epoch, or None for an empty *text*. Raises InvalidInput naming *what*."""
    if not text:
        return None
    whole, _, fraction = text.partition(".")
    seconds = parse_int(whole, what=what, low=-(1 << 33), high=1 << 33)
    if not fraction:
        return seconds * _NS
    if len(fraction) > _DIGITS:
        raise InvalidInput(f"invalid {what}: {text[:64]!r}")
    return seconds * _NS + parse_int(fraction.ljust(_DIGITS, "0"), what=what)
