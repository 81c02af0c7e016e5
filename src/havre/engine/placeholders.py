"""What Docker puts into each container's root, in a layer that it never shows: places for mounts, and two files."""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final

from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.below import copy_attributes

_FOLDERS: Final = frozenset({b"dev", b"dev/pts", b"dev/shm", b"dev/mqueue", b"etc", b"proc", b"sys"})
_FILES: Final = frozenset({b".dockerenv", b"dev/console", b"etc/hostname", b"etc/hosts", b"etc/resolv.conf"})
_MTAB: Final = b"etc/mtab"
_MOUNTS: Final = "/proc/mounts"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_placeholder(path: bytes, status: os.stat_result) -> bool:
    """Whether an entry that the image does not have is a place for a mount, or one of the two files, and no more."""
    if path in _FOLDERS:
        return stat.S_ISDIR(status.st_mode)
    if path == _MTAB:
        return stat.S_ISLNK(status.st_mode) and status.st_size == len(_MOUNTS)
    return path in _FILES and stat.S_ISREG(status.st_mode) and status.st_size == 0


def placeholders_on(below: int) -> Callable[[bytes, os.stat_result], bool]:
    """As `is_placeholder` for a container on the tree *below*: a folder that was given another look there is none."""

    def is_one(path: bytes, status: os.stat_result) -> bool:
        return is_placeholder(path, status) and (path not in _FOLDERS or _looks_alike(below, path, status))

    return is_one


def put_files(upper: str, lowers: Sequence[str]) -> None:
    """Make `.dockerenv`, by which programs learn where they are, and `etc/mtab`, where some look for mounts.

    *upper* is a fresh folder of changes, so no name in it is a link; *lowers* are what it stands on, topmost first.
    Where the image has an `etc/mtab`, or something else than a folder as its `etc`, that stays.
    """
    os.close(os.open(f"{upper}/.dockerenv", _NEW_FILE, 0o755))
    below = _etc_below(lowers)
    if below is not None:
        _put_mtab(f"{upper}/etc", below)


def _etc_below(lowers: Sequence[str]) -> str | None:
    """The topmost `etc`, or nothing where there is none; None where the link is not to be made. Layers never change."""
    topmost = ""
    for lower in lowers:
        etc = f"{lower}/etc"
        try:
            is_folder = stat.S_ISDIR(os.lstat(etc).st_mode)
        except FileNotFoundError:
            continue
        if not is_folder:  # a file, a link or the mark of a removal: what is below it does not count
            return topmost or None
        if os.path.lexists(f"{etc}/mtab"):
            return None
        topmost = topmost or etc
    return topmost


def _put_mtab(etc: str, below: str) -> None:
    os.mkdir(etc, 0o755)  # noqa: PTH102  few calls: this is on the way of each start
    with ExitStack() as handles:
        made = os.open(etc, _FOLDER)
        handles.callback(os.close, made)
        os.symlink(_MOUNTS, "mtab", dir_fd=made)
        if below:
            looks = os.open(below, _FOLDER)
            handles.callback(os.close, looks)
            copy_attributes(looks, made)


def _looks_alike(below: int, path: bytes, status: os.stat_result) -> bool:
    """Whether *below* has that folder with the same owner and mode, or none."""
    try:
        handle = open_in_root(below, path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    except KernelError:
        return True
    try:
        before = os.fstat(handle)
    finally:
        os.close(handle)
    return (before.st_mode, before.st_uid, before.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
