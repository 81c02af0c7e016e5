"""Which version of the API a request speaks."""

import re
from typing import Final

from havre.base.errors import InvalidInput
from havre.wire.versions import MAX_API, MIN_API, parse

_PREFIX: Final = re.compile(r"/v([0-9][0-9.]*)(?=/)")


def _numbers(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or "0")


NEWEST: Final = _numbers(MAX_API)
OLDEST: Final = _numbers(MIN_API)


def split_version(path: str) -> tuple[str, str]:
    """The version prefix of *path* (or nothing) and the rest."""
    found = _PREFIX.match(path)
    return (found[1], path[found.end() :]) if found else ("", path)


def negotiate(text: str) -> tuple[int, int]:
    """The version to answer in; without a prefix the newest. Raises InvalidInput in Docker's words."""
    if not text:
        return NEWEST
    asked = parse(text)
    if asked is None:
        raise InvalidInput(f"invalid API version: {text[:32]}")
    if asked < OLDEST:
        raise InvalidInput(
            f"client version {text} is too old. Minimum supported API version is {MIN_API}, "
            "please upgrade your client to a newer version"
        )
    if asked > NEWEST:
        raise InvalidInput(f"client version {text} is too new. Maximum supported API version is {MAX_API}")
    return asked
