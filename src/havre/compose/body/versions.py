"""Which version of the Engine API can take what."""

from __future__ import annotations

from typing import Final

ApiVersion = tuple[int, int]

SEVERAL_ENDPOINTS: Final[ApiVersion] = (1, 44)
ENDPOINT_MAC: Final[ApiVersion] = (1, 44)


def parse_version(text: str) -> ApiVersion:
    """`1.44` as numbers."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)
