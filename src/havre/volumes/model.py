"""What a volume is, and the errors of this room."""

import re
from typing import Final

import msgspec

from havre.base.errors import Conflict, InvalidInput, NotFound

LOCAL: Final = "local"
ANONYMOUS_LABEL: Final = "com.docker.volume.anonymous"
"""Marks a volume whose name nobody chose."""
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_MAX_NAME: Final = 255


class NoSuchVolume(NotFound):
    """No volume has this name."""


class VolumeInUse(Conflict):
    """A container refers to it."""


class NameTaken(Conflict):
    """Another driver has a volume of this name."""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume as it is written down; *version* is that of the file. *options* are the driver's own."""

    name: str
    driver: str = LOCAL
    created_ns: int = 0
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    version: int = 1

    @property
    def anonymous(self) -> bool:
        """Whether nobody chose its name."""
        return ANONYMOUS_LABEL in (self.labels or {})


def check_name(name: str) -> None:
    """Raises InvalidInput for what is no name of a volume."""
    if len(name) == 1:
        raise InvalidInput(
            f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.match(name) or len(name) > _MAX_NAME:
        raise InvalidInput(
            f'create {name[:_MAX_NAME]}: "{name[:_MAX_NAME]}" includes invalid characters for a local volume name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
