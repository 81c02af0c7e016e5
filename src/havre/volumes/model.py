"""The values of this room: a volume, its name, and what its driver was asked for. Nothing here does I/O."""

import re
from typing import Final

import msgspec

from havre.base.errors import Conflict, InvalidInput, NotFound

LOCAL: Final = "local"
SIZE: Final = "size"
"""The option that says how much a volume may hold."""

ANONYMOUS: Final = "com.docker.volume.anonymous"
"""The label of a volume that got its name from the engine."""

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_MAX_NAME: Final = 255
_OPTIONS: Final = frozenset({"type", "device", "o", SIZE})
_SIZE: Final = re.compile(r"(\d{1,15})([kmgtp]?)(?:i?b)?\Z", re.ASCII | re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SMALLEST_BYTES: Final = 8 << 20


class NoSuchVolume(NotFound):
    """No volume has this name."""


class VolumeInUse(Conflict):
    """Containers hold the volume."""


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for: a volume of that name, there already or new. An empty *driver* is any, or `local`."""

    name: str
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    driver: str = ""


class NameTaken(Conflict):
    """A volume of this name exists, and is another one than was asked for."""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume as it is written down in its own folder. *options* are those of its *driver*."""

    name: str
    created_ns: int
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    driver: str = LOCAL

    @property
    def anonymous(self) -> bool:
        """Whether it goes with its last container."""
        return ANONYMOUS in self.labels

    @property
    def mounts(self) -> bool:
        """Whether its content is a file system to be mounted at its first use."""
        return bool(self.options) or self.driver != LOCAL

    @property
    def foreign(self) -> bool:
        """Whether what is mounted was there before the volume, and is nobody's to copy or to fill."""
        return bool(self.options.keys() - {SIZE}) or self.driver != LOCAL

    @property
    def limit_bytes(self) -> int:
        """How much it may hold, file system included; 0: whatever the disk holds."""
        return parse_size(self.name, self.options[SIZE]) if SIZE in self.options and self.driver == LOCAL else 0


def parse_name(name: str) -> str:
    """A name that a volume may have. Raises InvalidInput in Docker's words."""
    if len(name) == 1:
        raise InvalidInput(
            f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if len(name) > _MAX_NAME or not _NAME.match(name):
        shown = name[:_MAX_NAME]
        raise InvalidInput(
            f'create {shown}: "{shown}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    return name


def parse_options(name: str, options: dict[str, str]) -> dict[str, str]:
    """What the local driver understands: `type`, `device` and `o`, or `size`. Raises InvalidInput."""
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise InvalidInput(f'create {name}: invalid option: "{min(unknown)[:64]}"')
    if SIZE in options:
        parse_size(name, options[SIZE])
        if len(options) > 1:
            raise InvalidInput(f"create {name}: a size is for a volume on this disk, not for another file system")
    elif options:
        for needed in ("device", "type"):
            if not options.get(needed) and not _binds(options):
                raise InvalidInput(f'create {name}: missing required option: "{needed}"')
    return dict(options)


def parse_size(name: str, text: str) -> int:
    """Bytes as Docker writes them (`512m`, `10GB`, in powers of 1024), in whole megabytes. Raises InvalidInput."""
    found = _SIZE.match(text)
    if not found:
        raise InvalidInput(f"create {name}: invalid size: '{text[:64]}'")
    size = int(found[1]) << 10 * _POWERS[found[2].lower()]
    if not _SMALLEST_BYTES <= size < 1 << 54:
        raise InvalidInput(f"create {name}: invalid size: '{text[:64]}' is less than 8 MB or more than a disk holds")
    return size >> 20 << 20


def _binds(options: dict[str, str]) -> bool:
    return bool(options.get("device")) and "bind" in options.get("o", "").split(",")
