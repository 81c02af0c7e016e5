"""A tree copied from one handle to another, for a mount that begins with what the image has there.

Neither side can lead the copy astray: every name is opened as itself below the handle of its folder.
"""

import errno
import os
import stat
from contextlib import suppress

from havre.kernel.libc import KernelError

_PIECE = 16 << 20
_MAX_DEPTH = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OVERLAY = ("trusted.overlay.", "user.overlay.")


def copy_tree(source_fd: int, target_fd: int) -> None:
    """Copy folders, files, links and devices below *source_fd* into *target_fd*, with owners, modes, times and xattrs.

    Nothing is followed; several names of one file stay that.
    """
    reading = os.open(".", _FOLDER, dir_fd=source_fd)
    writing = os.open(".", _FOLDER, dir_fd=target_fd)
    try:
        _Copy(writing).folder(reading, writing, 0)
    finally:
        os.close(reading)
        os.close(writing)


class _Copy:
    def __init__(self, root: int) -> None:
        self._root = root
        self._linked: dict[tuple[int, int], str] = {}
        self._path: list[str] = []

    def folder(self, source: int, target: int, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise KernelError.of(errno.ELOOP, f"copy a tree of more than {_MAX_DEPTH} levels")
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
