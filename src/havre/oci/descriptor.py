"""Descriptors, and the media types that they carry (image-spec, descriptor.md and media-types.md)."""

import msgspec

from havre.base.errors import InvalidInput
from havre.oci.digest import Digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"

MAX_SIZE = 2**63 - 1
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_MANIFEST_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
PLAIN_LAYERS = frozenset({OCI_LAYER, DOCKER_LAYER})
LAYER_TYPES = PLAIN_LAYERS | {OCI_LAYER_GZIP, OCI_LAYER_ZSTD, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD}


class Platform(msgspec.Struct, frozen=True, omit_defaults=True, rename={"os_version": "os.version"}):
    """What an image runs on."""

    architecture: str
    os: str
    os_version: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A pointer to a content: its media type, its digest as text, its size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    urls: list[str] = []
    artifact_type: str = ""

    def parsed_digest(self) -> Digest:
        """The digest as a value. Raises InvalidInput."""
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidInput(f"invalid descriptor of {self.digest[:160]!r}: impossible size")
        return Digest.parse(self.digest)
