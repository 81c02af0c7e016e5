"""`idmap=HOST:INSIDE` in the mode of a `-v`: which files belong to whom inside; pure."""

import re
from typing import Final

from havre.base.errors import InvalidInput
from havre.engine.model import IdMap

_ID_MAP: Final = re.compile(r"(?:^|,)idmap=(\d{1,10}):(\d{1,10})(?:/(\d{1,10}):(\d{1,10}))?(?=,|\Z)", re.ASCII)
_MAX_ID: Final = 2**32 - 2


def split_id_map(mode: str) -> tuple[str, IdMap | None]:
    """*mode* without `idmap=UID:INSIDE[/GID:INSIDE]`, and what that says; one pair is for both. Raises InvalidInput."""
    found = _ID_MAP.search(mode)
    if found is None:
        if "idmap" in mode:
            raise InvalidInput(f"invalid mode: {mode}: idmap=HOST:INSIDE or idmap=UID:UID/GID:GID is wanted")
        return mode, None
    numbers = [int(number) for number in found.groups() if number is not None]
    if max(numbers) > _MAX_ID:
        raise InvalidInput(f"invalid mode: {mode}: no such id")
    rest = (mode[: found.start()] + mode[found.end() :]).strip(",")
    return rest, IdMap(user=(numbers[0], numbers[1]), group=(numbers[-2], numbers[-1]))
