"""Walking a tree by handle: any depth with one handle open, and never out of the tree."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from havre.base.errors import Conflict, NotSupported

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REPLACED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
LONGEST_PATH = 4096

_Named = tuple[bytes, bool]
"""A name, and whether it is that of a regular file to be opened."""


class TreeChanged(Conflict):
    """Someone moves folders of a tree that is being read."""


class PathTooLong(NotSupported):
    """Folders are nested deeper than any path can say."""


class Found(NamedTuple):
    """An entry: *name* below the handle *folder*. Both handles are good until the next step of the walk.

    *handle* is the regular file itself, open for reading, where the walk was asked for it and has it; or -1.
    """

    folder: int
    name: bytes
    path: bytes
    status: os.stat_result
    handle: int = -1


class _Level:
    __slots__ = ("identity", "names", "prefix_bytes")

    def __init__(self, handle: int, prefix_bytes: int, listed: "Callable[[int], list[_Named]]") -> None:
        status = os.fstat(handle)
        self.identity = (status.st_dev, status.st_ino)
        self.names = listed(handle)
        self.prefix_bytes = prefix_bytes


def walk(root: int, *, longest: int = LONGEST_PATH, open_files: bool = False) -> Iterator[Found]:
    """All that is below the open folder *root*, by name, a folder before what it holds; no link is followed.

    With *open_files* regular files come open. What vanishes meanwhile is passed over. Raises TreeChanged when the way
    back up is not the way down, PathTooLong for a path of more than *longest* bytes; with 0 there is no such limit,
    and paths are left empty.
    """
    listed = _names_and_files if open_files else _names
    levels = [_Level(root, 0, listed)]
    prefix = b""
    here = os.dup(root)
    try:
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                if levels:
                    prefix = prefix[: levels[-1].prefix_bytes]
                    here = _up(here, root, levels)
                continue
            name, is_file = level.names.pop()
            try:
                path = _join(prefix, name, longest)
                status, handle = look(here, name, open_first=is_file, open_files=open_files)
                try:
                    yield Found(here, name, path, status, handle)
                finally:
                    if handle >= 0:
                        os.close(handle)
                if stat.S_ISDIR(status.st_mode):
                    below = os.open(name, _FOLDER, dir_fd=here)
                    os.close(here)
                    here, prefix = below, path
                    levels.append(_Level(here, len(path), listed))
            except (FileNotFoundError, NotADirectoryError):
                continue
    finally:
        os.close(here)


def look(folder: int, name: bytes, *, open_first: bool, open_files: bool) -> tuple[os.stat_result, int]:
    """The status of *name* in *folder*, and with *open_files*, if it is a regular file, a handle to read it; or -1.

    *open_first* tells that it was one when it was listed. Raises FileNotFoundError.
    """
    file = _open_file(folder, name) if open_first else None
    if file is None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not (open_files and stat.S_ISREG(status.st_mode)):
            return status, -1
        file = _open_file(folder, name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return file


def _open_file(folder: int, name: bytes) -> tuple[os.stat_result, int] | None:
    try:
        handle = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in _REPLACED:
            return None
        raise
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode):
        return status, handle
    os.close(handle)
    return None


def _names(folder: int) -> list[_Named]:
    """The names in a folder, the last one first."""
    return [(name, False) for name in sorted(map(os.fsencode, os.listdir(folder)), reverse=True)]


def _names_and_files(folder: int) -> list[_Named]:
    """As `_names`, with whether it is a regular file."""
    with os.scandir(folder) as entries:
        return sorted(((os.fsencode(one.name), one.is_file(follow_symlinks=False)) for one in entries), reverse=True)


def _join(prefix: bytes, name: bytes, longest: int) -> bytes:
    if not longest:
        return b""
    path = prefix + b"/" + name if prefix else name
    if len(path) > longest:
        raise PathTooLong(f"a path begins with {path[:80]!r} and has more than {longest} bytes")
    return path


def tree_size(root: int) -> int:
    """The sum of the sizes of the regular files below the open folder *root*, hard-linked ones counted once."""
    total = 0
    linked: set[int] = set()
    for found in walk(root, longest=0):
        status = found.status
        if not stat.S_ISREG(status.st_mode):
            continue
        if status.st_nlink > 1:
            if status.st_ino in linked:
                continue
            linked.add(status.st_ino)
        total += status.st_size
    return total


def _up(here: int, root: int, levels: list[_Level]) -> int:
    above = os.dup(root) if len(levels) == 1 else os.open("..", _FOLDER, dir_fd=here)
    status = os.fstat(above)
    if (status.st_dev, status.st_ino) != levels[-1].identity:
        os.close(above)
        raise TreeChanged("a folder was moved while its tree was read")
    os.close(here)
    return above
