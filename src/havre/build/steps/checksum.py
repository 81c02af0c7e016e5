"""What files are, as one digest: names, kinds, modes, contents, links; not times nor owners, which COPY sets."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable

from havre.build.steps.picking import Picked
from havre.kernel.inroot import open_in_root
from havre.snapshots.walk import walk

_PIECE_BYTES = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CAPABILITY = "security.capability"
_KEPT_BITS = 0o7777

Leaves = Callable[[str], bool]
"""Whether a path below a source is to be left out."""


def checksum(root: int, picked: Iterable[Picked], leaves_out: Leaves | None = None) -> str:
    """The digest of all that *picked* name below *root*, sources in their order."""
    total = hashlib.sha256()
    buffer = bytearray(_PIECE_BYTES)
    for one in picked:
        total.update(b"S%s\0%d\0" % (os.fsencode(one.path if one.pivot else one.name), one.is_folder))
        if one.is_folder:
            _folder(total, root, one.path, leaves_out, buffer)
        else:
            handle = open_in_root(root, one.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                _file(total, handle, buffer)
            finally:
                os.close(handle)
    return total.hexdigest()


def _folder(total: "hashlib._Hash", root: int, path: str, leaves_out: Leaves | None, buffer: bytearray) -> None:
    folder = open_in_root(root, path, os.O_RDONLY | os.O_DIRECTORY)
    linked: dict[tuple[int, int], bytes] = {}
    try:
        for found in walk(folder):
            if leaves_out is not None and leaves_out(os.fsdecode(found.path)):
                continue
            status = found.status
            kind = stat.S_IFMT(status.st_mode)
            total.update(b"E%s\0%o\0%d\0" % (found.path, status.st_mode & (kind | _KEPT_BITS), status.st_rdev))
            if kind == stat.S_IFLNK:
                total.update(os.readlink(found.name, dir_fd=found.folder) + b"\0")
            elif kind == stat.S_IFREG:
                if status.st_nlink > 1:
                    first = linked.setdefault((status.st_dev, status.st_ino), found.path)
                    if first != found.path:
                        total.update(b"H%s\0" % first)
                        continue
                handle = os.open(found.name, _READ, dir_fd=found.folder)
                try:
                    _file(total, handle, buffer)
                finally:
                    os.close(handle)
    finally:
        os.close(folder)


def _file(total: "hashlib._Hash", handle: int, buffer: bytearray) -> None:
    status = os.fstat(handle)
    own = hashlib.sha256()
    if stat.S_ISREG(status.st_mode):
        view = memoryview(buffer)
        while count := os.readv(handle, [buffer]):
            own.update(view[:count])
    try:
        capability = os.getxattr(handle, _CAPABILITY)
    except OSError:
        capability = b""
    total.update(b"F%o\0%d\0%s%s" % (status.st_mode, status.st_size, own.digest(), capability))
