"""Large files of a context become part of a layer by a hard link instead of a copy: a sealed layer never changes.

Where a link cannot go through the overlay of a tree in work, an empty file holds the place; once nobody has the tree
mounted, the link takes it in the folder of changes itself.
"""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from havre.kernel.inroot import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

LEAST_BYTES = 64 << 10
_PLAIN = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_COPY_BYTES = 16 << 20
_STAGED = b".havre-shared"


@dataclass(slots=True)
class Shared:
    """The places that are held, by (folder, name) in the tree, and the file of the host that belongs there."""

    places: dict[tuple[bytes, bytes], str] = field(default_factory=dict)
    _inodes: set[tuple[int, int]] = field(default_factory=set)

    def takes(self, status: os.stat_result) -> bool:
        """Whether the file is large enough, has one name, and was not taken before: a layer would show a hard link."""
        identity = (status.st_dev, status.st_ino)
        if status.st_size < LEAST_BYTES or identity in self._inodes:
            return False
        self._inodes.add(identity)
        return True


def fill_places(changes: Path, places: Mapping[tuple[bytes, bytes], str]) -> None:
    """Put the files into the folder *changes* of a tree that nobody has mounted; where no link can be made, a copy."""
    root = os.open(changes, _FOLDER)
    try:
        for (head, name), source in places.items():
            folder = openat2(root, b"/" + head, _FOLDER, resolve=_PLAIN)
            try:
                _fill(folder, name, source)
            finally:
                os.close(folder)
    finally:
        os.close(root)


def _fill(folder: int, name: bytes, source: str) -> None:
    held = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(held.st_mode) or held.st_size:
        return  # something else was copied there later
    try:
        os.link(source, _STAGED, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EMLINK}:
            raise
        _copy(folder, source)
    os.rename(_STAGED, name, src_dir_fd=folder, dst_dir_fd=folder)


def _copy(folder: int, source: str) -> None:
    old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        new = os.open(_STAGED, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            while os.sendfile(new, old, None, _COPY_BYTES):
                pass
            status = os.fstat(old)
            os.fchmod(new, stat.S_IMODE(status.st_mode))
            os.utime(new, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(new)
    finally:
        os.close(old)
