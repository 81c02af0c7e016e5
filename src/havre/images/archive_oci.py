"""An OCI image layout in an archive: index.json, manifests and indexes below it, blobs by digest (image-layout.md)."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from havre.base.errors import InvalidInput
from havre.images.archive_members import Members, blob_path
from havre.images.candidate import Arrival, Candidate
from havre.images.layout import FULL_NAME, REF_NAME
from havre.images.platforms import choose, fits, format_platform, is_attestation
from havre.oci import image_config, manifest
from havre.oci.descriptor import DOCKER_CONFIG, INDEX_TYPES, MANIFEST_TYPES, OCI_CONFIG, Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.manifest import Index, Manifest
from havre.oci.reference import Reference
from havre.snapshots.budget import BadArchive

INDEX = "index.json"
_LAYOUT = "oci-layout"
_MAX_DEPTH = 4
_MAX_MANIFESTS = 1000
_MAX_LAYERS = 1000


class _Layout(msgspec.Struct, frozen=True, rename="camel"):
    image_layout_version: str


@dataclass(frozen=True, slots=True)
class _Listing:
    """An index below index.json: what points to it, its bytes, and what they say."""

    pointer: Descriptor
    data: bytes
    index: Index


def read_oci(members: Members, arrival: Arrival, wanted: Platform, *, strict: bool) -> list[Candidate]:
    """The images of a layout: for each name the one that serves *wanted* best.

    An index with a single image gives that one whatever it runs on. What else such an index lists and the archive has
    follows without a name. Unless *strict*: then there is only what serves. Raises BadArchive or
    InvalidInput unless everything that is taken is sound.
    """
    if members.has(_LAYOUT):
        version = members.decode(_LAYOUT, _Layout, 1 << 16).image_layout_version
        if version != "1.0.0":
            raise BadArchive(f"invalid archive: unknown version {version[:40]!r} of the image layout")
    top = manifest.decode(members.read(INDEX, manifest.MAX_MANIFEST_BYTES))
    if not isinstance(top, Index):
        raise BadArchive("invalid archive: index.json is not an image index")
    return _Reader(members, arrival, wanted, strict=strict).images(top)


class _Reader:
    def __init__(self, members: Members, arrival: Arrival, wanted: Platform, *, strict: bool) -> None:
        self._members = members
        self._arrival = arrival
        self._wanted = wanted
        self._strict = strict

    def images(self, top: Index) -> list[Candidate]:
        """Several names of one image make one candidate."""
        found: dict[str, Candidate] = {}
        for names, offers in self._groups(top):
            chosen = self._choose(offers)
            if chosen is None:
                continue
            listing = self._listing(offers, chosen)
            for one in (chosen, *self._others(listing, chosen)):
                known = found.get(one.digest) or self._candidate(one, listing)
                fresh = names if one is chosen else ()
                found[one.digest] = replace(known, names=(*known.names, *(n for n in fresh if n not in known.names)))
        if not found:
            raise BadArchive(f"invalid archive: it has no image for {format_platform(self._wanted)}")
        return list(found.values())

    def _groups(self, top: Index) -> Iterator[tuple[tuple[Reference, ...], list[Descriptor]]]:
        """The manifests that compete for one name. What has neither name nor platform stands for itself."""
        if len(top.manifests) > _MAX_MANIFESTS:
            raise BadArchive(f"invalid archive: more than {_MAX_MANIFESTS} manifests")
        groups: dict[Reference | str, list[Descriptor]] = {}
        for offer in top.manifests:
            name = name_of(offer.annotations)
            key: Reference | str = name or ("" if offer.platform is not None else offer.digest)
            groups.setdefault(key, []).append(offer)
        for key, offers in groups.items():
            yield (key,) if isinstance(key, Reference) else (), offers

    def _choose(self, offers: list[Descriptor], depth: int = 0) -> Descriptor | None:
        """The manifest that serves best among *offers* and what indexes among them hold."""
        flat: list[Descriptor] = []
        for offer in offers:
            if offer.media_type not in INDEX_TYPES:
                flat.append(offer)
                continue
            if depth >= _MAX_DEPTH:
                raise BadArchive("invalid archive: indexes lie in indexes without end")
            inner = self._choose(self._index(offer).manifests, depth + 1)
            flat += [inner] if inner is not None else []
        images = [one for one in flat if not is_attestation(one)]
        known = [msgspec.structs.replace(one, platform=self._platform(one)) for one in images]
        if len(known) == 1 and not self._strict:
            return known[0]
        chosen = choose(known, self._wanted)
        served = chosen is not None and chosen.platform is not None and fits(chosen.platform, self._wanted) is not None
        return chosen if served else None

    def _listing(self, offers: list[Descriptor], chosen: Descriptor) -> _Listing | None:
        """The index among *offers* that names *chosen* itself."""
        for offer in offers:
            if offer.media_type in INDEX_TYPES:
                listing = _Listing(offer, self._document(offer, manifest.MAX_MANIFEST_BYTES), self._index(offer))
                if any(one.digest == chosen.digest for one in listing.index.manifests):
                    return listing
        return None

    def _others(self, listing: _Listing | None, chosen: Descriptor) -> Iterator[Descriptor]:
        """The other images of the index that are whole in the archive."""
        if listing is None or self._strict:
            return
        listed = {one.digest: one for one in listing.index.manifests if one.digest != chosen.digest}
        for one in listed.values():
            if one.media_type in MANIFEST_TYPES and not is_attestation(one) and self._has([one]):
                document, _ = self._manifest(one)
                if self._has([document.config, *document.layers]):
                    yield one

    def _has(self, blobs: Sequence[Descriptor]) -> bool:
        return all(self._members.has(blob_path(one.parsed_digest())) for one in blobs)

    def _platform(self, offer: Descriptor) -> Platform | None:
        """What the descriptor says, or else the config behind it."""
        if offer.platform is not None or offer.media_type not in MANIFEST_TYPES:
            return offer.platform
        document = self._manifest(offer)[0]
        return image_config.decode(self._config(document)).platform

    def _candidate(self, chosen: Descriptor, listing: _Listing | None) -> Candidate:
        document, raw = self._manifest(chosen)
        config_bytes = self._config(document)
        config = image_config.decode(config_bytes)
        diffs = config.diff_ids()
        if len(document.layers) != len(diffs):
            raise BadArchive(
                f"invalid manifest, layers length mismatch: expected {len(diffs)}, got {len(document.layers)}"
            )
        return Candidate(
            config=config,
            config_bytes=config_bytes,
            manifest_bytes=raw,
            manifest_type=document.media_type or chosen.media_type,
            index_bytes=listing.data if listing is not None else b"",
            index_type=listing.pointer.media_type if listing is not None else "",
            blobs=tuple(self._layer(layer) for layer in document.layers),
        )

    def _index(self, offer: Descriptor) -> Index:
        document = manifest.decode(self._document(offer, manifest.MAX_MANIFEST_BYTES), offer.media_type)
        if not isinstance(document, Index):
            raise BadArchive(f"invalid archive: {offer.digest} is not an image index")
        return document

    def _manifest(self, offer: Descriptor) -> tuple[Manifest, bytes]:
        if offer.media_type not in MANIFEST_TYPES:
            raise BadArchive(f"invalid archive: unsupported manifest media type {offer.media_type[:160]!r}")
        raw = self._document(offer, manifest.MAX_MANIFEST_BYTES)
        document = manifest.decode(raw, offer.media_type)
        if not isinstance(document, Manifest):
            raise BadArchive(f"invalid archive: {offer.digest} is not an image manifest")
        if len(document.layers) > _MAX_LAYERS:
            raise BadArchive(f"invalid archive: more than {_MAX_LAYERS} layers")
        return document, raw

    def _config(self, document: Manifest) -> bytes:
        if document.config.media_type not in {OCI_CONFIG, DOCKER_CONFIG}:
            raise BadArchive(f"invalid archive: {document.config.media_type[:160]!r} is no image config")
        return self._document(document.config, image_config.MAX_CONFIG_BYTES)

    def _document(self, pointer: Descriptor, limit: int) -> bytes:
        digest = pointer.parsed_digest()
        data = self._members.read(blob_path(digest), limit)
        if len(data) != pointer.size or not _is(digest, data):
            raise BadArchive(f"invalid archive: the blob of {digest} is another one")
        return data

    def _layer(self, layer: Descriptor) -> Digest:
        digest = layer.parsed_digest()
        path = blob_path(digest)
        if not self._members.has(path) and self._arrival.has(digest):
            return digest  # as `docker save` of a newer engine may leave out what every store has
        stored = self._members.blob(path)
        if stored.size != layer.size:
            raise BadArchive(f"invalid archive: the blob of {digest} is another one")
        if digest.algorithm == "sha256":
            if stored.digest != digest:
                raise BadArchive(f"invalid archive: the blob of {digest} is another one")
            return digest
        with self._arrival.open(stored.digest) as blob:
            return self._arrival.ingest(blob, digest, layer.size).digest


def name_of(annotations: Mapping[str, str]) -> Reference | None:
    """The image's name, where the annotations of a layout tell a whole one; a tag alone names nothing."""
    for text in (annotations.get(FULL_NAME), annotations.get(REF_NAME)):
        if not text or not (":" in text or "/" in text):
            continue
        try:
            reference = Reference.parse(text).with_default_tag()
        except InvalidInput:
            continue
        if not reference.digest:
            return reference
    return None


def _is(digest: Digest, data: bytes) -> bool:
    return hashlib.new(digest.algorithm, data).hexdigest() == digest.value
