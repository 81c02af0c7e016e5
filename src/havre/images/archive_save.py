"""`docker save`: one tar that is an OCI image layout and the older docker-archive at once; the same bytes each time.

Layers stand in it uncompressed under their diff id, as Docker has written them since 25.0, so that engines which
know only manifest.json can load it.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from havre.base.errors import InvalidInput
from havre.content.store import Content
from havre.images.archive_members import blob_path
from havre.images.candidate import make_manifest
from havre.images.catalogue import Catalogue, is_whole_id
from havre.images.indexes import for_platform
from havre.images.layout import FULL_NAME, REF_NAME
from havre.images.model import DamagedStore, Image, Layer, NoSuchImage
from havre.images.tarball import END_MARK, file, file_header, folder, padding
from havre.oci import manifest
from havre.oci.descriptor import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.image_config import MAX_CONFIG_BYTES
from havre.oci.manifest import Index, Manifest
from havre.oci.reference import Reference
from havre.snapshots.budget import Metered
from havre.snapshots.compression import Decompressed

_PIECE_BYTES = 1 << 20
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to save, and the names to write with it."""

    image: Image
    names: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class _LayerSource:
    """Where the uncompressed tar of *diff* comes from."""

    diff: Digest
    blob: Digest
    compressed: bool
    tar_bytes: int


class _Entry(msgspec.Struct, frozen=True, rename="pascal", kw_only=True):
    config: str
    repo_tags: list[str] | None
    layers: list[str]
    layer_sources: dict[str, Descriptor]


def plan_save(catalogue: Catalogue, texts: Sequence[str], platform: Platform | None = None) -> tuple[Wanted, ...]:
    """The images that *texts* mean: a repository alone means all its tags; of each what serves *platform*.

    Raises NoSuchImage, InvalidInput.
    """
    if not texts:
        raise InvalidInput("no image to save was named")
    names: dict[str, set[Reference]] = {}
    for text in texts:
        for name, named in _meant(catalogue, text):
            image = named if platform is None else for_platform(catalogue, named, platform, text)
            found = names.setdefault(image.id, set())
            found.update(() if name is None else (name,))
    images = {image_id: catalogue.get(image_id) for image_id in names}
    return tuple(
        Wanted(image, tuple(sorted(names[image_id], key=str)))
        for image_id, image in images.items()
        if image is not None
    )


def contents_of(content: Content, wanted: Iterable[Wanted]) -> frozenset[Digest]:
    """Every blob that saving needs; blocks."""
    blobs: set[Digest] = set()
    for one in wanted:
        blobs.update((Digest.parse(one.image.id), one.image.manifest.parsed_digest()))
        blobs.update(layer.parsed_digest() for layer in _manifest(content, one.image).layers)
    return frozenset(blobs)


def write_archive(content: Content, wanted: Sequence[Wanted]) -> Generator[bytes, None, None]:
    """The archive in pieces of about a megabyte; blocks. What is damaged ends it with an error."""
    return _gathered(_Archive(content, wanted).pieces())


