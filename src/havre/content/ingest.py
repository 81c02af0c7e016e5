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

    *place* answers where the blob of a digest belongs, and is called just before it appears there.
    With *resume*, what *staged* holds already counts as written: its bytes are read and hashed first.
    """

    def __init__(
        self, staged: Path, place: Callable[[Digest], Path], algorithm: str = "sha256", *, resume: bool = False
    ) -> None:
        self._staged = staged
        self._place = place
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self.size = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if resume else os.O_EXCL)
        with exhaustion(_DOING):
            self._handle = os.open(staged, flags, 0o600)
        self._reserve = Reserve(self._handle, _DOING)
        if resume:
            self._hash_again(algorithm)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take all of *data*. Raises ResourceExhausted on a full disk."""
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
            raise DigestMismatch(f"blob {expected or digest} has {self.size} bytes, not the {size} promised")
        if expected is not None and expected != digest:
            raise DigestMismatch(f"blob has digest {digest}, not the promised {expected}")
        with exhaustion(_DOING):
            if durable:
                os.fsync(self._handle)
            target = self._place(digest)
            # A blob that is there already is replaced by its equal: this heals one that was damaged.
            self._staged.rename(target)
            if durable:
                sync_folder(target.parent)
        self._finish()
        return Stored(digest, self.size)

    def suspend(self) -> None:
        """Stop here and keep what is staged, for a writer that resumes it."""
        if self._handle >= 0:
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle >= 0:
            self._finish()
            self._staged.unlink(missing_ok=True)

    def _hash_again(self, algorithm: str) -> None:
        fresh, size = hashlib.new(algorithm), 0
        os.lseek(self._handle, 0, os.SEEK_SET)
        while piece := os.read(self._handle, _PIECE_BYTES):
            fresh.update(piece)
            size += len(piece)
        self._algorithm, self._hash, self.size = algorithm, fresh, size

    def _finish(self) -> None:
        handle, self._handle = self._handle, -1
        os.close(handle)
