"""Manifests as registries serve them: the bytes, what they claim to be, and the proof of their digest."""

import hashlib
from dataclasses import dataclass
from typing import Final

from havre.oci.descriptor import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
)
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_MANIFEST_BYTES
from havre.registry.client.errors import BadAnswer
from havre.registry.client.exchange import Reply

ACCEPT: Final = f"{DOCKER_MANIFEST}, {DOCKER_MANIFEST_LIST}, {OCI_MANIFEST}, {OCI_INDEX}"
_OLD: Final = frozenset(
    (
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    )
)


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index: *data* has the digest of *descriptor*."""

    descriptor: Descriptor
    data: bytes

    @property
    def digest(self) -> Digest:
        """The digest of the bytes."""
        return self.descriptor.parsed_digest()


def read_document(reply: Reply, name: str, expected: Digest | None = None, size: int | None = None) -> Document:
    """What *reply* brought for *name*, verified. Raises BadAnswer naming it.

    A registry that contradicts itself in Docker-Content-Digest is not believed either.
    """
    if len(reply.body) > MAX_MANIFEST_BYTES:
        raise BadAnswer(f"manifest of {name}: {len(reply.body)} bytes are more than {MAX_MANIFEST_BYTES}")
    told = reply.headers.get("docker-content-digest", "")
    algorithm = expected.algorithm if expected is not None else "sha256"
    digest = Digest(algorithm, hashlib.new(algorithm, reply.body).hexdigest())
    if expected is not None and digest != expected:
        raise BadAnswer(f"manifest verification failed for digest {expected}: it has {digest}")
    if expected is None and told.startswith("sha256:") and told != str(digest):
        raise BadAnswer(f"manifest of {name}: the registry says {told[:80]}, but its digest is {digest}")
    if size is not None and size != len(reply.body):
        raise BadAnswer(f"manifest {digest} has {len(reply.body)} bytes, not the {size} promised")
    media_type = media_type_of(reply)
    return Document(Descriptor(media_type=media_type, digest=str(digest), size=len(reply.body)), reply.body)


def media_type_of(reply: Reply) -> str:
    """The manifest's type as it was served; empty where the registry tells none worth having. Raises BadAnswer."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in _OLD:
        raise BadAnswer(
            "a manifest of schema 1 cannot be used: the image must be pushed again by an engine of this decade"
        )
    return media_type if media_type in INDEX_TYPES | MANIFEST_TYPES else ""
