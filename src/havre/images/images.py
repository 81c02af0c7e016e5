"""The service: find, list, tag, remove, load, save and import images. It belongs to one event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread, to_the_end
from havre.content.store import Content
from havre.images.archive_load import read_archive
from havre.images.archive_save import Wanted, contents_of, plan_save, write_archive
from havre.images.behind import Behind
from havre.images.candidate import Arrival, Candidate
from havre.images.history import history
from havre.images.import_ import ImportWishes, plan_import, read_import
from havre.images.indexes import for_platform
from havre.images.inlet import Inlet, begun
from havre.images.model import Image, Layer, Loaded, LoadEvent, NoSuchImage, Removed, Renamed, Step
from havre.images.names import Names
from havre.images.relay import relayed
from havre.images.removal import InUse, Wish, plan_removal
from havre.images.store import ImageStore, Needed
from havre.oci.descriptor import Platform
from havre.oci.reference import Reference, is_tag
from havre.snapshots.overlay import Overlay

_ARCHIVES_AT_ONCE = 4  # each holds a thread while its bytes arrive
_T = TypeVar("_T")
_Report = Callable[[LoadEvent], None]


class Images:
    """All images of one data root.

    An image is there, with all its layers ready or about to be (see `behind`), or it is not: what is loaded, imported
    or added becomes visible in its last step, and a process that dies before leaves only what `sweep` removes. *store*
    is what the other verbs of the room stand on, pulls and pushes.
    """

    def __init__(self, content: Content, snapshots: Overlay, names: Names) -> None:
        self.store = ImageStore(content, snapshots, names)
        self.behind = Behind(self.store)
        self._archives = asyncio.Semaphore(_ARCHIVES_AT_ONCE)

    async def open(self) -> None:
        """Read what is there; to be called once, before anything else."""
        await self.store.open()

    async def close(self) -> None:
        """Wait for the change that goes on; what is unpacked behind an answer goes on at the next start."""
        await self.behind.close()
        await self.store.close()

    def spare(self, needed: Callable[[], Needed]) -> None:
        """Never remove what *needed* answers: contents and layers that others than images stand on."""
        self.store.also_needed.append(needed)

    def find(self, text: str, platform: Platform | None = None) -> Image:
        """The image that *text* names: `busybox`, `busybox:1.36`, `host/name@sha256:…`, an id or its beginning.

        With *platform* it is the one that serves it best of those that came by the same index. Raises NoSuchImage in
        Docker's words, also when none serves; InvalidInput for a text that can name nothing. It waits for nothing.
        """
        image = self.store.catalogue.find(text)
        return image if platform is None else for_platform(self.store.catalogue, image, platform, text)

    def get(self, image_id: str) -> Image | None:
        """The image with exactly this id."""
        return self.store.catalogue.get(image_id)

    def list(self) -> tuple[Image, ...]:
        """Every image, the newest first; those that only other images stand on included (see `Image.parent`)."""
        return self.store.catalogue.all()

    def history(self, text: str, platform: Platform | None = None) -> tuple[Step, ...]:
        """The steps that made an image, the newest first. Raises as `find`."""
        return history(self.store.catalogue, self.find(text, platform))

    async def tag(self, source: str, target: Reference) -> Image:
        """Give the image *source* the name *target* (see `tag_target`), whoever had it. Raises NoSuchImage."""
        image = self.find(source)
        try:
            await self.store.tag(image.id, (target.with_default_tag(),))
        except KeyError:
            raise NoSuchImage(f"No such image: {source}") from None
        return self.find(image.id)

    async def remove(
        self, text: str, in_use: InUse, *, force: bool = False, noprune: bool = False
    ) -> tuple[Removed, ...]:
        """Take a name away, or the image with it when it was the last; what happened, in Docker's order.

        *in_use* tells the containers made from an image id. Raises NoSuchImage, or ImageInUse in Docker's words.
        """
        await self.behind.ended(self.find(text).id)  # its layers are to go too
        wish = Wish(text=text, force=force, prune=not noprune)
        return await self.store.remove(lambda held: plan_removal(self.store.catalogue, wish, in_use, held))

    def load(self, body: AsyncIterator[bytes], *, platform: Platform | None = None) -> AsyncIterator[LoadEvent]:
        """Load every image of the archive that *body* brings, and tell what happens.

        The archive is judged as a whole before its first image is published. Raises BadArchive, InvalidInput,
        NotSupported, Unavailable (a body that breaks off) while it is iterated.
        """

        async def work(report: _Report) -> None:
            async with self._archives, self.store.arriving() as arrival:
                candidates = await received(body, lambda inlet: read_archive(inlet, arrival, platform))
                for candidate in candidates:
                    await self._publish_loaded(arrival, candidate, report)

        return relayed(work)

    def save(self, texts: Sequence[str], platform: Platform | None = None) -> AsyncIterator[bytes]:
        """One archive with the images that *texts* name, for *platform* if one is given.

        Raises NoSuchImage here, not while it is iterated.
        """
        return self._save(plan_save(self.store.catalogue, texts, platform))

    async def import_(self, body: AsyncIterator[bytes], wishes: ImportWishes) -> Image:
        """Make an image of the root folder whose archive *body* brings. Raises InvalidInput, Unavailable."""
        process = plan_import(wishes)
        async with self._archives, self.store.arriving() as arrival:
            candidate = await received(body, lambda inlet: read_import(inlet, arrival, wishes, process))
            return await self.store.add(arrival, candidate, lambda _: None, tagged=bool(candidate.names))

    def arriving(self) -> AbstractAsyncContextManager[Arrival]:
        """A context for work that brings blobs of its own; what `add` did not need is gone at its end."""
        return self.store.arriving()

    async def add(self, arrival: Arrival, candidate: Candidate, top: Layer | None = None) -> Image:
        """Publish an image whose blobs *arrival* brought: unpacked first, visible last.

        Its topmost layer, if *top* tells of it, is unpacked behind this: who wants a tree on it waits.
        """
        known = {top.chain: top} if top is not None else {}
        image = await self.store.add(arrival, candidate, lambda _: None, tagged=False, known=known)
        if top is not None:
            self.behind.begin(image)
        return image

    async def sweep(self) -> int:
        """Remove blobs and layers that neither an image, a container nor work in progress needs; the bytes freed."""
        return await self.store.sweep()

    async def _publish_loaded(self, arrival: Arrival, candidate: Candidate, report: _Report) -> None:
        owners = {name: self.store.catalogue.named(name) for name in candidate.names}
        image = await self.store.add(arrival, candidate, report, tagged=False)
        for name, owner in owners.items():
            if owner is not None and owner.id != image.id:
                report(Renamed(name, owner.id))
            report(Loaded(image.id, name))
        if not owners and not self.store.catalogue.is_covered(image):
            report(Loaded(image.id, None))

    async def _save(self, wanted: tuple[Wanted, ...]) -> AsyncIterator[bytes]:
        content = self.store.content
        async with self.store.arriving() as arrival:
            for blob in await in_thread(contents_of, content, wanted):
                await in_thread(arrival.has, blob)
            pieces = await in_thread(write_archive, content, wanted)
            try:
                while (piece := await to_the_end(in_thread(lambda: next(pieces, None)))) is not None:
                    yield piece
            finally:
                await in_thread(pieces.close)


def tag_target(repository: str, tag: str = "") -> Reference:
    """The name that `docker tag` gives: *repository* may hold a tag, which *tag* replaces. Raises InvalidInput."""
    reference = Reference.parse(repository)
    if reference.digest:
        raise InvalidInput("refusing to create a tag with a digest reference")
    if reference.familiar_name == "sha256":
        raise InvalidInput("refusing to create an ambiguous tag using digest algorithm as name")
    if tag:
        if not is_tag(tag):
            raise InvalidInput("invalid tag format")
        reference = Reference(reference.domain, reference.path, tag)
    return reference.with_default_tag()


async def received(body: AsyncIterator[bytes], read: Callable[[Inlet], _T]) -> _T:
    """What *read* makes, in a thread, of the bytes that *body* brings."""
    body = await begun(body)
    inlet = Inlet()
    feeder = asyncio.get_running_loop().create_task(inlet.feed(body))
    try:
        return await to_the_end(in_thread(read, inlet), inlet.close)
    finally:
        inlet.close()
        feeder.cancel()
        await asyncio.wait({feeder})
