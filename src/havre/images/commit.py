"""`docker commit`: what a tree changed becomes a layer, and the layer an image on top of another."""

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from havre.base.clock import now_ns, rfc3339
from havre.base.errors import InvalidInput
from havre.content.ingest import Stored
from havre.images.candidate import Arrival, Candidate, make_manifest
from havre.images.changes import apply_changes
from havre.images.checks import check_config
from havre.images.model import DamagedStore, Image
from havre.oci import manifest
from havre.oci.descriptor import (
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
)
from havre.oci.digest import Digest
from havre.oci.image_config import History, ImageConfig, ProcessConfig, encode
from havre.oci.reference import Reference

EMPTY_ARCHIVE: Final = Digest.of(bytes(1024))
"""The archive of nothing: two blocks of zeros."""
OCI_TYPES: Final = {DOCKER_LAYER: OCI_LAYER, DOCKER_LAYER_GZIP: OCI_LAYER_GZIP, DOCKER_LAYER_ZSTD: OCI_LAYER_ZSTD}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitWishes:
    """*process* is what a container of the new image runs, before *changes*, which are Dockerfile lines.

    *created_by* is the command that made the layer, *container* where it ran.
    """

    parent: Image
    process: ProcessConfig
    changes: tuple[str, ...] = ()
    created_by: str = ""
    container: str = ""
    author: str = ""
    message: str = ""
    reference: Reference | None = None


def plan_commit(wishes: CommitWishes) -> ProcessConfig:
    """The settings of the image to be; raises InvalidInput for wrong changes, before anything is read."""
    process = apply_changes(wishes.process, wishes.changes)
    check_config(replace(wishes.parent.config, config=process))
    return process


def make_commit(stored: Stored, arrival: Arrival, wishes: CommitWishes, process: ProcessConfig) -> Candidate:
    """The image that has the layer *stored* on top, unless that holds nothing; blocks. Raises DamagedStore."""
    below = layers_of(arrival, wishes.parent)
    is_empty = stored.digest == EMPTY_ARCHIVE
    if not is_empty:
        below.append(Descriptor(media_type=OCI_LAYER, digest=str(stored.digest), size=stored.size))
    config = _config(wishes, process, None if is_empty else stored.digest)
    config_bytes = encode(config)
    return Candidate(
        config=config,
        config_bytes=config_bytes,
        manifest_bytes=make_manifest(config_bytes, below),
        manifest_type=OCI_MANIFEST,
        blobs=tuple(one.parsed_digest() for one in below),
        names=(wishes.reference,) if wishes.reference is not None else (),
        parent=wishes.parent.id,
    )


def layers_of(arrival: Arrival, parent: Image) -> list[Descriptor]:
    """The layers of *parent* by OCI's types; their blobs stay while the arrival lasts."""
    raw = arrival.read_bytes(parent.manifest.parsed_digest(), manifest.MAX_MANIFEST_BYTES)
    document = manifest.decode(raw, parent.manifest.media_type)
    if not isinstance(document, manifest.Manifest):
        raise DamagedStore(f"manifest {parent.manifest.digest} of image {parent.id} is an index")
    for layer in document.layers:
        if not arrival.has(layer.parsed_digest()):
            raise DamagedStore(f"layer {layer.digest} of image {parent.id} is missing")
    return [
        Descriptor(media_type=OCI_TYPES.get(one.media_type, one.media_type), digest=one.digest, size=one.size)
        for one in document.layers
    ]


def _config(wishes: CommitWishes, process: ProcessConfig, diff: Digest | None) -> ImageConfig:
    created = rfc3339(now_ns())
    parent = wishes.parent.config
    step = History(
        created=created,
        created_by=wishes.created_by,
        author=wishes.author,
        comment=wishes.message,
        empty_layer=diff is None,
    )
    diffs = [*parent.rootfs.diff_ids, *([str(diff)] if diff is not None else [])]
    return replace(
        parent,
        created=created,
        author=wishes.author,
        config=process,
        rootfs=replace(parent.rootfs, diff_ids=diffs),
        history=[*(parent.history or []), step],
        comment="",
        container=wishes.container,
        parent="",
        build_cache="",
    )


def parse_target(repository: str, tag: str) -> Reference | None:
    """The name to give; None for no repository. Raises InvalidInput."""
    if not repository:
        return None
    reference = Reference.parse(f"{repository}:{tag}" if tag else repository)
    if reference.digest:
        raise InvalidInput("refusing to create a tag with a digest reference")
    return reference.with_default_tag()
