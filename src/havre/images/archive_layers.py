"""The layers of an archive as blobs with a descriptor: what compresses them is seen, not believed."""

import hashlib

from havre.content.reader import Readable
from havre.images.archive_members import Members
from havre.images.candidate import Arrival
from havre.oci.descriptor import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from havre.oci.digest import Digest
from havre.snapshots.budget import BadArchive
from havre.snapshots.compression import Compression, Decompressed, detect

_PIECE_BYTES = 1 << 20
_HEAD_BYTES = 16
_TYPES = {
    Compression.NONE: OCI_LAYER,
    Compression.GZIP: OCI_LAYER_GZIP,
    Compression.ZSTD: OCI_LAYER_ZSTD,
}


class LayerBlobs:
    """Makes layers of an archive's files, each file once."""

    def __init__(self, members: Members, arrival: Arrival) -> None:
        self._members = members
        self._arrival = arrival
        self._done: dict[str, Descriptor] = {}

    def take(self, path: str, diff: Digest | None) -> Descriptor:
        """The layer at *path*; the archive is refused when it plainly is not the one that *diff* names.

        What no manifest can name (xz, bzip2) is stored uncompressed.
        """
        descriptor = self._done.get(path)
        if descriptor is None:
            descriptor = self._done[path] = self._store(path)
        if diff is not None and descriptor.media_type == OCI_LAYER and descriptor.digest != str(diff):
            raise BadArchive(f'invalid diffID for layer {_short(path)}: expected "{diff}", got "{descriptor.digest}"')
        return descriptor

    def diff_of(self, path: str) -> Digest:
        """The digest of the uncompressed layer at *path*, which was taken."""
        descriptor = self._done[path]
        if descriptor.media_type == OCI_LAYER:
            return descriptor.parsed_digest()
        with self._arrival.open(descriptor.parsed_digest()) as blob:
            return _digest(Decompressed(blob))

    def _store(self, path: str) -> Descriptor:
        kind = detect(self._members.head(path, _HEAD_BYTES))
        stored = self._members.blob(path)
        media_type = _TYPES.get(kind)
        if media_type is None:
            with self._arrival.open(stored.digest) as blob:
                stored = self._arrival.ingest(Decompressed(blob))
            media_type = OCI_LAYER
        return Descriptor(media_type=media_type, digest=str(stored.digest), size=stored.size)


def _digest(source: Readable) -> Digest:
    found = hashlib.sha256()
    while piece := source.read(_PIECE_BYTES):
        found.update(piece)
    return Digest("sha256", found.hexdigest())


def _short(path: str) -> str:
    return repr(path[:160])
