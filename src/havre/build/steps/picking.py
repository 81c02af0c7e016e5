"""Which files a COPY or ADD means: paths and patterns, resolved inside the tree that they are taken from."""

import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from havre.build.model import BuildFailed
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.walk import walk

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_SPECIAL = frozenset("*?[\\")


@dataclass(frozen=True, slots=True)
class Picked:
    """One source: its absolute *path* in the tree, and what it is once links are followed.

    *pivot* counts the characters of *path* that `--parents` does not repeat at the destination.
    """

    path: str
    is_folder: bool
    pivot: int = 0

    @property
    def name(self) -> str:
        """The last part of the path, empty for the root."""
        return posixpath.basename(self.path.rstrip("/"))


def pick(root: int, sources: Sequence[str], *, word: str = "COPY") -> list[Picked]:
    """What *sources* mean below *root*, in their order, the matches of one pattern sorted. Raises BuildFailed."""
    picked: list[Picked] = []
    for source in sources:
        picked += _pick_one(root, source, word)
    return picked


def _pick_one(root: int, source: str, word: str) -> list[Picked]:
    path, pivot = _clean(source)
    if not is_pattern(path):
        found = _look(root, path, pivot)
        if found is None:
            raise BuildFailed(
                f"{word} failed: file not found in build context or excluded by .dockerignore: "
                f"stat {path.lstrip('/')}: file does not exist"
            )
        return [found]
    matches = [found for name in _expanded(root, path) if (found := _look(root, name, pivot)) is not None]
    if not matches:
        raise BuildFailed(f"{word} failed: no source files were specified")
    return matches


def is_pattern(path: str) -> bool:
    """Whether *path* has signs that stand for others."""
    return bool(_SPECIAL & set(path))


def _clean(source: str) -> tuple[str, int]:
    """The absolute path, and the length of what stands before `/./`."""
    head, dot, tail = source.partition("/./")
    if not dot:
        return posixpath.normpath("/" + source.lstrip("/")), 0
    before = posixpath.normpath("/" + head.lstrip("/"))
    return posixpath.normpath(f"{before}/{tail}"), len(before.rstrip("/"))


def _look(root: int, path: str, pivot: int) -> Picked | None:
    try:
        handle = open_in_root(root, path, os.O_PATH)
    except KernelError as error:
        if error.errno in _ABSENT:
            return None
        raise
    try:
        return Picked(path, stat.S_ISDIR(os.fstat(handle).st_mode), pivot)
    finally:
        os.close(handle)


def _expanded(root: int, pattern: str) -> Iterator[str]:
    """The paths that match *pattern*, sorted; the part of it that is plain is opened, not searched."""
    parts = pattern.strip("/").split("/")
    plain: list[str] = []
    while parts and not is_pattern(parts[0]):
        plain.append(parts.pop(0))
    head = "/" + "/".join(plain)
    try:
        folder = open_in_root(root, head, os.O_RDONLY | os.O_DIRECTORY)
    except KernelError as error:
        if error.errno in _ABSENT:
            return
        raise
    try:
        deep = "**" in parts
        matches = matcher("/".join(parts))
        for found in walk(folder):
            path = os.fsdecode(found.path)
            if (deep or path.count("/") == len(parts) - 1) and matches(path):
                yield posixpath.join(head, path)
    finally:
        os.close(folder)
