"""What the room hands out: images, what became of them, and what happened on the way; plain frozen values."""

from dataclasses import dataclass

from havre.base.errors import Conflict, InternalError, NotFound
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.image_config import ImageConfig
from havre.oci.reference import Reference


class NoSuchImage(NotFound):
    """No image answers to the name, the id or the digest."""


class ImageInUse(Conflict):
    """The image or its name cannot go: a container, another image or another name needs it."""


class DamagedStore(InternalError):
    """A content or a layer that an image needs is missing or altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One unpacked layer: *chain* names it with all below it, *diff* its own uncompressed tar.

    *size_bytes* is what its files hold, *tar_bytes* the length of the uncompressed tar.
    """

    chain: Digest
    diff: Digest
    size_bytes: int
    tar_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image whose layers are unpacked and whose config and manifest are kept as they came.

    *references* are its names in full, sorted by text; *layers* go from the lowest up; *parent* is the id of
    the image that this one was committed on, or empty; *index* lists the manifest beside those of other platforms,
    if the image came that way.
    """

    id: str
    config: ImageConfig
    manifest: Descriptor
    index: Descriptor | None = None
    layers: tuple[Layer, ...]
    references: tuple[Reference, ...]
    parent: str
    created_ns: int
    last_tagged_ns: int

    @property
    def chain(self) -> Digest | None:
        """The name of all layers together; None for an image without layers."""
        return self.layers[-1].chain if self.layers else None

    @property
    def size_bytes(self) -> int:
        """What the files of all layers hold."""
        return sum(layer.size_bytes for layer in self.layers)

    @property
    def repo_tags(self) -> tuple[str, ...]:
        """`busybox:latest` and the like, as people write them."""
        return tuple(name.familiar for name in self.references if not name.digest)

    @property
    def repo_digests(self) -> tuple[str, ...]:
        """`busybox@sha256:…` and the like."""
        return tuple(name.familiar for name in self.references if name.digest)


@dataclass(frozen=True, slots=True)
class Untagged:
    """A name that an image had."""

    reference: Reference
    image_id: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """An image (with *image* true) or a stack of layers that is gone, with what its topmost layer held."""

    digest: str
    image: bool
    size_bytes: int = 0


Removed = Untagged | Deleted


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """A container made from an image."""

    id: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of an image's history, the newest first; *id* is empty where no image stands for the step."""

    id: str
    created_ns: int
    created_by: str
    tags: tuple[str, ...]
    size_bytes: int
    comment: str


@dataclass(frozen=True, slots=True)
class LayerProgress:
    """A layer is being unpacked: *current* of *total* bytes are done; *layer* is its short diff id."""

    layer: str
    current: int
    total: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A name of the archive belonged to another image until now."""

    reference: Reference
    previous_id: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image of the archive is there; without a reference it has its id alone."""

    image_id: str
    reference: Reference | None


LoadEvent = LayerProgress | Renamed | Loaded


def message_of(event: Renamed | Loaded) -> str:
    """The line that Docker prints for *event*."""
    match event:
        case Renamed(reference, previous_id):
            return (
                f"The image {reference.familiar} already exists, "
                f"renaming the old one with ID {previous_id} to empty string"
            )
        case Loaded(image_id, reference):
            if reference is None:
                return f"Loaded image ID: {image_id}"
            return f"Loaded image: {reference.familiar}"