class _Archive:
    def __init__(self, content: Content, wanted: Sequence[Wanted]) -> None:
        self._content = content
        self._documents: dict[str, bytes] = {}
        self._layers: dict[str, _LayerSource] = {}
        self._collect(wanted)

    def pieces(self) -> Iterator[bytes]:
        """Folders first, then files by name, as a walk of the layout gives them."""
        yield folder("blobs")
        yield folder("blobs/sha256")
        for path in sorted({*self._documents, *self._layers}):
            document = self._documents.get(path)
            if document is not None:
                yield file(path, document)
            else:
                yield from self._layer(path, self._layers[path])
        yield END_MARK

    def _collect(self, wanted: Sequence[Wanted]) -> None:
        entries: list[_Entry] = []
        descriptors: list[Descriptor] = []
        repositories: dict[str, dict[str, str]] = {}
        for one in wanted:
            entry, descriptor = self._image(one)
            entries.append(entry)
            descriptors += _named(descriptor, one.names)
            for name in one.names:
                top = one.image.layers[-1].diff.value if one.image.layers else descriptor.digest
                repositories.setdefault(name.familiar_name, {})[name.tag] = top
        index = Index(schema_version=2, media_type=OCI_INDEX, manifests=descriptors)
        self._documents["index.json"] = msgspec.json.encode(index)
        self._documents["manifest.json"] = msgspec.json.encode(entries)
        self._documents["oci-layout"] = _LAYOUT
        if repositories:
            self._documents["repositories"] = msgspec.json.encode(repositories, order="sorted")

    def _image(self, one: Wanted) -> tuple[_Entry, Descriptor]:
        config_digest = Digest.parse(one.image.id)
        config = self._content.read_bytes(config_digest, MAX_CONFIG_BYTES)
        self._documents[blob_path(config_digest)] = config
        stored = _manifest(self._content, one.image).layers
        sources = [self._source(layer, descriptor) for layer, descriptor in zip(one.image.layers, stored, strict=True)]
        layers = [
            Descriptor(media_type=OCI_LAYER, digest=str(source.diff), size=source.tar_bytes) for source in sources
        ]
        document = make_manifest(config, layers)
        digest = Digest.of(document)
        self._documents[blob_path(digest)] = document
        for source in sources:
            self._layers[blob_path(source.diff)] = source
        entry = _Entry(
            config=blob_path(config_digest),
            repo_tags=[name.familiar for name in one.names] or None,
            layers=[blob_path(source.diff) for source in sources],
            layer_sources={layer.digest: layer for layer in layers},
        )
        return entry, Descriptor(media_type=OCI_MANIFEST, digest=str(digest), size=len(document))

    def _source(self, layer: Layer, descriptor: Descriptor) -> _LayerSource:
        blob = descriptor.parsed_digest()
        if blob == layer.diff:
            return _LayerSource(layer.diff, blob, compressed=False, tar_bytes=self._content.size(blob))
        size = layer.tar_bytes or self._measure(blob)
        return _LayerSource(layer.diff, blob, compressed=True, tar_bytes=size)

    def _measure(self, blob: Digest) -> int:
        """The length of a layer that was never counted: a crash came between its unpacking and its record."""
        with self._content.open(blob) as source:
            counted = Metered(Decompressed(source), _NO_LIMIT)
            counted.drain()
            return counted.count

    def _layer(self, path: str, source: _LayerSource) -> Iterator[bytes]:
        yield file_header(path, source.tar_bytes)
        with self._content.open(source.blob) as blob:
            counted = Metered(Decompressed(blob) if source.compressed else blob, source.tar_bytes)
            while piece := counted.read(_PIECE_BYTES):
                yield piece
            if counted.count != source.tar_bytes or counted.digest() != source.diff:
                raise DamagedStore(f"layer {source.diff} is damaged: its blob {source.blob} holds something else")
        yield padding(source.tar_bytes)


def _meant(catalogue: Catalogue, text: str) -> list[tuple[Reference | None, Image]]:
    if not is_whole_id(text):
        reference = Reference.parse(text)
        if reference.tag or reference.digest:
            image = catalogue.named(reference)
            if image is not None:
                return [(None if reference.digest else reference, image)]
            if reference.familiar_name != "sha256":  # an id's beginning with its algorithm
                raise NoSuchImage("reference does not exist")
        tags = [(name, catalogue.named(name)) for name in catalogue.in_repository(reference.repository())]
        if tags and not reference.tag:
            return [(name, image) for name, image in tags if image is not None]
    image = catalogue.by_prefix(text)
    if image is None:
        raise NoSuchImage(f"No such image: {text}")
    return [(None, image)]


def _manifest(content: Content, image: Image) -> Manifest:
    raw = content.read_bytes(image.manifest.parsed_digest(), manifest.MAX_MANIFEST_BYTES)
    document = manifest.decode(raw, image.manifest.media_type)
    if not isinstance(document, Manifest):
        raise DamagedStore(f"manifest {image.manifest.digest} of image {image.id} is an index")
    return document


def _named(descriptor: Descriptor, names: Iterable[Reference]) -> list[Descriptor]:
    named = [
        msgspec.structs.replace(descriptor, annotations={FULL_NAME: str(name), REF_NAME: name.tag}) for name in names
    ]
    return named or [descriptor]


def _gathered(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Small pieces together, so that a step of the caller is worth its price."""
    waiting: list[bytes] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= _PIECE_BYTES:
            yield b"".join(waiting)
            waiting, count = [], 0
    if waiting:
        yield b"".join(waiting)
