"""What a tree in work changed: the plan behind `docker diff`."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.tree import is_whiteout
from havre.snapshots.walk import Found, walk

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NS = 1_000_000_000


class ChangeKind(Enum):
    """The letters that the command line shows."""

    MODIFIED = "C"
    ADDED = "A"
    DELETED = "D"


@dataclass(frozen=True, slots=True)
class Change:
    """One path, absolute in the tree."""

    path: bytes
    kind: ChangeKind


def changes(upper: int, below: int, without: Callable[[bytes, os.stat_result], bool] | None = None) -> Iterator[Change]:
    """What the overlay upper folder *upper* makes of the tree *below*, by path; both are open folders.

    A folder is modified when its own attributes are, or anything below it was; what was only touched by overlayfs is
    not. Of a folder that is gone, what it held is not told. *without* tells which added entries do not count.
    """
    finder = _Finder(upper, below, without)
    try:
        yield from finder.changes()
    finally:
        finder.close()


class _Finder:
    def __init__(self, upper: int, below: int, without: Callable[[bytes, os.stat_result], bool] | None) -> None:
        self._upper = upper
        self._below = below
        self._without = without
        self._parent: tuple[bytes, int] | None = None  # the last folder looked at below, -1 for one that is not there
        self._untold: list[bytes] = []  # folders on the way that are as below, as far as is known

    def changes(self) -> Iterator[Change]:
        for found in walk(self._upper):
            while self._untold and not found.path.startswith(self._untold[-1] + b"/"):
                self._untold.pop()
            for change in self._look(found):
                yield from (Change(b"/" + folder, ChangeKind.MODIFIED) for folder in self._untold)
                self._untold.clear()
                yield change

    def close(self) -> None:
        if self._parent is not None and self._parent[1] >= 0:
            os.close(self._parent[1])
        self._parent = None

    def _look(self, found: Found) -> Iterator[Change]:
        path, status = b"/" + found.path, found.status
        before = self._before(found.path)
        is_folder = stat.S_ISDIR(status.st_mode)
        if before is None:
            if not is_whiteout(status) and (self._without is None or not self._without(found.path, status)):
                yield Change(path, ChangeKind.ADDED)
            return
        if is_whiteout(status):
            yield Change(path, ChangeKind.DELETED)
            return
        if _differs(before, status):
            yield Change(path, ChangeKind.MODIFIED)
        elif is_folder:
            self._untold.append(found.path)
        if stat.S_ISDIR(before.st_mode) and (not is_folder or _is_opaque(found)):
            own = _names(found.folder, found.name) if is_folder else frozenset()
            for name in sorted(self._names_below(found.path) - own):
                yield Change(path + b"/" + name, ChangeKind.DELETED)

    def _before(self, path: bytes) -> os.stat_result | None:
        head, _, name = path.rpartition(b"/")
        if self._parent is None or self._parent[0] != head:
            self.close()
            self._parent = (head, self._open_below(head))
        if self._parent[1] < 0:
            return None
        try:
            return os.stat(name, dir_fd=self._parent[1], follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _open_below(self, path: bytes) -> int:
        try:
            return open_in_root(self._below, path or b".", _FOLDER)
        except KernelError as error:
            if error.errno in _ABSENT:
                return -1
            raise

    def _names_below(self, path: bytes) -> frozenset[bytes]:
        handle = self._open_below(path)
        if handle < 0:
            return frozenset()
        try:
            return _listed(handle)
        finally:
            os.close(handle)


def _differs(before: os.stat_result, now: os.stat_result) -> bool:
    """Whether two entries differ by what Docker looks at: not by content, and folders not by size and time."""
    if (before.st_mode, before.st_uid, before.st_gid, before.st_rdev) != (
        now.st_mode,
        now.st_uid,
        now.st_gid,
        now.st_rdev,
    ):
        return True
    if stat.S_ISDIR(now.st_mode):
        return False
    return before.st_size != now.st_size or not _same_time(before.st_mtime_ns, now.st_mtime_ns)


def _same_time(one: int, other: int) -> bool:
    """An archive may have cut the fraction of a second: then the seconds decide."""
    if one == other:
        return True
    return one // _NS == other // _NS and not (one % _NS and other % _NS)


def _is_opaque(found: Found) -> bool:
    handle = os.open(found.name, _FOLDER, dir_fd=found.folder)
    try:
        return os.getxattr(handle, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
    finally:
        os.close(handle)


def _names(folder: int, name: bytes) -> frozenset[bytes]:
    handle = os.open(name, _FOLDER, dir_fd=folder)
    try:
        return _listed(handle)
    finally:
        os.close(handle)


def _listed(handle: int) -> frozenset[bytes]:
    with os.scandir(handle) as entries:
        return frozenset(os.fsencode(entry.name) for entry in entries)
