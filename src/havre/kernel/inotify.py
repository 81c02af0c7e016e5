"""inotify(7): being told of changes in folders, without asking again and again."""

import ctypes
import os
import struct

from havre.kernel.libc import KernelError, StrPath, libc, path_bytes, shown

IN_MODIFY = 0x2
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000

_HEADER = struct.Struct("iIII")
_BUFFER = 64 << 10

_inotify_init1 = libc.inotify_init1
_inotify_init1.argtypes = (ctypes.c_int,)
_inotify_add_watch = libc.inotify_add_watch
_inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_inotify_rm_watch = libc.inotify_rm_watch
_inotify_rm_watch.argtypes = (ctypes.c_int, ctypes.c_int)


def inotify_open() -> int:
    """inotify_init1(2): a descriptor that does not block and closes on exec. EMFILE beyond the user's limit."""
    handle: int = _inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if handle < 0:
        raise KernelError.last("inotify_init1")
    return handle


def add_watch(handle: int, path: StrPath, mask: int) -> int:
    """inotify_add_watch(2): the number that events will carry; the same inode gives the same number again."""
    number: int = _inotify_add_watch(handle, path_bytes(path), mask)
    if number < 0:
        raise KernelError.last(f"watch {shown(path)}")
    return number


def remove_watch(handle: int, number: int) -> None:
    """inotify_rm_watch(2); a watch that went away with its folder is no error."""
    _inotify_rm_watch(handle, number)


def read_events(handle: int) -> list[tuple[int, int, bytes]]:
    """The (watch, mask, name) events waiting now; empty when there are none. Watch -1 is an overflow."""
    try:
        data = os.read(handle, _BUFFER)
    except BlockingIOError:
        return []
    events = []
    at = 0
    while at < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        events.append((watch, mask, data[at : at + length].rstrip(b"\0")))
        at += length
    return events
