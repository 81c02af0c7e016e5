"""What a manifest says about itself and about what it needs, read once when it arrives."""

from dataclasses import dataclass, field
from typing import Final

from havre.base.errors import InvalidInput
from havre.oci import manifest
from havre.oci.descriptor import INDEX_TYPES, OCI_INDEX, OCI_MANIFEST, Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_MANIFEST_BYTES, Index, Manifest
from havre.registry.server.refusal import Code, Refusal

ABSENT_LAYERS: Final = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
)
"""Layers of these types, compressed or not, lie elsewhere: a registry need not have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A manifest or index: its *blobs* and *children* must be in the repository, its *subject* need not."""

    digest: Digest
    media_type: str
    size: int
    blobs: tuple[tuple[Digest, int], ...] = ()
    children: tuple[Digest, ...] = ()
    subject: Digest | None = None
    artifact_type: str = ""
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests."""
        return self.media_type in INDEX_TYPES


def describe(data: bytes, media_type: str, digest: Digest) -> Described:
    """Read the document *data* that was sent as *media_type* (or says it itself). Raises Refusal."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise Refusal(Code.SIZE_INVALID, f"a manifest has at most {MAX_MANIFEST_BYTES} bytes", status=413)
    try:
        document = manifest.decode(data, media_type.partition(";")[0].strip())
        own = document.media_type or media_type.partition(";")[0].strip()
        subject = document.subject.parsed_digest() if document.subject is not None else None
        if isinstance(document, Index):
            return Described(
                digest=digest,
                media_type=own or OCI_INDEX,
                size=len(data),
                children=_distinct([child.parsed_digest() for child in document.manifests]),
                subject=subject,
                artifact_type=document.artifact_type,
                annotations=document.annotations,
            )
        needed = {part.parsed_digest(): part.size for part in _parts(document)}
    except InvalidInput as error:
        raise Refusal(Code.MANIFEST_INVALID, error.message) from None
    return Described(
        digest=digest,
        media_type=own or OCI_MANIFEST,
        size=len(data),
        blobs=tuple(needed.items()),
        subject=subject,
        artifact_type=document.artifact_type or document.config.media_type,
        annotations=document.annotations,
    )


def child_for(data: bytes, platform: Platform) -> Descriptor | None:
    """The manifest for *platform* in the index *data*, for clients that know no index; None when there is none."""
    document = manifest.decode(data)
    if not isinstance(document, Index):
        return None
    wanted = (platform.os, platform.architecture)
    return next(
        (
            child
            for child in document.manifests
            if child.platform is not None and (child.platform.os, child.platform.architecture) == wanted
        ),
        None,
    )


def _parts(document: Manifest) -> list[Descriptor]:
    layers = [layer for layer in document.layers if not layer.media_type.startswith(ABSENT_LAYERS)]
    return [document.config, *layers]


def _distinct(digests: list[Digest]) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(digests))
