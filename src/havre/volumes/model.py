"""The values of this room: a volume, its name, and what its driver was asked for. Nothing here does I/O."""

import re
from typing import Final

import msgspec

from havre.base.errors import Conflict, InvalidInput, NotFound

LOCAL: Final = "local"
ANONYMOUS: Final = "com.docker.volume.anonymous"
"""The label of a volume that got its name from the engine."""

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_MAX_NAME: Final = 255
_OPTIONS: Final = frozenset({"type", "device", "o"})


class NoSuchVolume(NotFound):
    """No volume has this name."""


class VolumeInUse(Conflict):
    """Containers hold the volume."""


class NameTaken(Conflict):
    """A volume of this name exists, and is another one than was asked for."""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume as it is written down in its own folder. *options* are those of the local driver."""

    name: str
    created_ns: int
    labels: dict[str, str] = {}
    options: dict[str, str] = {}

    @property
    def anonymous(self) -> bool:
        """Whether it goes with its last container."""
        return ANONYMOUS in self.labels

    @property
    def mounts(self) -> bool:
        """Whether its content is a file system to be mounted at its first use."""
        return bool(self.options)


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
    """What the local driver understands: `type`, `device` and `o`. Raises InvalidInput."""
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise InvalidInput(f'create {name}: invalid option: "{min(unknown)[:64]}"')
    if options:
        for needed in ("device", "type"):
            if not options.get(needed) and not _binds(options):
                raise InvalidInput(f'create {name}: missing required option: "{needed}"')
    return dict(options)


def _binds(options: dict[str, str]) -> bool:
    return bool(options.get("device")) and "bind" in options.get("o", "").split(",")
