"""What stands at a path of a tree, as Docker's archive calls tell it; every look is by handle inside the root."""

import errno
import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path

from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_LINKS = 40
# Go's os.FileMode, which is what clients of the Engine API expect: its own bits above the nine of the permissions.
_GO_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFREG: 0,
}
_GO_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


@dataclass(frozen=True, slots=True)
class PathStat:
    """One path: *mode* in Go's bits; *link_target* is where a symbolic link leads in the end, absolute in the tree."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    link_target: str


def absolute(path: str) -> str:
    """*path* from the root on, without `..` and doubled slashes; a `/` or `/.` at its end stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if posixpath.basename(path.rstrip("/")) == "." or path in {"", "."}:
        return clean.rstrip("/") + "/."
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def base_name(path: str) -> str:
    """The last part of an absolute path: `b` of `/a/b/`, `.` of `/a/.`, `/` of `/`."""
    return posixpath.basename(path.rstrip("/")) or "/"


def open_entry(root: int, path: str) -> tuple[int, os.stat_result]:
    """A handle (O_PATH) on what stands at the absolute *path*, a link itself unless a slash follows. KernelError."""
    follow = path.endswith(("/", "/."))
    handle = open_in_root(root, path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
    return handle, os.fstat(handle)


def stat_path(root: int, path: str) -> PathStat:
    """Look at the absolute *path*. Raises KernelError, ENOENT for what is not there."""
    handle, status = open_entry(root, path)
    os.close(handle)
    target = final_target(root, path) if stat.S_ISLNK(status.st_mode) else ""
    return PathStat(base_name(path), status.st_size, _go_mode(status.st_mode), status.st_mtime_ns, target)


def final_target(root: int, path: str) -> str:
    """Where the absolute *path* leads once every link is followed inside *root*, be anything there or not."""
    for _ in range(_LINKS):
        try:
            return _path_of(root, open_in_root(root, path, os.O_PATH))
        except KernelError as error:
            if error.errno not in _ABSENT:
                raise
        head, base = posixpath.split(path.rstrip("/"))
        try:
            folder = open_in_root(root, head or "/", os.O_PATH | os.O_DIRECTORY)
        except KernelError:
            return posixpath.normpath(path)
        try:
            target = os.fsdecode(os.readlink(os.fsencode(base), dir_fd=folder))
        except OSError:
            return posixpath.join(_path_of(root, folder), base)
        path = posixpath.normpath(posixpath.join(_path_of(root, folder), target))
    return posixpath.normpath(path)


def _path_of(root: int, handle: int) -> str:
    """The path of *handle* below *root*, for people to read; closes the handle."""
    try:
        above, here = (str(Path(f"/proc/self/fd/{one}").readlink()) for one in (root, handle))
    finally:
        os.close(handle)
    return "/" + here.removeprefix(above).lstrip("/")


def _go_mode(mode: int) -> int:
    bits = sum(go for bit, go in _GO_BITS if mode & bit)
    return mode & 0o777 | bits | _GO_KINDS.get(stat.S_IFMT(mode), 0)
