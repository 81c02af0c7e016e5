"""Writing a blob: hashed while it is written, visible only when it is whole, right and on the disk."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from havre.base.atomic import sync_folder
from havre.base.exhaustion import exhaustion
from havre.content.errors import DigestMismatch
from havre.content.space import Reserve
from havre.oci.digest import Digest

_DOING = "storing a blob"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that is in the store."""

    digest: Digest
    size: int


class BlobWriter:
    """One blob on its way into the store; a context manager that leaves nothing unless `commit` succeeded.

    *place* answers where the blob of a digest belongs, and is called just before it appears there. One that may
    *resume* goes on with what *staged* holds, once `replay` has read it, and leaves what came for the next attempt, in
    this life of the process or another; one at a time has the file.
    """

    def __init__(
        self, staged: Path, place: Callable[[Digest], Path], algorithm: str = "sha256", *, resume: bool = False
    ) -> None:
        self._staged = staged
        self._place = place
        self._algorithm = algorithm
        self._resume = resume
        self._hash = hashlib.new(algorithm)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if resume else os.O_EXCL)
        with exhaustion(_DOING):
            self._handle = os.open(staged, flags, 0o600)
        self._reserve = Reserve(self._handle, _DOING)
        self.size = 0
        """Bytes that were replayed or written."""
        self.kept = os.fstat(self._handle).st_size
        """Bytes that earlier attempts have left."""

    def replay(self, size: int) -> bytes:
        """The next of the bytes that were kept, which count from now on; none at their end."""
        if self.size >= self.kept:
            return b""
        data = os.read(self._handle, min(size, self.kept - self.size))
        self._hash.update(data)
        self.size += len(data)
        return data

    def catch_up(self) -> None:
        """Replay all that was kept."""
        while self.replay(_PIECE_BYTES):
            pass

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take all of *data*, after all that was kept. Raises ResourceExhausted on a full disk."""
        left = memoryview(data)
        count = len(left)
        self._reserve.spend(count)
        self._hash.update(left)
        with exhaustion(_DOING):
            while left:
                left = left[os.write(self._handle, left) :]
        self.size += count
        return count

    def commit(self, expected: Digest | None = None, size: int | None = None, *, durable: bool = True) -> Stored:
        """Make the blob visible, for good: file, name and folder are on the disk when this returns.

        Without *durable* they are there only after the next `Content.flush`, before which no record may name them.
        Raises DigestMismatch, and keeps nothing, when the bytes are not those of *expected* and *size*. Bytes
        that were hashed with another algorithm than *expected* names are read once more.
        """
        if expected is not None and expected.algorithm != self._algorithm:
            self._hash_again(expected.algorithm)
        digest = Digest(self._algorithm, self._hash.hexdigest())
        if size is not None and size != self.size:
            self.drop()
            raise DigestMismatch(f"blob {expected or digest} has {self.size} bytes, not the {size} promised")
        if expected is not None and expected != digest:
            self.drop()
            raise DigestMismatch(f"blob verification failed for digest {expected}: it has {digest}")
        with exhaustion(_DOING):
            if durable:
                os.fsync(self._handle)
            target = self._place(digest)
            # A blob that is there already is replaced by its equal: this heals one that was damaged.
            self._staged.rename(target)
            if durable:
                sync_folder(target.parent)
        self._close()
        return Stored(digest, self.size)

    def suspend(self) -> None:
        """Stop here and keep what is staged, for a writer that resumes it."""
        if self._handle >= 0:
            self._close()

    def drop(self) -> None:
        """Stop here and keep nothing."""
        if self._handle >= 0:
            self._close()
            self._staged.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._resume:
            self.suspend()
        else:
            self.drop()

    def _hash_again(self, algorithm: str) -> None:
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._algorithm, self._hash = algorithm, hashlib.new(algorithm)
        self.kept, self.size = self.size, 0
        self.catch_up()

    def _close(self) -> None:
        handle, self._handle = self._handle, -1
        os.close(handle)
