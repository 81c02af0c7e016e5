"""What the short and long forms of every kind of mount have in common: pure."""

import posixpath
import re
from typing import Final

from havre.base.errors import InvalidInput
from havre.engine.model import IdMap
from havre.engine.settings import MountWish

PROPAGATIONS: Final = frozenset(["private", "rprivate", "shared", "rshared", "slave", "rslave"])
_ID_MAP: Final = re.compile(
    r"(?:^|,)idmap=([0-9]{1,10}):([0-9]{1,10})(?:/([0-9]{1,10}):([0-9]{1,10}))?(?=,|\Z)", re.ASCII
)
_MAX_ID: Final = 2**32 - 2


def destination_of(given: str) -> str:
    """The place inside, in its shortest form. Raises InvalidInput."""
    if not given:
        raise InvalidInput("field Target must not be empty")
    if not given.startswith("/"):
        raise InvalidInput(f"invalid mount path: '{given}' mount path must be absolute")
    if "\0" in given or "\n" in given:
        raise InvalidInput(f"invalid mount path: {given!r} holds a control character")
    clean = "/" + posixpath.normpath(given).lstrip("/")
    if clean == "/":
        raise InvalidInput("invalid specification: destination can't be '/'")
    return clean


def refuse_options(wish: MountWish, *, own: str) -> None:
    """Raises InvalidInput for options of another kind than *own*."""
    given = {
        "BindOptions": wish.bind_options,
        "VolumeOptions": wish.volume_options,
        "ImageOptions": wish.image_options,
        "TmpfsOptions": wish.tmpfs_options,
        "ClusterOptions": wish.cluster_options,
    }
    for name, value in given.items():
        if name != own and value is not None:
            raise InvalidInput(f"field {name} must not be specified")


def split_id_map(mode: str) -> tuple[str, IdMap | None]:
    """*mode* without `idmap=HOST:INSIDE[/HOST-GROUP:INSIDE-GROUP]`, and what that says. Raises InvalidInput."""
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
