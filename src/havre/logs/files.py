"""The files of one log as one text: `path.N` … `path.1`, `path`, read on through rotations."""

import os
from threading import Lock
from typing import Protocol

from havre.logs.entries import Decoder, LogLine
from havre.logs.packed import unpacked
from havre.logs.rotating import older_files

_CHUNK = 256 << 10
_TRIES = 8
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class EntryDecoder(Protocol):
    """Turns the bytes of a log file, in any pieces, into its lines; what is not an entry is passed over."""

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data* completes."""

    def reset(self) -> None:
        """Forget an entry begun: the next bytes are of another file."""

    def from_the_end(self, fd: int, wanted: int) -> tuple[int, int]:
        """(how many of the last *wanted* entries the file *fd* holds, where the first of them begins)."""


class LogFiles:
    """Reads the entries of the log at *path* from the oldest file on; `open` comes first, `close` last.

    What is read next is always after what was read before. Entries are missed only when files were rotated away
    unread. Safe to be closed while another thread reads.
    """

    def __init__(self, path: str, decoder: EntryDecoder | None = None) -> None:
        self._path = path
        self._decoder = decoder or Decoder()
        self._lock = Lock()
        self._fds: list[int] = []  # oldest first; reading goes on in the first
        self._end: int | None = None

    def open(self, tail: int | None, *, bounded: bool) -> None:
        """Stand before the last *tail* entries (None: before the first). *bounded*: end where the log ends now."""
        with self._lock:
            self._fds = _open_all(self._path)
            if bounded:
                self._end = os.fstat(self._fds[-1]).st_size if self._fds else 0
            if tail is not None and tail >= 0:
                self._skip_to_tail(tail)

    def read(self) -> list[LogLine] | None:
        """The next entries, perhaps none yet of a long line; None when there is nothing new."""
        with self._lock:
            while True:
                data = self._piece()
                if data:
                    return self._decoder.feed(data)
                if len(self._fds) > 1:
                    os.close(self._fds.pop(0))
                    self._decoder.reset()
                elif self._end is not None or not self._follow_rotation():
                    return None

    def close(self) -> None:
        """Give the files back. Closing twice is no error."""
        with self._lock:
            while self._fds:
                os.close(self._fds.pop())

    def _piece(self) -> bytes:
        if not self._fds:
            return b""
        current = self._fds[0]
        if len(self._fds) > 1:
            return os.read(current, _CHUNK)
        at = os.lseek(current, 0, os.SEEK_CUR)
        if self._end is not None:
            return os.read(current, max(0, min(_CHUNK, self._end - at)))
        data = os.read(current, _CHUNK)
        if not data and os.fstat(current).st_size < at:  # somebody emptied it in place
            os.lseek(current, 0, os.SEEK_SET)
            self._decoder.reset()
            return os.read(current, _CHUNK)
        return data

    def _follow_rotation(self) -> bool:
        """Whether there is more to read since the newest file known was rotated, or the first one came."""
        if not self._fds:
            self._fds = _open_all(self._path)
            return bool(self._fds)
        own = os.fstat(self._fds[0])
        try:
            if os.path.samestat(os.stat(self._path, follow_symlinks=False), own):  # noqa: PTH116  paths are text here
                return False
        except FileNotFoundError:
            return False  # between two steps of a rotation, or removed for good
        files = _open_all(self._path)
        place = next((n for n, fd in enumerate(files) if os.path.samestat(os.fstat(fd), own)), -1)
        for fd in files[: place + 1]:
            os.close(fd)
        # The own file stays first: what was written to it just before its rotation is still to be read.
        self._fds += files[place + 1 :]
        return len(self._fds) > 1

    def _skip_to_tail(self, tail: int) -> None:
        for number in range(len(self._fds) - 1, -1, -1):
            found, offset = self._decoder.from_the_end(self._fds[number], tail)
            tail -= found
            os.lseek(self._fds[number], offset, os.SEEK_SET)
            if tail == 0:
                for fd in self._fds[:number]:
                    os.close(fd)
                del self._fds[:number]
                return


def _open_all(path: str) -> list[int]:
    """Descriptors of the log's files, oldest first, all of one moment between two rotations."""
    for last_try in [False] * _TRIES + [True]:
        names = [path, *older_files(path)]
        fds: list[int] = []
        try:
            fds.extend(os.open(name, _FLAGS) for name in reversed(names))
            same = all(_is(name, fd) for name, fd in zip(reversed(names), fds, strict=True))
        except FileNotFoundError:
            same = False
        if same or last_try:
            return [_plain(name, fd) for name, fd in zip(reversed(names), fds, strict=False)]
        for fd in fds:
            os.close(fd)
    return []


def _is(name: str, fd: int) -> bool:
    return os.path.samestat(os.stat(name, follow_symlinks=False), os.fstat(fd))  # noqa: PTH116  paths are text here


def _plain(name: str, fd: int) -> int:
    if not name.endswith(".gz"):
        return fd
    try:
        return unpacked(fd)
    finally:
        os.close(fd)
