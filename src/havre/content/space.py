"""A disk that runs full: the reserve that is kept back."""

import errno
import os

from havre.base.errors import ResourceExhausted
from havre.kernel.files import begin_writeback

_RESERVE_BYTES = 64 << 20
_CHECK_EVERY_BYTES = 8 << 20


class Reserve:
    """Keeps 1 % of a file system, at most 64 MiB, free of bulk data, so that records and removal still work.

    One value serves one stream of writes; it asks the file system at the first bytes and every 8 MiB, and has what
    came before begin its way to the disk, so that the fsync at the end is short.
    """

    def __init__(self, handle: int, doing: str) -> None:
        self._handle = handle
        self._doing = doing
        self._unchecked = _CHECK_EVERY_BYTES

    def spend(self, count: int) -> None:
        """Call before *count* bytes are written. Raises ResourceExhausted when they would eat the reserve."""
        self._unchecked += count
        if self._unchecked < _CHECK_EVERY_BYTES:
            return
        self._unchecked = 0
        begin_writeback(self._handle)
        state = os.fstatvfs(self._handle)
        reserve = min(_RESERVE_BYTES, state.f_blocks * state.f_frsize // 100)
        if state.f_bavail * state.f_frsize < reserve + count:
            raise ResourceExhausted(f"{self._doing}: {os.strerror(errno.ENOSPC)}")
