"""What leaves a tree as an archive: one path, as `docker cp` takes it."""

import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.path_stat import base_name, open_entry
from havre.snapshots.writer import END_MARK, WriteWishes, write_entry, write_tar


def take_out(root: int, path: str, *, end: bool = True) -> Iterator[bytes]:
    """The archive of the absolute *path*: a folder with all below it, or one entry; named after the path's last part.

    Nothing happens before the first piece is asked for; without *end* another archive may follow. Raises KernelError.
    """
    handle, status = open_entry(root, path)
    name = os.fsencode(base_name(path))
    try:
        if not stat.S_ISDIR(status.st_mode):
            yield from _one(root, path, name, end=end)
            return
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    finally:
        os.close(handle)
    try:
        yield from write_tar(folder, WriteWishes(root_entry=True, prefix=b"" if name == b"/" else name, end=end))
    finally:
        os.close(folder)


def take_out_all(root: int, paths: Sequence[str]) -> Iterator[bytes]:
    """One archive of several absolute paths."""
    for path in paths:
        yield from take_out(root, path, end=False)
    yield END_MARK


def expand(root: int, pattern: str) -> list[str]:
    """The absolute paths that *pattern* means, sorted: `*`, `?` and `[…]` stand for parts of one name, as in a shell.

    Each folder on the way is opened once, inside *root*.
    """
    found = ["/"]
    for part in filter(None, pattern.split("/")):
        found = [path for head in found for path in _expanded(root, head, part)]
    return sorted(found)


def _expanded(root: int, head: str, part: str) -> Iterator[str]:
    try:
        folder = open_in_root(root, head, os.O_RDONLY | os.O_DIRECTORY)
    except KernelError:
        return  # no folder, or gone since it was listed
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") and not part.startswith(".")
                if entry.name == part or (fnmatchcase(entry.name, part) and not hidden):
                    yield posixpath.join(head, entry.name)
    finally:
        os.close(folder)


def _one(root: int, path: str, name: bytes, *, end: bool) -> Iterator[bytes]:
    head, _, _ = path.rpartition("/")
    parent, _ = open_entry(root, (head or "") + "/")
    try:
        yield from write_entry(parent, name, end=end)
    finally:
        os.close(parent)
