"""Whole images on their way in and out: what the API streams, as lines of progress."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.base.ids import short
from havre.engine.parts import Parts
from havre.engine.progress_lines import line_of
from havre.images.images import Images
from havre.images.import_ import ImportWishes
from havre.images.model import LayerProgress, Loaded, LoadEvent, message_of
from havre.images.platforms import wished_platform
from havre.images.transfer_events import LayerBytes
from havre.oci.reference import Reference
from havre.wire.progress import ProgressLine


class ImportAsked(Protocol):
    """What a plain tar is to become; texts may be empty."""

    @property
    def reference(self) -> str:
        """The name to give."""

    @property
    def changes(self) -> tuple[str, ...]:
        """Dockerfile instructions."""

    @property
    def message(self) -> str:
        """The comment."""

    @property
    def platform(self) -> str:
        """For which machines."""


class Archives:
    """Load, save, import."""

    def __init__(self, parts: Parts, images: Images) -> None:
        self._parts = parts
        self._images = images

    async def load(
        self, archive: AsyncIterator[bytes], *, quiet: bool, platform: str = ""
    ) -> AsyncIterator[ProgressLine]:
        """Take in every image of an archive, or those for *platform*.

        Raises BadArchive, InvalidInput, Unavailable while it is iterated.
        """
        wanted = wished_platform(platform)
        async for event in self._images.load(archive, platform=wanted):
            if isinstance(event, LayerProgress):
                if not quiet:
                    yield _progress(event)
            else:
                self._tell_loaded(event)
                yield {"stream": f"{message_of(event)}\n"}

    async def save(self, refs: list[str], platform: str = "") -> AsyncIterator[bytes]:
        """An archive of images. Raises NoSuchImage before the first byte, also for one that is not for *platform*."""
        wanted = wished_platform(platform)
        stream = self._images.save(refs, wanted)
        for image, ref in [(self._images.find(ref, wanted), ref) for ref in refs]:
            self._parts.events.publish("image", "save", image.id, {"name": ref})
        return stream

    async def import_tree(self, archive: AsyncIterator[bytes], wishes: ImportAsked) -> str:
        """Make an image of one layer; gives its id. Raises InvalidInput."""
        wanted = ImportWishes(
            reference=Reference.parse(wishes.reference).with_default_tag() if wishes.reference else None,
            changes=wishes.changes,
            message=wishes.message,
            platform=wished_platform(wishes.platform),
        )
        image = await self._images.import_(archive, wanted)
        self._parts.events.publish("image", "import", image.id, {"name": wishes.reference or image.id})
        return image.id

    def _tell_loaded(self, event: LoadEvent) -> None:
        if isinstance(event, Loaded):
            name = event.reference.familiar if event.reference is not None else event.image_id
            self._parts.events.publish("image", "load", event.image_id, {"name": name})


def _progress(event: LayerProgress) -> ProgressLine:
    return line_of(LayerBytes(short(event.layer), "Loading layer", event.current, event.total))
