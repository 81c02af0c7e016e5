"""What an archive from outside may cost at most (security.md, rule 20)."""

import hashlib
from dataclasses import dataclass

from havre.base.errors import InvalidInput
from havre.content.reader import Readable
from havre.oci.digest import Digest

_PIECE_BYTES = 1 << 20


class BadArchive(InvalidInput):
    """An archive that is damaged, cut, or asks for what no archive may ask for."""


class TooLarge(BadArchive):
    """An archive that goes over its budget."""


@dataclass(frozen=True, slots=True)
class Budget:
    """*stream_bytes* bounds the uncompressed archive and, apart, the sum of the sizes that its files claim."""

    stream_bytes: int = 256 << 30
    members: int = 1_000_000
    name_bytes: int = 4096
    component_bytes: int = 255


class Metered:
    """A source that is counted and hashed on its way; raises TooLarge beyond *limit* bytes."""

    def __init__(self, source: Readable, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._hash = hashlib.sha256()
        self.count = 0

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        data = self._source.read(size)
        self.count += len(data)
        if self.count > self._limit:
            raise TooLarge(f"archive is larger than {self._limit} bytes")
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """Read, count and hash to the end."""
        drain(self)

    def digest(self) -> Digest:
        """The sha256 digest of what was read."""
        return Digest("sha256", self._hash.hexdigest())


def drain(source: Readable) -> None:
    """Read to the end: what stands behind an archive's end mark."""
    while source.read(_PIECE_BYTES):
        pass
