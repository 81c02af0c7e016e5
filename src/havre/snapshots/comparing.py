"""Two trees side by side: what differs, to the byte."""

import os
import stat
from collections.abc import Iterator
from itertools import zip_longest

from havre.snapshots.walk import Found, walk
from havre.snapshots.writer import PRIVATE_XATTRS

_PIECE_BYTES = 1 << 20
_SECOND_NS = 1_000_000_000
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def differences(expected: int, found: int) -> Iterator[str]:
    """What of the tree below the handle *found* is not as below *expected*, in words; both stay as they are."""
    left, right = walk(expected), walk(found)
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and _order(ours) < _order(theirs)):
            if ours is None:
                raise AssertionError("one of two is there")
            yield f"{_shown(ours)} is missing"
            ours = next(left, None)
        elif ours is None or _order(theirs) < _order(ours):
            yield f"{_shown(theirs)} does not belong here"
            theirs = next(right, None)
        else:
            yield from (f"{_shown(ours)} {what}" for what in _compared(ours, theirs))
            ours, theirs = next(left, None), next(right, None)


def _order(found: Found) -> list[bytes]:
    return found.path.split(b"/")


def _shown(found: Found) -> str:
    return "/" + os.fsdecode(found.path)[:300].encode("ascii", "backslashreplace").decode()


def _compared(ours: Found, theirs: Found) -> Iterator[str]:
    one, other = ours.status, theirs.status
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(other.st_mode):
        yield "is another kind of file"
        return
    if one.st_mode != other.st_mode:
        yield f"has mode {stat.S_IMODE(other.st_mode):o}, not {stat.S_IMODE(one.st_mode):o}"
    if (one.st_uid, one.st_gid) != (other.st_uid, other.st_gid):
        yield f"belongs to {other.st_uid}:{other.st_gid}, not {one.st_uid}:{one.st_gid}"
    if one.st_rdev != other.st_rdev:
        yield "is another device"
    if stat.S_ISLNK(one.st_mode):
        if os.readlink(ours.name, dir_fd=ours.folder) != os.readlink(theirs.name, dir_fd=theirs.folder):
            yield "leads somewhere else"
    elif stat.S_ISREG(one.st_mode):
        yield from _files_compared(ours, theirs)


def _same_time(ours_ns: int, theirs_ns: int) -> bool:
    """An archive may tell whole seconds of a file that lies here with fractions: layers are sealed as they lie."""
    return ours_ns in {theirs_ns, theirs_ns - theirs_ns % _SECOND_NS}


def _files_compared(ours: Found, theirs: Found) -> Iterator[str]:
    if ours.status.st_size != theirs.status.st_size:
        yield f"has {theirs.status.st_size} bytes, not {ours.status.st_size}"
        return
    if not _same_time(ours.status.st_mtime_ns, theirs.status.st_mtime_ns):
        yield "was changed at another time"
    first = os.open(ours.name, _FILE, dir_fd=ours.folder)
    try:
        second = os.open(theirs.name, _FILE, dir_fd=theirs.folder)
        try:
            if any(one != other for one, other in zip_longest(_pieces(first), _pieces(second))):
                yield "holds something else"
            if _attributes(first) != _attributes(second):
                yield "has other attributes"
        finally:
            os.close(second)
    finally:
        os.close(first)


def _pieces(handle: int) -> Iterator[bytes]:
    while piece := os.read(handle, _PIECE_BYTES):
        yield piece


def _attributes(handle: int) -> dict[str, bytes]:
    """Those that an archive tells: overlayfs notes on a changed file where it came from."""
    names = [name for name in os.listxattr(handle) if not name.startswith(PRIVATE_XATTRS)]
    return {name: os.getxattr(handle, name) for name in names}
