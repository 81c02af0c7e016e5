"""Caches to write: what a build did, as an artifact that is pushed, or as an OCI layout in an archive."""

import io
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from havre.base.tasks import in_thread
from havre.build.cache import CacheRecord
from havre.build.cache_document import CACHE_TYPE, REF_NAME, CachedStep, write
from havre.content.store import Content
from havre.images.archive_members import blob_path
from havre.images.candidate import Arrival
from havre.images.packing import compress
from havre.images.pushing import StoredBlob
from havre.images.tarball import END_MARK, file, file_header, folder, padding
from havre.images.threads import all_in_threads
from havre.oci.descriptor import OCI_INDEX, OCI_MANIFEST, PLAIN_LAYERS, Descriptor
from havre.oci.digest import Digest
from havre.oci.manifest import Index, Manifest
from havre.oci.reference import Reference
from havre.registry.client.documents import Document
from havre.registry.client.uploads import Uploads

_AT_ONCE: Final = 4
_PIECE_BYTES: Final = 1 << 20
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class Pack:
    """An artifact in the store: *document* is its manifest."""

    document: Document
    config: Descriptor
    layers: tuple[Descriptor, ...]


async def packed(records: Iterable[CacheRecord], arrival: Arrival) -> Pack:
    """The artifact of *records*, its blobs in the store while *arrival* lasts; layers are compressed."""
    known = {record.key: record for record in records}
    made = {record.diff: layer.blob for record in known.values() if (layer := record.layer()) is not None}
    plain = sorted(diff for diff, blob in made.items() if blob.media_type in PLAIN_LAYERS)
    calls = [partial(compress, arrival, made[diff].parsed_digest()) for diff in plain]
    made |= dict(zip(plain, await all_in_threads(lambda: None, calls, _AT_ONCE), strict=True))
    places = {diff: number for number, diff in enumerate(made)}
    steps = [_step(record, places) for record in known.values()]
    return await in_thread(_stored, write(steps), tuple(made.values()), arrival)


def _step(record: CacheRecord, places: Mapping[str, int]) -> CachedStep:
    return CachedStep(
        key=record.key,
        created_ns=record.created_ns,
        kind=record.kind,
        text=record.text,
        layer=places[record.diff] if record.diff else -1,
        diff=record.diff,
    )


def _stored(config: bytes, layers: tuple[Descriptor, ...], arrival: Arrival) -> Pack:
    about = Descriptor(media_type=CACHE_TYPE, digest=str(Digest.of(config)), size=len(config))
    document = Manifest(schema_version=2, media_type=OCI_MANIFEST, config=about, layers=list(layers))
    data = msgspec.json.encode(document)
    top = Descriptor(media_type=OCI_MANIFEST, digest=str(Digest.of(data)), size=len(data))
    arrival.ingest(io.BytesIO(config), about.parsed_digest())
    return Pack(Document(top, data), about, layers)


async def push(pack: Pack, content: Content, uploads: Uploads, reference: Reference) -> None:
    """Publish *pack* as *reference*. Raises what registries raise."""
    for blob in _once((*pack.layers, pack.config)):
        await uploads.place(StoredBlob(content, blob), (), lambda _: None)
    await uploads.put_manifest(reference.tag, pack.document)


def layout(pack: Pack, content: Content, tag: str) -> Generator[bytes, None, None]:
    """*pack* as an OCI layout in an archive; blocks."""
    top = msgspec.structs.replace(pack.document.descriptor, annotations={REF_NAME: tag})
    index = Index(schema_version=2, media_type=OCI_INDEX, manifests=[top])
    yield folder("blobs") + folder("blobs/sha256")
    yield file(blob_path(top.parsed_digest()), pack.document.data)
    for blob in _once((pack.config, *pack.layers)):
        yield file_header(blob_path(blob.parsed_digest()), blob.size)
        with content.open(blob.parsed_digest()) as source:
            while piece := source.read(_PIECE_BYTES):
                yield piece
        yield padding(blob.size)
    yield file("oci-layout", _LAYOUT) + file("index.json", msgspec.json.encode(index)) + END_MARK


def _once(blobs: Sequence[Descriptor]) -> list[Descriptor]:
    return list({blob.digest: blob for blob in blobs}.values())
