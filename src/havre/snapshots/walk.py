"""Walking a tree by handle: any depth with one handle open, and never out of the tree."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from havre.base.errors import Conflict, NotSupported

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LONGEST_PATH = 4096


class TreeChanged(Conflict):
    """Someone moves folders of a tree that is being read."""


class PathTooLong(NotSupported):
    """Folders are nested deeper than any path can say."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry: *name* below the handle *folder*, which is good until the next step of the walk."""

    folder: int
    name: bytes
    path: bytes
    status: os.stat_result


class _Level:
    __slots__ = ("identity", "names", "prefix_bytes")

    def __init__(self, handle: int, prefix_bytes: int) -> None:
        status = os.fstat(handle)
        self.identity = (status.st_dev, status.st_ino)
        self.names = sorted(map(os.fsencode, os.listdir(handle)), reverse=True)
        self.prefix_bytes = prefix_bytes


def walk(root: int, *, longest: int = LONGEST_PATH) -> Iterator[Found]:
    """All that is below the open folder *root*, by name, a folder before what it holds; no link is followed.

    What vanishes meanwhile is passed over. Raises TreeChanged when the way back up is not the way down, PathTooLong
    for a path of more than *longest* bytes; with 0 there is no such limit, and paths are left empty.
    """
    levels = [_Level(root, 0)]
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
            name = level.names.pop()
            try:
                status = os.stat(name, dir_fd=here, follow_symlinks=False)
                path = _join(prefix, name, longest)
                yield Found(here, name, path, status)
                if stat.S_ISDIR(status.st_mode):
                    below = os.open(name, _FOLDER, dir_fd=here)
                    os.close(here)
                    here, prefix = below, path
                    levels.append(_Level(here, len(path)))
            except (FileNotFoundError, NotADirectoryError):
                continue
    finally:
        os.close(here)


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
