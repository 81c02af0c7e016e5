"""The files of one log as one text: `path.N` … `path.1`, `path`, read on through rotations."""

import os
from threading import Lock
from typing import Protocol

from havre.logs.entries import Decoder, LogLine
from havre.logs.packed import packed_inode, unpacked
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


class _File:
    """An open file. *identity* tells which one it is; of a packed one, which one it was before that."""

    def __init__(self, name: str) -> None:
        self._fd = os.open(name, _FLAGS)
        self._packed = name.endswith(".gz")
        self._opened = os.fstat(self._fd)
        inode = packed_inode(self._fd) if self._packed else 0
        self.identity = (self._opened.st_dev, inode or self._opened.st_ino)

    @property
    def fd(self) -> int:
        """The descriptor to read its text from; a packed one is unpacked at the first wish."""
        if self._packed:
            packed, self._fd = self._fd, unpacked(self._fd)
            os.close(packed)
            self._packed = False
        return self._fd

    def still(self, name: str) -> bool:
        """Whether *name* leads to it. Raises FileNotFoundError."""
        return os.path.samestat(os.stat(name, follow_symlinks=False), self._opened)  # noqa: PTH116  paths are text here

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)


class LogFiles:
    """Reads the entries of the log at *path* from the oldest file on; `open` comes first, `close` last.

    What is read next is always after what was read before. Entries are missed only when files were rotated away
    unread. Safe to be closed while another thread reads.
    """

    def __init__(self, path: str, decoder: EntryDecoder | None = None) -> None:
        self._path = path
        self._decoder = decoder or Decoder()
        self._lock = Lock()
        self._files: list[_File] = []  # oldest first; reading goes on in the first
        self._end: int | None = None

    def open(self, tail: int | None, *, bounded: bool) -> None:
        """Stand before the last *tail* entries (None: before the first). *bounded*: end where the log ends now."""
        with self._lock:
            self._files = _open_all(self._path)
            if bounded:
                self._end = os.fstat(self._files[-1].fd).st_size if self._files else 0
            if tail is not None and tail >= 0:
                self._skip_to_tail(tail)

    def read(self) -> list[LogLine] | None:
        """The next entries, perhaps none yet of a long line; None when there is nothing new."""
        with self._lock:
            while True:
                data = self._piece()
                if data:
                    return self._decoder.feed(data)
                if len(self._files) > 1:
                    self._files.pop(0).close()
                    self._decoder.reset()
                elif self._end is not None or not self._follow_rotation():
                    return None

    def close(self) -> None:
        """Give the files back. Closing twice is no error."""
        with self._lock:
            while self._files:
                self._files.pop().close()

    def _piece(self) -> bytes:
        if not self._files:
            return b""
        current = self._files[0].fd
        if len(self._files) > 1:
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
        if not self._files:
            self._files = _open_all(self._path)
            return bool(self._files)
        own = self._files[0]
        try:
            if own.still(self._path):
                return False
        except FileNotFoundError:
            return False  # between two steps of a rotation, or removed for good
        files = _open_all(self._path)
        # While it is open no later file gets its number; an earlier one may have had it, so the newest is meant.
        place = max((n for n, file in enumerate(files) if file.identity == own.identity), default=-1)
        for file in files[: place + 1]:
            file.close()
        # The own file stays first: what was written to it just before its rotation is still to be read.
        self._files += files[place + 1 :]
        return len(self._files) > 1

    def _skip_to_tail(self, tail: int) -> None:
        for number in range(len(self._files) - 1, -1, -1):
            found, offset = self._decoder.from_the_end(self._files[number].fd, tail)
            tail -= found
            os.lseek(self._files[number].fd, offset, os.SEEK_SET)
            if tail == 0:
                for file in self._files[:number]:
                    file.close()
                del self._files[:number]
                return


def _open_all(path: str) -> list[_File]:
    """The log's files, oldest first, all of one moment between two rotations."""
    for last_try in [False] * _TRIES + [True]:
        names = [path, *older_files(path)][::-1]
        files: list[_File] = []
        try:
            files.extend(_File(name) for name in names)
            same = all(file.still(name) for name, file in zip(names, files, strict=True))
        except FileNotFoundError:
            same = False
        if same or last_try:
            return files
        for file in files:
            file.close()
    return []
