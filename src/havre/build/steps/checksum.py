"""What files are, as one digest: names, kinds, modes, contents, links; not times nor owners, which COPY sets."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from havre.build.steps.picking import Picked
from havre.kernel.inroot import open_in_root
from havre.snapshots.walk import Found, walk

_PIECE_BYTES = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CAPABILITY = "security.capability"

Leaves = Callable[[str], bool]
"""Whether a path below a source is to be left out."""


@dataclass(frozen=True, slots=True)
class SumWishes:
    """What counts besides: *owners* where they are kept, whole *paths* of sources where they are repeated."""

    leaves_out: Leaves | None = None
    owners: bool = False
    paths: bool = False


def checksum(root: int, picked: Iterable[Picked], wishes: SumWishes | None = None) -> str:
    """The digest of all that *picked* name below *root*, sources in their order."""
    return _Sum(root, wishes or SumWishes()).of(picked)


class _Sum:
    def __init__(self, root: int, wishes: SumWishes) -> None:
        self._root = root
        self._paths = wishes.paths
        self._leaves_out = wishes.leaves_out
        self._owners = wishes.owners
        self._total = hashlib.sha256()
        self._buffer = bytearray(_PIECE_BYTES)

    def of(self, picked: Iterable[Picked]) -> str:
        for one in picked:
            name = os.fsencode(one.path if self._paths else one.name)
            self._total.update(b"S%s\0%d\0%d\0" % (name, one.pivot, one.is_folder))
            if one.is_folder:
                self._folder(one.path)
            else:
                handle = open_in_root(self._root, one.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
                try:
                    self._file(handle)
                finally:
                    os.close(handle)
        return self._total.hexdigest()

    def _folder(self, path: str) -> None:
        folder = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
        linked: dict[tuple[int, int], bytes] = {}
        try:
            for found in walk(folder):
                if self._leaves_out is None or not self._leaves_out(os.fsdecode(found.path)):
                    self._entry(found, linked)
        finally:
            os.close(folder)

    def _entry(self, found: Found, linked: dict[tuple[int, int], bytes]) -> None:
        status, total = found.status, self._total
        kind = stat.S_IFMT(status.st_mode)
        owner = (status.st_uid, status.st_gid) if self._owners else (0, 0)
        device = status.st_rdev if kind in {stat.S_IFCHR, stat.S_IFBLK} else 0
        total.update(b"E%s\0%o\0%d\0%d:%d\0" % (found.path, status.st_mode, device, *owner))
        if kind == stat.S_IFLNK:
            total.update(os.readlink(found.name, dir_fd=found.folder) + b"\0")
        elif kind == stat.S_IFREG:
            if status.st_nlink > 1:
                first = linked.setdefault((status.st_dev, status.st_ino), found.path)
                if first != found.path:
                    total.update(b"H%s\0" % first)
                    return
            handle = os.open(found.name, _READ, dir_fd=found.folder)
            try:
                self._file(handle)
            finally:
                os.close(handle)

    def _file(self, handle: int) -> None:
        status = os.fstat(handle)
        own = hashlib.sha256()
        if stat.S_ISREG(status.st_mode):
            view = memoryview(self._buffer)
            while count := os.readv(handle, [self._buffer]):
                own.update(view[:count])
        try:
            capability = os.getxattr(handle, _CAPABILITY)
        except OSError:
            capability = b""
        owner = (status.st_uid, status.st_gid) if self._owners else (0, 0)
        self._total.update(b"F%o\0%d\0%d:%d\0%s%s" % (status.st_mode, status.st_size, *owner, own.digest(), capability))
