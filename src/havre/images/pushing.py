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
from havre.images.model import Image
from havre.images.packing import packed
from havre.images.relay import relayed
from havre.images.slots import Slots
from havre.images.store import ImageStore
from havre.images.transfer_events import LayerBytes, LayerState, Note, TagPushed, Tell, TransferEvent, unread_key
from havre.oci.descriptor import Descriptor
from havre.oci.reference import Reference
from havre.registry.client.keyring import STRANGER, Credentials
from havre.registry.client.registries import Registries
from havre.registry.client.uploads import Placed, Uploads

_PIECE_BYTES: Final = 1 << 20
_TELL_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PushWishes:
    """*reference* has a tag, or none for every tag of its repository."""

    reference: Reference
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
                await _Push(self._store, uploads, self._slots.gate, tell, name).run()

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

    async def run(self) -> None:
        image = self.store.catalogue.named(self.name)
        if image is None:
            raise NotFound(f"tag does not exist: {self.name.familiar}")
        ids = [short(str(layer.diff)) for layer in image.layers]
        for one in reversed(ids):
            self.tell(LayerState(one, "Preparing"))
        async with self.store.arriving() as arrival:
            pack = await packed(self.store, image, arrival)
            await self._place_all(pack.layers, ids)
            await self.uploads.place(StoredBlob(self.store.content, pack.config), (), lambda _: None)
            await self.uploads.put_manifest(self.name.tag, pack.document)
            await self._remember(image, pack.document.descriptor)
        sent = pack.document.descriptor
        self.tell(Note(f"{self.name.tag}: digest: {sent.digest} size: {sent.size}"))
        self.tell(TagPushed(self.name.tag, sent.digest, sent.size))

    async def _place_all(self, layers: tuple[Descriptor, ...], ids: list[str]) -> None:
        names: dict[str, list[str]] = {}
        for layer, one in zip(layers, ids, strict=True):
            names.setdefault(layer.digest, []).append(one)
        by_digest = {layer.digest: layer for layer in layers}
        try:
            async with asyncio.TaskGroup() as group:
                for digest, layer in by_digest.items():
                    group.create_task(self._place(layer, names[digest]))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _place(self, layer: Descriptor, ids: list[str]) -> None:
        if self.slots.locked():
            self._tell_all(ids, "Waiting")
        async with self.slots:
            blob = StoredBlob(self.store.content, layer)
            sources = self.store.repositories_with(layer.parsed_digest(), self.name)
            placed = await self.uploads.place(blob, sources, _Sending(ids, layer.size, self.tell).progress)
        self._tell_all(ids, _words(placed))

    def _tell_all(self, ids: list[str], state: str) -> None:
        for one in ids:
            self.tell(LayerState(one, state))

    async def _remember(self, image: Image, manifest: Descriptor) -> None:
        """The image is known by this digest there from now on; unless it went meanwhile."""
        by_digest = Reference(self.name.domain, self.name.path, digest=manifest.digest)
        known = self.store.catalogue.get(image.id)
        if known is not None and by_digest not in known.references:
            await self.store.tag(image.id, (by_digest,), at_ns=known.last_tagged_ns)


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
