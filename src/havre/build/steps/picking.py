"""Which files a COPY or ADD means: paths and patterns, resolved inside the tree that they are taken from."""

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from havre.build.dockerfile.globs import deep_glob, go_glob, has_wildcards, literal_folder, unescaped
from havre.build.dockerfile.ignore import Ignore
from havre.build.model import BuildFailed
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.walk import walk

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


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
    if not has_wildcards(path):
        path = unescaped(path)
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
    head, rest = literal_folder(pattern)
    glob = deep_glob(rest) if "**" in rest else go_glob(rest)
    levels = rest.count("/")
    try:
        folder = open_in_root(root, head or "/", os.O_RDONLY | os.O_DIRECTORY)
    except KernelError as error:
        if error.errno in _ABSENT:
            return
        raise
    try:
        for path in _paths(folder, None if "**" in rest else levels):
            if glob.matches(path):
                yield posixpath.join(head or "/", path)
    finally:
        os.close(folder)


def _paths(folder: int, level: int | None) -> Iterator[str]:
    """The paths below an open folder, those *level* folders deep or all of them."""
    if level == 0:
        yield from sorted(os.listdir(folder))
        return
    for found in walk(folder):
        path = os.fsdecode(found.path)
        if level is None or path.count("/") == level:
            yield path


def leaver(excludes: Sequence[str]) -> Callable[[str], bool] | None:
    """What `--exclude` leaves out: whether a path below a source matches one of *excludes*."""
    return Ignore.of(excludes).ignores if excludes else None
