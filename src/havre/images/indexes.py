"""Images of several platforms: what an index lists, and how much of it is here.

Each platform is an image of its own. Those that came by one index belong together: the one that came last has the
names, and the others stay as long as it does.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput
from havre.content.errors import DamagedBlob, NoSuchBlob
from havre.content.store import Content
from havre.images.catalogue import Catalogue
from havre.images.model import DamagedStore, Image
from havre.images.packing import read_manifest
from havre.images.platforms import fits, is_attestation
from havre.oci import manifest
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.manifest import MAX_MANIFEST_BYTES, Index

_KIND: Final = "vnd.docker.reference.type"
_FOR: Final = "vnd.docker.reference.digest"
_ATTESTATION: Final = "attestation-manifest"
_DAMAGE: Final = (NoSuchBlob, DamagedBlob, DamagedStore, InvalidInput)


@dataclass(frozen=True, slots=True)
class Variant:
    """One manifest of an index: *image* is what it makes, if that is here, with *content_bytes* of blobs.

    *about* is the digest of the manifest that an attestation is about; empty for an image.
    """

    descriptor: Descriptor
    image: Image | None
    content_bytes: int = 0
    about: str = ""

    @property
    def platform(self) -> Platform | None:
        """For which machines; None where nobody says it."""
        if self.descriptor.platform is None and self.image is not None:
            return self.image.config.platform
        return self.descriptor.platform

    @property
    def is_image(self) -> bool:
        """Whether machines can run it."""
        return self.platform is not None and not self.about and not is_attestation(self.descriptor)


def read_index(content: Content, pointer: Descriptor) -> tuple[Index, bytes]:
    """The index that *pointer* names, and its bytes; blocks. Raises DamagedStore, NoSuchBlob, DamagedBlob."""
    data = content.read_bytes(pointer.parsed_digest(), MAX_MANIFEST_BYTES)
    document = manifest.decode(data, pointer.media_type)
    if not isinstance(document, Index):
        raise DamagedStore(f"{pointer.digest} is not an index")
    return document, data


def variants(content: Content, catalogue: Catalogue, image: Image) -> tuple[Variant, ...]:
    """What the index of *image* lists, in its order, or else its one manifest; blocks.

    A damaged index is as none, and what is damaged has no bytes.
    """
    listed = [image.manifest]
    if image.index is not None:
        with suppress(*_DAMAGE):
            listed = read_index(content, image.index)[0].manifests
    return tuple(_variant(content, one, catalogue.with_manifest(one.digest)) for one in listed)


def best_for(images: tuple[Image, ...], wanted: Platform) -> Image | None:
    """The one that serves *wanted* best, the first of equals; None when none does."""
    graded = [(fits(image.config.platform, wanted), at) for at, image in enumerate(images)]
    serving = [(grade, at) for grade, at in graded if grade is not None]
    return images[min(serving)[1]] if serving else None


def _variant(content: Content, listed: Descriptor, image: Image | None) -> Variant:
    if image is None:
        told = is_attestation(listed) or listed.annotations.get(_KIND) == _ATTESTATION
        return Variant(listed, None, about=listed.annotations.get(_FOR, "") if told else "")
    sizes: dict[str, int] = {}
    with suppress(*_DAMAGE):
        document = read_manifest(content, image)
        sizes = {one.digest: one.size for one in (image.manifest, document.config, *document.layers)}
    return Variant(listed, image, sum(sizes.values()))
