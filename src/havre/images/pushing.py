"""Images to registries: every blob that is missing there, several at a time, and the manifest last."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from havre.base.errors import InvalidInput, NotFound
from havre.base.ids import short
from havre.base.tasks import in_thread
from havre.content.store import Content
from havre.images.candidate import Arrival
from havre.images.indexes import for_platform, read_index
from havre.images.model import Image
from havre.images.packing import Packed, packed
from havre.images.relay import relayed
from havre.images.slots import Slots
from havre.images.store import ImageStore
from havre.images.transfer_events import (
    LayerBytes,
    LayerState,
    Note,
    PushedAlone,
    TagPushed,
    Tell,
    TransferEvent,
    unread_key,
)
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.reference import Reference
from havre.registry.client.documents import Document
from havre.registry.client.keyring import STRANGER, Credentials
from havre.registry.client.registries import Registries
from havre.registry.client.uploads import Placed, Uploads

_PIECE_BYTES: Final = 1 << 20
_TELL_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PushWishes:
    """*reference* has a tag, or none for every tag of its repository; with *platform* only what serves it goes."""

    reference: Reference
    platform: Platform | None = None
    who: Credentials = STRANGER


class Pushes:
    """Pushes out of one store; of one event loop."""

    def __init__(self, store: ImageStore, registries: Registries) -> None:
        self._store = store
        self._registries = registries
        self._slots = Slots(lambda: registries.settings.uploads)

    def push(self, wishes: PushWishes) -> AsyncIterator[TransferEvent]:
        """Push what *wishes* say, and tell how it goes; whoever stops iterating stops the push.

        Raises InvalidInput for a digest, NotFound for what is not here, and what registries raise.
        """
        if wishes.reference.digest:
            raise InvalidInput("cannot push a digest reference")

        async def work(tell: Tell) -> None:
            tell(Note(f"The push refers to repository [{wishes.reference.repository()}]"))
            names = self._names(wishes.reference)
            uploads = await self._registries.uploads(wishes.reference, wishes.who)
            for name in names:
                await _Push(self._store, uploads, self._slots.gate, tell, name).run(wishes.platform)

        return relayed(work, unread_key)

    def _names(self, reference: Reference) -> tuple[Reference, ...]:
        names = self._store.catalogue.in_repository(reference.repository())
        if not names:
            raise NotFound(f"An image does not exist locally with the tag: {reference.familiar_name}")
        return (reference,) if reference.tag else names


@dataclass(frozen=True, slots=True)
class _Push:
    """One tag on its way."""

    store: ImageStore
    uploads: Uploads
    slots: asyncio.Semaphore
    tell: Tell
    name: Reference

    async def run(self, platform: Platform | None) -> None:
        image = self._image(platform)
        for layer in reversed(image.layers):
            self.tell(LayerState(short(str(layer.diff)), "Preparing"))
        async with self.store.arriving() as arrival:
            pack = await packed(self.store, image, arrival)
            image = self.store.catalogue.get(image.id) or image  # with what was packed
            index = image.index if platform is None else None
            others = await self._others(image, index, arrival) if index is not None else None
            for other in others or ():
                await self._put(other, await packed(self.store, other, arrival))
            await self._place(image, pack)
            sent = pack.document
            if index is not None and others is not None:
                await self.uploads.put_manifest(str(sent.digest), sent)
                sent = Document(index, (await in_thread(read_index, self.store.content, index))[1])
            await self.uploads.put_manifest(self.name.tag, sent)
            await self._remember(image, sent.descriptor)
        told = sent.descriptor
        self.tell(Note(f"{self.name.tag}: digest: {told.digest} size: {told.size}"))
        self.tell(TagPushed(self.name.tag, told.digest, told.size))
        if index is not None and others is None:
            self.tell(PushedAlone(index, told))

    def _image(self, platform: Platform | None) -> Image:
        named = self.store.catalogue.named(self.name)
        if named is None:
            raise NotFound(f"tag does not exist: {self.name.familiar}")
        if platform is None:
            return named
        return for_platform(self.store.catalogue, named, platform, self.name.familiar)

    async def _others(self, image: Image, index: Descriptor, arrival: Arrival) -> tuple[Image, ...] | None:
        """The other images that *index* lists and the repository lacks; None when some are not here either."""
        listed, _ = await in_thread(read_index, self.store.content, index)
        found: list[Image] = []
        for one in listed.manifests:
            if one.digest == image.manifest.digest:
                continue
            other = self.store.catalogue.with_manifest(one.digest)
            if other is not None and await in_thread(_is_here, arrival, self.store.blobs_of(other.id)):
                found.append(other)
            elif not await self.uploads.has_manifest(one):
                return None
        return tuple(found)

    async def _put(self, image: Image, pack: Packed) -> None:
        await self._place(image, pack)
        await self.uploads.put_manifest(str(pack.document.digest), pack.document)

    async def _place(self, image: Image, pack: Packed) -> None:
        await self._place_all(pack.layers, [short(str(layer.diff)) for layer in image.layers])
        await self.uploads.place(StoredBlob(self.store.content, pack.config), (), lambda _: None)

    async def _place_all(self, layers: tuple[Descriptor, ...], ids: list[str]) -> None:
        names: dict[str, list[str]] = {}
        for layer, one in zip(layers, ids, strict=True):
            names.setdefault(layer.digest, []).append(one)
        by_digest = {layer.digest: layer for layer in layers}
        try:
            async with asyncio.TaskGroup() as group:
                for digest, layer in by_digest.items():
                    group.create_task(self._place_layer(layer, names[digest]))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _place_layer(self, layer: Descriptor, ids: list[str]) -> None:
        if self.slots.locked():
            self._tell_all(ids, "Waiting")
        async with self.slots:
            blob = StoredBlob(self.store.content, layer)
            sources = _repositories_with(self.store, layer.parsed_digest(), self.name)
            placed = await self.uploads.place(blob, sources, _Sending(ids, layer.size, self.tell).progress)
        self._tell_all(ids, _words(placed))

    def _tell_all(self, ids: list[str], state: str) -> None:
        for one in ids:
            self.tell(LayerState(one, state))

    async def _remember(self, image: Image, manifest: Descriptor) -> None:
        """The image is known by this digest there from now on; unless it went meanwhile."""
        by_digest = Reference(self.name.domain, self.name.path, digest=manifest.digest)
        known = self.store.catalogue.get(image.id)
        named = self.store.catalogue.named(self.name)  # another than *image* when that is for a platform asked for
        if known is not None and named == known and by_digest not in known.references:
            await self.store.tag(image.id, (by_digest,), at_ns=known.last_tagged_ns)


def _repositories_with(store: ImageStore, blob: Digest, near: Reference) -> list[str]:
    """Other repositories of the registry of *near* that are known to hold *blob*."""
    holders = [image for image in store.catalogue.all() if blob in store.blobs_of(image.id)]
    names = {name for image in holders for name in image.references if name.digest}
    return sorted({one.path for one in names if one.domain == near.domain and one.path != near.path})


def _is_here(arrival: Arrival, blobs: frozenset[Digest]) -> bool:
    return all(arrival.has(blob) for blob in blobs)


def _words(placed: Placed) -> str:
    if placed.source:
        return f"Mounted from {placed.source}"
    return "Pushed" if placed.sent else "Layer already exists"


class _Sending:
    """Tells of the bytes of one blob."""

    def __init__(self, ids: list[str], total: int, tell: Tell) -> None:
        self._ids, self._total, self._tell = ids, total, tell
        self._told_s = 0.0

    def progress(self, sent: int) -> None:
        if monotonic() - self._told_s < _TELL_EVERY_S and sent < self._total:
            return
        self._told_s = monotonic()
        for one in self._ids:
            self._tell(LayerBytes(one, "Pushing", sent, self._total))


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob of the store as `uploads.Source`, verified while it is read."""

    content: Content
    descriptor: Descriptor

    async def pieces(self, start: int) -> AsyncIterator[bytes]:
        """See `uploads.Source`."""
        reader = await in_thread(self.content.open, self.descriptor.parsed_digest())
        try:
            at = 0
            while piece := await in_thread(reader.read, _PIECE_BYTES):
                fresh = piece[max(0, start - at) :]
                at += len(piece)
                if fresh:
                    yield fresh
        finally:
            reader.close()
