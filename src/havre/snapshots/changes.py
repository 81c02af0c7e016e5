"""What a tree in work changed: the plan behind `docker diff`."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.tree import is_whiteout
from havre.snapshots.walk import walk

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


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


def changes(upper: int, below: int) -> Iterator[Change]:
    """What the overlay upper folder *upper* makes of the tree *below*, by path; both are open folders."""
    for found in walk(upper):
        path = b"/" + found.path
        there = _is_there(below, found.path)
        if is_whiteout(found.status):
            if there:
                yield Change(path, ChangeKind.DELETED)
        elif there:
            yield Change(path, ChangeKind.MODIFIED)
        else:
            yield Change(path, ChangeKind.ADDED)
        if stat.S_ISDIR(found.status.st_mode):
            yield from _hidden(found.folder, found.name, found.path, below)


def _hidden(folder: int, name: bytes, path: bytes, below: int) -> Iterator[Change]:
    """What an opaque folder hides without replacing it."""
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        try:
            if os.getxattr(handle, "trusted.overlay.opaque") != b"y":
                return
        except OSError:
            return
        own = _names(handle)
    finally:
        os.close(handle)
    try:
        lower = open_in_root(below, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except KernelError as error:
        if error.errno in _ABSENT:
            return
        raise
    try:
        gone = sorted(_names(lower) - own)
    finally:
        os.close(lower)
    for entry in gone:
        yield Change(b"/" + path + b"/" + entry, ChangeKind.DELETED)


def _names(handle: int) -> set[bytes]:
    with os.scandir(handle) as entries:
        return {os.fsencode(entry.name) for entry in entries}


def _is_there(below: int, path: bytes) -> bool:
    try:
        os.close(open_in_root(below, path, os.O_PATH | os.O_NOFOLLOW))
    except KernelError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True
