"""Which versions of the Engine API are spoken, and how they are compared."""

from typing import Final

MIN_API: Final = "1.24"
MAX_API: Final = "1.50"
ENGINE_VERSION: Final = "28.2.2"
"""The Docker release whose behaviour is followed: what clients read from the Server header and /version."""

NEWEST: Final = (1, 50)
"""MAX_API as numbers."""

MULTIPLEXED_SINCE: Final = (1, 42)
"""From here on a stream without a terminal says multiplexed-stream; before, raw-stream always."""


def parse(text: str) -> tuple[int, int] | None:
    """The numbers of `1.43`, or None when *text* is not a version of that form."""
    major, dot, minor = text.partition(".")
    if not (dot and _is_number(major) and _is_number(minor)):
        return None
    return int(major), int(minor)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3
