"""Images as the API takes and gives them."""

from typing import TypedDict

from havre.wire.container_config import ImageConfig


class Platform(TypedDict, total=False):
    """For which machines, in OCI's words."""

    architecture: str | None
    os: str | None
    variant: str | None


class Descriptor(TypedDict, total=False):
    """Content by digest, in OCI's words."""

    mediaType: str | None
    digest: str | None
    size: int | None
    urls: list[str] | None
    annotations: dict[str, str] | None
    data: str | None
    platform: Platform | None
    artifactType: str | None


class GraphDriver(TypedDict, total=False):
    """Who keeps the files, and where."""

    Name: str | None
    Data: dict[str, str] | None


class RootFS(TypedDict, total=False):
    """The layers by the digests of their uncompressed archives."""

    Type: str | None
    Layers: list[str] | None


class ImageMetadata(TypedDict, total=False):
    """What is known here only."""

    LastTagTime: str | None


class ManifestSize(TypedDict, total=False):
    """Bytes: of the blobs, and of all that belongs to a manifest."""

    Content: int | None
    Total: int | None


class UnpackedSize(TypedDict, total=False):
    """Bytes of unpacked layers."""

    Unpacked: int | None


class ManifestImage(TypedDict, total=False):
    """A manifest that is an image."""

    Platform: Platform | None
    Containers: list[str] | None
    Size: UnpackedSize | None


class ManifestAttestation(TypedDict, total=False):
    """A manifest that states something about another."""

    For: str | None


class ImageManifestSummary(TypedDict, total=False):
    """One manifest of an image of several platforms."""

    ID: str | None
    Descriptor: Descriptor | None
    Available: bool | None
    Size: ManifestSize | None
    Kind: str | None
    ImageData: ManifestImage | None
    AttestationData: ManifestAttestation | None


class ImageInspect(TypedDict, total=False):
    """What GET /images/{name}/json answers."""

    Id: str | None
    Descriptor: Descriptor | None
    Manifests: list[ImageManifestSummary] | None
    RepoTags: list[str] | None
    RepoDigests: list[str] | None
    Parent: str | None
    Comment: str | None
    Created: str | None
    DockerVersion: str | None
    Author: str | None
    Config: ImageConfig | None
    Architecture: str | None
    Variant: str | None
    Os: str | None
    OsVersion: str | None
    Size: int | None
    VirtualSize: int | None
    GraphDriver: GraphDriver | None
    RootFS: RootFS | None
    Metadata: ImageMetadata | None
    ContainerConfig: ImageConfig | None


class ImageSummary(TypedDict, total=False):
    """One row of GET /images/json."""

    Id: str | None
    ParentId: str | None
    RepoTags: list[str] | None
    RepoDigests: list[str] | None
    Created: int | None
    Size: int | None
    SharedSize: int | None
    VirtualSize: int | None
    Labels: dict[str, str] | None
    Containers: int | None
    Descriptor: Descriptor | None
    Manifests: list[ImageManifestSummary] | None


class HistoryItem(TypedDict, total=False):
    """One step of GET /images/{name}/history, newest first."""

    Id: str | None
    Created: int | None
    CreatedBy: str | None
    Tags: list[str] | None
    Size: int | None
    Comment: str | None


class DeleteItem(TypedDict, total=False):
    """One thing that DELETE /images/{name} did: exactly one key is there."""

    Untagged: str | None
    Deleted: str | None


class PruneImagesReport(TypedDict, total=False):
    """What POST /images/prune answers."""

    ImagesDeleted: list[DeleteItem] | None
    SpaceReclaimed: int | None


class DistributionInspect(TypedDict, total=False):
    """What GET /distribution/{name}/json answers."""

    Descriptor: Descriptor | None
    Platforms: list[Platform] | None


class SearchResult(TypedDict, total=False):
    """One row of GET /images/search."""

    description: str | None
    is_official: bool | None
    is_automated: bool | None
    name: str | None
    star_count: int | None


class AuthConfig(TypedDict, total=False):
    """What POST /auth takes."""

    username: str | None
    password: str | None
    auth: str | None
    email: str | None
    serveraddress: str | None
    identitytoken: str | None
    registrytoken: str | None


class AuthResponse(TypedDict, total=False):
    """What POST /auth answers."""

    Status: str | None
    IdentityToken: str | None


class IdResponse(TypedDict, total=False):
    """What POST /commit answers."""

    Id: str | None
