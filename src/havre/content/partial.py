"""A blob that comes in pieces, perhaps over several attempts and several lives of the process."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from havre.base.atomic import sync_folder
from havre.base.exhaustion import exhaustion
from havre.content.errors import DigestMismatch
from havre.content.ingest import Stored
from havre.content.space import Reserve
from havre.oci.digest import Digest

_DOING = "storing a blob"


class PartialBlob:
    """The file *path*, which grows to the blob of *digest*; a context manager that keeps what has come.

    What is there already is read first, by `replay`; what is new is given to `write`; `commit` makes it the
    blob. One at a time has the file.
    """

    def __init__(self, path: Path, digest: Digest, place: Callable[[Digest], Path]) -> None:
        self._path = path
        self._digest = digest
        self._place = place
        self._hash = hashlib.new(digest.algorithm)
        with exhaustion(_DOING):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._handle = os.open(path, flags, 0o600)
        self._reserve = Reserve(self._handle, _DOING)
        self.kept = os.fstat(self._handle).st_size
        """Bytes that an earlier attempt has left."""
        self._at = 0

    def replay(self, size: int) -> bytes:
        """The next of the bytes that were kept; none at their end."""
        if self._at >= self.kept:
            return b""
        data = os.read(self._handle, min(size, self.kept - self._at))
        self._hash.update(data)
        self._at += len(data)
        return data

    def write(self, data: bytes) -> None:
        """Take all of *data*, after all that was kept was replayed. Raises ResourceExhausted."""
        self._reserve.spend(len(data))
        self._hash.update(data)
        left = memoryview(data)
        with exhaustion(_DOING):
            while left:
                left = left[os.write(self._handle, left) :]
        self._at += len(data)

    def commit(self, size: int) -> Stored:
        """Make it a blob, durably. Raises DigestMismatch, and keeps nothing, when it is another one."""
        found = self._hash.hexdigest()
        if self._at != size or found != self._digest.value:
            self.drop()
            what = f"{self._at} bytes, not {size}" if self._at != size else f"{self._digest.algorithm}:{found}"
            raise DigestMismatch(f"blob verification failed for digest {self._digest}: it has {what}")
        with exhaustion(_DOING):
            os.fsync(self._handle)
            target = self._place(self._digest)
            self._path.rename(target)
            sync_folder(target.parent)
        return Stored(self._digest, size)

    def drop(self) -> None:
        """Keep nothing."""
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
