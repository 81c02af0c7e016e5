"""Images of several platforms: what an index lists, and how much of it is here.

Each platform is an image of its own. Those that came by one index belong together: the one that came last has the
names, and the others stay as long as it does.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread
from havre.content.errors import DamagedBlob, NoSuchBlob
from havre.content.store import Content
from havre.images.catalogue import Catalogue
from havre.images.model import DamagedStore, Image, NoSuchImage
from havre.images.packing import read_manifest
from havre.images.platforms import fits, format_platform, is_attestation
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


async def variants(content: Content, with_manifest: Callable[[str], Image | None], image: Image) -> tuple[Variant, ...]:
    """What the index of *image* lists, in its order, or else its one manifest.

    *with_manifest* finds an image by the digest of its manifest. A damaged index is as none, and what is damaged has
    no bytes.
    """
    listed = await in_thread(_listed, content, image)
    found = [(one, with_manifest(one.digest)) for one in listed]
    return await in_thread(lambda: tuple(_variant(content, one, here) for one, here in found))


def for_platform(catalogue: Catalogue, image: Image, wanted: Platform, text: str) -> Image:
    """What serves *wanted* best of the platforms of *image*, itself where it is as good.

    Raises NoSuchImage, which tells the name *text*.
    """
    images = catalogue.platforms(image)
    graded = [(fits(one.config.platform, wanted), at) for at, one in enumerate(images)]
    serving = [(grade, at) for grade, at in graded if grade is not None]
    if not serving:
        raise NoSuchImage(
            f"image with reference {text} was found but does not provide the specified platform "
            f"({format_platform(wanted)})"
        )
    return images[min(serving)[1]]


def _listed(content: Content, image: Image) -> list[Descriptor]:
    if image.index is not None:
        with suppress(*_DAMAGE):
            return read_index(content, image.index)[0].manifests
    return [image.manifest]


def _variant(content: Content, listed: Descriptor, image: Image | None) -> Variant:
    if image is None:
        told = is_attestation(listed) or listed.annotations.get(_KIND) == _ATTESTATION
        return Variant(listed, None, about=listed.annotations.get(_FOR, "") if told else "")
    sizes: dict[str, int] = {}
    with suppress(*_DAMAGE):
        document = read_manifest(content, image)
        sizes = {one.digest: one.size for one in (image.manifest, document.config, *document.layers)}
    return Variant(listed, image, sum(sizes.values()))
