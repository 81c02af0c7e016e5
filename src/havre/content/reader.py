"""Reading a blob: every byte is hashed on its way out, and the last ones come only if the whole is right."""

import hashlib
import io
import os
from typing import Protocol

from havre.content.errors import DamagedBlob
from havre.oci.digest import Digest


class Readable(Protocol):
    """Where bytes come from: at most *size* of them a call, none at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; empty only at the end."""


class FileReader:
    """An open file or pipe as a Readable; the handle stays its owner's."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        return os.read(self._handle, size)


class BlobReader(io.RawIOBase):
    """A stored blob as a stream, verified while it is read.

    The read that reaches the end raises DamagedBlob, and gives nothing, when size or hash are wrong:
    whoever reads to the end has the blob that the digest names.
    """

    def __init__(self, handle: int, digest: Digest) -> None:
        super().__init__()
        self._handle = handle
        self.digest = digest
        status = os.fstat(handle)
        self.size = status.st_size
        self.stored_ns = status.st_mtime_ns
        self._left = self.size
        self._hash = hashlib.new(digest.algorithm)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private to type checkers
        """See io.RawIOBase."""
        return self._account(os.readv(self._handle, [buffer]), memoryview(buffer))

    def read(self, size: int = -1, /) -> bytes:
        """At most *size* bytes, or all that is left."""
        if size < 0:
            return self.readall()
        data = os.read(self._handle, size)
        self._account(len(data), memoryview(data))
        return data

    def verify_empty(self) -> None:
        """For a blob without a byte, whose end no read reaches. Raises DamagedBlob."""
        self._account(0, memoryview(b""))

    def close(self) -> None:
        """Give the handle back."""
        if not self.closed and self._handle >= 0:
            os.close(self._handle)
        super().close()

    def detach_handle(self) -> int:
        """The open file itself, which is the caller's from now on; the stream ends."""
        handle, self._handle = self._handle, -1
        self.close()
        return handle

    def _account(self, count: int, data: memoryview) -> int:
        self._hash.update(data[:count])
        self._left -= count
        if self._left < 0 or (count == 0 and self._left > 0 and len(data) > 0):
            raise DamagedBlob(f"blob {self.digest}: its size changed while it was read")
        if self._left == 0 and self._hash.hexdigest() != self.digest.value:
            raise DamagedBlob(f"blob {self.digest} does not match its digest: it is damaged on disk")
        return count
