"""What stands in a root only so that something can be mounted there; Docker keeps it in a layer that it never shows."""

import os
import stat
from typing import Final

_FOLDERS: Final = frozenset({b"dev", b"dev/pts", b"dev/shm", b"dev/mqueue", b"etc", b"proc", b"sys"})
_FILES: Final = frozenset({b".dockerenv", b"dev/console", b"etc/hostname", b"etc/hosts", b"etc/resolv.conf"})


def is_placeholder(path: bytes, status: os.stat_result) -> bool:
    """Whether an entry that the image does not have is a place for a mount and no more."""
    if path in _FOLDERS:
        return stat.S_ISDIR(status.st_mode)
    return path in _FILES and stat.S_ISREG(status.st_mode) and status.st_size == 0
