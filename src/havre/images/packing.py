"""An image as registries take it: the manifest it came with, or one whose plain layers are compressed first."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from havre.base.tasks import in_thread
from havre.content.reader import BlobReader
from havre.content.store import Content
from havre.images.candidate import Arrival, Candidate, make_manifest
from havre.images.model import DamagedStore, Image
from havre.images.store import ImageStore
from havre.images.threads import all_in_threads
from havre.oci import manifest
from havre.oci.descriptor import OCI_LAYER_GZIP, OCI_MANIFEST, PLAIN_LAYERS, Descriptor
from havre.oci.digest import Digest
from havre.oci.image_config import MAX_CONFIG_BYTES
from havre.oci.manifest import Manifest
from havre.registry.client.documents import Document
from havre.snapshots.compression import Compression, compressed

_PIECE_BYTES: Final = 1 << 20
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Packed:
    """What to send: *document* last, and before it the config and the layers, lowest first."""

    document: Document
    config: Descriptor
    layers: tuple[Descriptor, ...]


async def packed(store: ImageStore, image: Image, arrival: Arrival) -> Packed:
    """*image* ready to be pushed; its blobs stay while *arrival* lasts.

    Layers that lie here uncompressed (loaded, committed, built) are compressed once: the image has the new manifest
    from then on, so that its digest is the same here and there. What a registry or an index knows by its digest stays
    as it is. Raises DamagedStore.
    """
    content = store.content
    known = await in_thread(read_manifest, content, image)
    is_known = image.index is not None or bool(image.repo_digests)
    plain = {layer.digest for layer in known.layers if layer.media_type in PLAIN_LAYERS and not is_known}
    for blob in (*known.layers, known.config, image.manifest):
        if not await in_thread(arrival.has, blob.parsed_digest()):
            raise DamagedStore(f"blob {blob.digest} of image {image.id} is missing; pull or load the image again")
    if plain:
        calls = [partial(compress, arrival, Digest.parse(one)) for one in sorted(plain)]
        done = dict(zip(sorted(plain), await all_in_threads(_go_on, calls, _AT_ONCE), strict=True))
        # What the compressed ones replace goes with the arrival that holds it, unless another image needs it.
        arrival.blobs.update((*map(Digest.parse, plain), image.manifest.parsed_digest()))
        known = await _replaced(store, image, arrival, [done.get(one.digest, one) for one in known.layers])
        image = store.catalogue.get(image.id) or image
    data = await in_thread(content.read_bytes, image.manifest.parsed_digest(), manifest.MAX_MANIFEST_BYTES)
    return Packed(Document(image.manifest, data), known.config, tuple(known.layers))


def read_manifest(content: Content, image: Image) -> Manifest:
    """The manifest that *image* has here; blocks. Raises DamagedStore, NoSuchBlob, DamagedBlob."""
    raw = content.read_bytes(image.manifest.parsed_digest(), manifest.MAX_MANIFEST_BYTES)
    document = manifest.decode(raw, image.manifest.media_type)
    if not isinstance(document, Manifest):
        raise DamagedStore(f"manifest {image.manifest.digest} of image {image.id} is an index")
    return document


async def _replaced(store: ImageStore, image: Image, arrival: Arrival, layers: list[Descriptor]) -> Manifest:
    config_bytes = await in_thread(store.content.read_bytes, Digest.parse(image.id), MAX_CONFIG_BYTES)
    data = make_manifest(config_bytes, layers)
    candidate = Candidate(
        config=image.config,
        config_bytes=config_bytes,
        manifest_bytes=data,
        manifest_type=OCI_MANIFEST,
        blobs=tuple(one.parsed_digest() for one in layers),
        parent=image.parent,
        genuine=True,
    )
    await store.add(arrival, candidate, lambda _: None, tagged=False)
    document = manifest.decode(data)
    if not isinstance(document, Manifest):
        raise TypeError("a manifest was made")
    return document


def compress(arrival: Arrival, blob: Digest) -> Descriptor:
    """Store the plain layer *blob* compressed; blocks."""
    with arrival.open(blob) as source:
        stored = arrival.ingest(_Pieces(compressed(_pieces(source), Compression.GZIP)))
    return Descriptor(media_type=OCI_LAYER_GZIP, digest=str(stored.digest), size=stored.size)


def _pieces(source: BlobReader) -> Iterator[bytes]:
    while piece := source.read(_PIECE_BYTES):
        yield piece


class _Pieces:
    """Pieces as a Readable whose reads give what there is."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int, /) -> bytes:
        """The next piece, whatever its size."""
        return next(self._pieces, b"")


def _go_on() -> None:
    """A compression is finished, not stopped."""
