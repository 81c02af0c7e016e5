"""An image on its way in: its documents, its blobs, and the lease that keeps them until it is published."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from havre.content.ingest import Stored
from havre.content.leases import Lease
from havre.content.reader import BlobReader, Readable
from havre.content.store import Content
from havre.oci.descriptor import OCI_CONFIG, OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest
from havre.oci.image_config import ImageConfig
from havre.oci.manifest import Manifest
from havre.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image that is not there yet: its documents as they came, its layer blobs in the store, lowest first.

    A *genuine* manifest came from a registry: it takes the place of another one that the image has here. *index_bytes*
    are the index that lists it, of *index_type*, or empty.
    """

    config: ImageConfig
    config_bytes: bytes
    manifest_bytes: bytes
    manifest_type: str
    index_bytes: bytes = b""
    index_type: str = ""
    blobs: tuple[Digest, ...]
    names: tuple[Reference, ...] = ()
    parent: str = ""
    genuine: bool = False

    @property
    def id(self) -> str:
        """The digest of the config: what Docker calls the image's id."""
        return str(Digest.of(self.config_bytes))

    @property
    def manifest(self) -> Descriptor:
        """What points to the manifest."""
        return _described(self.manifest_type, self.manifest_bytes)

    @property
    def index(self) -> Descriptor | None:
        """What points to the index."""
        return _described(self.index_type, self.index_bytes) if self.index_bytes else None

    @property
    def contents(self) -> frozenset[Digest]:
        """Every blob that the image needs, but for the index."""
        return frozenset((*self.blobs, Digest.of(self.config_bytes), Digest.of(self.manifest_bytes)))


class Arrival:
    """One piece of work that brings blobs: what it wrote or asked for stays until its end.

    Its methods block and may be called from threads.
    """

    def __init__(self, content: Content, lease: Lease) -> None:
        self._content = content
        self.lease = lease
        self.blobs: set[Digest] = set()
        self.chains: set[Digest] = set()

    def has(self, digest: Digest) -> bool:
        """Whether the blob is in the store; if so, it stays."""
        self.lease.hold(digest)
        return self._content.has(digest)

    def ingest(self, source: Readable, expected: Digest | None = None, size: int | None = None) -> Stored:
        """See `Content.ingest`; it is on the disk after `flush`, which `ImageStore.add` calls before it publishes."""
        stored = self._content.ingest(source, expected, size, lease=self.lease, durable=False)
        self.blobs.add(stored.digest)
        return stored

    def ingest_soon(self, pieces: Iterable[bytes]) -> Stored:
        """Store what *pieces* hold; it is on the disk after `flush`, and no record may name it before."""
        with self._content.writer(lease=self.lease) as blob:
            for piece in pieces:
                blob.write(piece)
            stored = blob.commit(durable=False)
        self.blobs.add(stored.digest)
        return stored

    def flush(self) -> None:
        """See `Content.flush`."""
        self._content.flush()

    def ingest_bytes(self, data: bytes) -> Digest:
        """Store *data* unless it is there."""
        digest = Digest.of(data)
        if not self.has(digest):
            self.ingest(io.BytesIO(data), digest, len(data))
        return digest

    def open(self, digest: Digest) -> BlobReader:
        """See `Content.open`."""
        return self._content.open(digest)

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        """See `Content.read_bytes`."""
        return self._content.read_bytes(digest, limit)

    def read_head(self, digest: Digest, limit: int) -> bytes:
        """The first bytes of a blob."""
        with self._content.open(digest) as blob:
            return blob.read(limit)

    def store_documents(self, candidate: Candidate) -> None:
        """Put config, manifest and index into the store."""
        self.ingest_bytes(candidate.config_bytes)
        self.ingest_bytes(candidate.manifest_bytes)
        if candidate.index_bytes:
            self.ingest_bytes(candidate.index_bytes)


def make_manifest(config_bytes: bytes, layers: Sequence[Descriptor]) -> bytes:
    """An OCI manifest for an image that came without one."""
    config = _described(OCI_CONFIG, config_bytes)
    return msgspec.json.encode(Manifest(schema_version=2, media_type=OCI_MANIFEST, config=config, layers=list(layers)))


def _described(media_type: str, data: bytes) -> Descriptor:
    return Descriptor(media_type=media_type, digest=str(Digest.of(data)), size=len(data))
