"""The files behind a log: appended to, moved on when full, thinned when old or when the disk runs full."""

import os
import time
from typing import NamedTuple, Protocol

from havre.kernel.libc import KernelError, StrPath

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE = 0o640
_LOOK_EVERY = 4 << 20
"""So many bytes may be written between two looks at the free space."""


class Limits(NamedTuple):
    """What a log may take: 0 is no limit. *max_files* counts the current one; *compress* those before it.

    Files last written *max_age_s* ago go; while the disk has less than *min_free* bytes, the older files go.
    """

    max_size: int = 0
    max_files: int = 0
    compress: bool = False
    max_age_s: int = 0
    min_free: int = 0


NO_LIMITS = Limits()


class Format(Protocol):
    """Where entries end in bytes that begin with an entry."""

    def end_at_or_after(self, block: bytes, at: int) -> int:
        """The end of the entry that holds the byte before *at*; the length of *block* when it ends there."""

    def end_before(self, block: bytes, at: int) -> int:
        """The last end of an entry that is not behind *at*; 0 for none."""

    def count(self, block: bytes) -> int:
        """How many entries stand in *block*."""

    def mend(self, fd: int, size: int) -> int:
        """Close or cut off an entry that an earlier writer was killed in; the size of the file after that."""


class RotatingFile:
    """Appends whole entries to *path*, moving it to `path.1`, `path.2`… when it has grown to its limit.

    A file that cannot be opened at first raises KernelError; from then on nothing raises: a write that fails,
    be it for a full disk, is given up, `lost_lines` and `lost_bytes` count what is missing, and the next
    write is tried afresh.
    """

    def __init__(self, path: StrPath, form: Format, limits: Limits) -> None:
        self.lost_lines = 0
        self.lost_bytes = 0
        self._path = os.fsdecode(path)
        self._form = form
        self._limits = limits
        self._torn = False
        self._size = 0
        self._unlooked = _LOOK_EVERY
        self._packer = 0
        try:
            self._fd = self._open()
        except OSError as error:
            raise KernelError.of(error.errno or 0, f"open log {self._path}") from error

    def append(self, block: bytes) -> None:
        """Write the entries of *block*, with one call unless a rotation comes between."""
        limit = self._limits.max_size
        if self._limits.min_free:
            self._unlooked += len(block)
            if self._unlooked >= _LOOK_EVERY:
                self._keep_free()
        if not limit or self._size + len(block) <= limit:
            self._put(block)
            return
        at = 0
        while at < len(block):
            if self._size >= limit:
                self._rotate()
            room = max(1, limit - self._size)
            end = at + self._form.end_at_or_after(block[at:], room) if len(block) - at > room else len(block)
            self._put(block[at:end])
            at = end

    def close(self) -> None:
        """Close the file. Closing twice is no error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._packed(os.WNOHANG)

    def _put(self, block: bytes) -> None:
        """Write whole entries; of those that do not fit nothing stays in the file."""
        written = 0
        try:
            if self._fd < 0:
                self._fd = self._open()
            if self._torn:
                self._size = self._form.mend(self._fd, os.fstat(self._fd).st_size)
                self._torn = False
            written = os.write(self._fd, block)
        except OSError:
            pass  # counted below; the container goes on
        if written == len(block):
            self._size += written
            return
        whole = self._form.end_before(block, written)
        self._size += whole
        self.lost_lines += self._form.count(block[whole:])
        self.lost_bytes += len(block) - whole
        if written > whole:
            self._take_back(written - whole)

    def _take_back(self, extra: int) -> None:
        """Cut *extra* bytes of an entry that was written in part off the file's end."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size += extra
            self._torn = True

    def _rotate(self) -> None:
        """Move the files one name on and begin a new one; when that fails, the old one is gone on with."""
        self._packed(0)
        try:
            self._shift()
        except OSError:
            return
        if self._fd >= 0:
            os.close(self._fd)
        self._size = 0
        try:
            self._fd = self._open()
        except OSError:
            self._fd = -1  # _put tries again
        if self._limits.max_age_s:
            self._drop_old()
        if self._limits.compress and self._limits.max_files != 1:
            from havre.logs.packed import pack_apart

            self._packer = pack_apart(f"{self._path}.1")

    def _packed(self, how: int) -> None:
        """Wait for the process that packs the last file."""
        if self._packer > 0:
            try:
                done, _ = os.waitpid(self._packer, how)
            except ChildProcessError:
                done = self._packer
            if done:
                self._packer = 0

    def _shift(self) -> None:
        last = self._limits.max_files - 1
        if last == 0:
            os.unlink(self._path)  # noqa: PTH108  no pathlib in the shim
            return
        if last < 0:
            last = len(older_files(self._path)) + 1
        for number in range(last, 0, -1):
            old = self._path if number == 1 else f"{self._path}.{number - 1}"
            for ending in ("", ".gz") if number > 1 else ("",):
                _move(old + ending, f"{self._path}.{number}", ending)

    def _drop_old(self) -> None:
        limit = time.time() - self._limits.max_age_s
        for name in older_files(self._path):
            try:
                if os.stat(name).st_mtime < limit:  # noqa: PTH116  no pathlib in the shim
                    os.unlink(name)  # noqa: PTH108
            except OSError:
                continue

    def _keep_free(self) -> None:
        """Let go of older files while there is less space than is to stay free, the oldest first."""
        self._unlooked = 0
        names = older_files(self._path)
        try:
            while names and self._too_full():
                os.unlink(names.pop())  # noqa: PTH108  no pathlib in the shim
            if self._too_full() and self._limits.max_size and self._size:
                os.unlink(self._path)  # noqa: PTH108
                os.close(self._fd)
                self._fd = -1
        except OSError:
            return

    def _too_full(self) -> bool:
        found = os.fstatvfs(self._fd)
        return found.f_bavail * found.f_frsize < self._limits.min_free

    def _open(self) -> int:
        """Open the current file for appending."""
        handle = os.open(self._path, _FLAGS, _MODE)
        try:
            self._size = os.fstat(handle).st_size
            if self._size:
                self._size = self._form.mend(handle, self._size)
        except OSError:
            os.close(handle)
            raise
        return handle


def older_files(path: str) -> "list[str]":
    """The files that *path* was moved to, the newest first; of a file that is packed just now, one of its names."""
    found: list[str] = []
    while True:
        name = f"{path}.{len(found) + 1}"
        if os.path.lexists(name):
            found.append(name)
        elif os.path.lexists(f"{name}.gz"):
            found.append(f"{name}.gz")
        else:
            return found


def _move(old: str, new: str, ending: str) -> None:
    if not os.path.lexists(old):  # there may be fewer files than the limit so far
        return
    other = new if ending else f"{new}.gz"
    if os.path.lexists(other):
        os.unlink(other)  # noqa: PTH108  no pathlib in the shim
    os.rename(old, new + ending)  # noqa: PTH104
