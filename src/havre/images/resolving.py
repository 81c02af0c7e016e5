"""From a name in a registry to one image: through indexes, to the manifest and the config that serve a platform."""

from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput, NotFound, NotSupported
from havre.images.checks import check_config
from havre.images.platforms import choose, format_platform, is_attestation
from havre.oci import image_config, manifest
from havre.oci.descriptor import DOCKER_CONFIG, LAYER_TYPES, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.image_config import ImageConfig
from havre.oci.manifest import Index, Manifest
from havre.registry.client.documents import Document
from havre.registry.client.repository import Repository

_MAX_DEPTH: Final = 4
_MAX_LAYERS: Final = 1000
_CONFIGS: Final = frozenset((OCI_CONFIG, DOCKER_CONFIG, "application/octet-stream"))
_PLUGIN: Final = "application/vnd.docker.plugin.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An image in a registry: *top* is what its name means there, *document* its manifest, *index* what lists it."""

    top: Digest
    index: Document | None
    document: Document
    layers: tuple[Descriptor, ...]
    config: ImageConfig
    config_bytes: bytes


async def resolve(repository: Repository, tag_or_digest: str, wanted: Platform) -> Resolved:
    """The image that serves *wanted*, everything verified and checked before any layer is asked for.

    Raises NotFound where nothing serves it, NotSupported for what is no image, InvalidInput, and what registries raise.
    """
    top = await repository.manifest(tag_or_digest)
    document, parsed = top, _decoded(top)
    for _ in range(_MAX_DEPTH):
        if isinstance(parsed, Manifest):
            break
        chosen = _chosen(parsed, wanted)
        document = await repository.manifest(str(chosen.parsed_digest()), chosen.size)
        parsed = _decoded(document, chosen.media_type)
    if not isinstance(parsed, Manifest):
        raise InvalidInput(f"manifest {top.digest}: indexes lie in indexes without end")
    _check_manifest(parsed, document)
    config_bytes = await repository.small_blob(parsed.config, image_config.MAX_CONFIG_BYTES)
    config = image_config.decode(config_bytes)
    check_config(config)
    if len(config.diff_ids()) != len(parsed.layers):
        raise InvalidInput(
            f"manifest {document.digest} has {len(parsed.layers)} layers, its config {len(config.diff_ids())}"
        )
    return Resolved(
        top=top.digest,
        index=_listing(top, document),
        document=_typed(document, parsed.media_type or OCI_MANIFEST),
        layers=tuple(parsed.layers),
        config=config,
        config_bytes=config_bytes,
    )


def _decoded(document: Document, promised: str = "") -> Manifest | Index:
    return manifest.decode(document.data, document.descriptor.media_type or promised)


def _listing(top: Document, document: Document) -> Document | None:
    """*top*, if it is an index that names *document* itself, not by another index."""
    parsed = _decoded(top)
    if not isinstance(parsed, Index) or all(one.digest != str(document.digest) for one in parsed.manifests):
        return None
    return _typed(top, parsed.media_type or OCI_INDEX)


def _chosen(index: Index, wanted: Platform) -> Descriptor:
    chosen = choose([one for one in index.manifests if not is_attestation(one)], wanted)
    if chosen is None:
        raise NotFound(f"no matching manifest for {format_platform(wanted)} in the manifest list entries")
    return chosen


def _check_manifest(document: Manifest, where: Document) -> None:
    kind = document.config.media_type
    if kind == _PLUGIN:
        raise NotSupported(f'Encountered remote "{kind}"(plugin config) when fetching')
    if kind not in _CONFIGS:
        raise NotSupported(f"manifest {where.digest} is of no image: its config is {kind[:160]!r}")
    document.config.parsed_digest()
    if len(document.layers) > _MAX_LAYERS:
        raise InvalidInput(f"manifest {where.digest} has more than {_MAX_LAYERS} layers")
    for layer in document.layers:
        digest = layer.parsed_digest()
        if layer.media_type in LAYER_TYPES:
            continue
        if "foreign" in layer.media_type or "nondistributable" in layer.media_type:
            raise NotSupported(f"layer {digest} is foreign ({layer.media_type[:160]}): it is not kept by registries")
        raise NotSupported(f"layer {digest} has an unsupported media type: {layer.media_type[:160]!r}")


def _typed(document: Document, own_type: str) -> Document:
    """Of *own_type*, where the registry told none."""
    known = document.descriptor
    media_type = known.media_type or own_type
    return Document(Descriptor(media_type=media_type, digest=known.digest, size=known.size), document.data)
