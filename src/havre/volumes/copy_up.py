"""A tree copied into an empty folder by handle: owners, modes, times, hard links, devices; no link is followed.

Neither side can lead the copy astray: every name is opened as itself below the handle of its folder
(security.md V-01, CVE-2022-23648).
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from havre.base.errors import InvalidInput

_PIECE: Final = 16 << 20
_MAX_DEPTH: Final = 400
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OVERLAY: Final = ("trusted.overlay.", "user.overlay.")


def copy_tree(source: int, target: int) -> None:
    """Copy what the open folder *source* holds, and its own attributes, into the empty open folder *target*."""
    _Copy(target).folder(source, target, 0)


def fill(source: int, path: str, *, swap: bool, remove: Callable[[str], None]) -> None:
    """Copy the open folder *source* into the folder at *path* if that is empty; what is there is never overwritten.

    With *swap* nobody else uses the folder: it is replaced as a whole, so that a crash leaves it empty or full;
    *remove* takes a tree away that was not needed.
    """
    target = os.open(path, _FOLDER)
    try:
        if not is_empty(target):
            return
        if not swap:
            copy_tree(source, target)
            return
    finally:
        os.close(target)
    staged = f"{path}.{os.urandom(8).hex()}"
    os.mkdir(staged, 0o700)  # noqa: PTH102  beside the data, in a folder that is the engine's alone
    try:
        target = os.open(staged, _FOLDER)
        try:
            copy_tree(source, target)
        finally:
            os.close(target)
        with suppress(FileExistsError):  # rename(2) takes the place of an empty folder only
            os.rename(staged, path)  # noqa: PTH104
    finally:
        remove(staged)


def is_empty(folder: int) -> bool:
    """Whether the open folder holds nothing but what mkfs makes."""
    with os.scandir(folder) as entries:
        return all(entry.name == "lost+found" for entry in entries)


class _Copy:
    def __init__(self, root: int) -> None:
        self._root = root
        self._linked: dict[tuple[int, int], str] = {}
        self._path: list[str] = []

    def folder(self, source: int, target: int, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise InvalidInput(f"cannot copy a tree of more than {_MAX_DEPTH} levels into a volume")
        with os.scandir(source) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            self._path.append(name)
            self._entry(name, source, target, depth)
            self._path.pop()
        _attributes_of(source, target)

    def _entry(self, name: str, source: int, target: int, depth: int) -> None:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self._subfolder(name, source, target, depth)
            return
        if status.st_nlink > 1 and self._link(name, target, status):
            return
        if stat.S_ISREG(status.st_mode):
            _file(name, source, target)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            _owner(name, target, status)
        elif not stat.S_ISSOCK(status.st_mode):
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
            _owner(name, target, status)
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)

    def _subfolder(self, name: str, source: int, target: int, depth: int) -> None:
        os.mkdir(name, 0o700, dir_fd=target)
        old = os.open(name, _FOLDER, dir_fd=source)
        try:
            new = os.open(name, _FOLDER, dir_fd=target)
            try:
                self.folder(old, new, depth + 1)
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _link(self, name: str, target: int, status: os.stat_result) -> bool:
        """Whether it is a further name of what was copied already, and so only linked."""
        key = (status.st_dev, status.st_ino)
        first = self._linked.get(key)
        if first is None:
            self._linked[key] = "/".join(self._path)
            return False
        os.link(first, name, src_dir_fd=self._root, dst_dir_fd=target, follow_symlinks=False)
        return True


def _file(name: str, source: int, target: int) -> None:
    old = os.open(name, _READ, dir_fd=source)
    try:
        new = os.open(name, _NEW, 0o600, dir_fd=target)
        try:
            while os.sendfile(new, old, None, _PIECE):
                pass
            _attributes_of(old, new)
        finally:
            os.close(new)
    finally:
        os.close(old)


def _attributes_of(old: int, new: int) -> None:
    status = os.fstat(old)
    os.fchown(new, status.st_uid, status.st_gid)
    for key in os.listxattr(old):
        if not key.startswith(_OVERLAY):
            with suppress(OSError):  # a file system that cannot hold it
                os.setxattr(new, key, os.getxattr(old, key))
    os.fchmod(new, stat.S_IMODE(status.st_mode))  # after the owner: chown(2) takes set-uid away
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))


def _owner(name: str, target: int, status: os.stat_result) -> None:
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)
