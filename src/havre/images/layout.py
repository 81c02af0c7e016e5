"""`index.json` of the content folder: the images as other tools see them, who read it as an OCI image layout."""

import logging
from collections.abc import Iterable

from havre.base.errors import ResourceExhausted
from havre.base.tasks import in_thread
from havre.content.errors import DamagedBlob
from havre.content.index import LayoutIndex
from havre.images.model import Image
from havre.oci.descriptor import Descriptor

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"
_log = logging.getLogger(__name__)


async def show(images: Iterable[Image], index: LayoutIndex) -> None:
    """Let *index* name *images*. The names record is what counts, so a full disk is no failure here."""
    try:
        await in_thread(index.write, _entries(images))
    except (ResourceExhausted, OSError):
        _log.warning("index.json of the image layout is behind", exc_info=True)


async def show_what_differs(images: Iterable[Image], index: LayoutIndex) -> None:
    """As `show`, unless it is so already."""
    images = tuple(images)
    if await in_thread(_read, index) != _entries(images):
        await show(images, index)


def _read(index: LayoutIndex) -> list[Descriptor] | None:
    try:
        return list(index.read())
    except (DamagedBlob, OSError):
        return None


def _entries(images: Iterable[Image]) -> list[Descriptor]:
    return [
        Descriptor(
            media_type=image.manifest.media_type,
            digest=image.manifest.digest,
            size=image.manifest.size,
            platform=image.config.platform,
            annotations={FULL_NAME: str(name), REF_NAME: name.familiar} if name else {},
        )
        for image in images
        for name in (image.references or (None,))
    ]
