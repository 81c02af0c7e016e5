"""Images from registries: resolve, fetch every layer side by side, and make the image visible as the last step."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from havre.base.errors import HavreError, NotFound, Unavailable
from havre.base.tasks import in_thread
from havre.images.candidate import Arrival, Candidate
from havre.images.fetching import Fetcher, Wanted
from havre.images.model import Image, Layer, LayerProgress
from havre.images.platforms import host_platform
from havre.images.relay import relayed
from havre.images.resolving import Resolved, resolve
from havre.images.sharing import Shared
from havre.images.slots import Slots
from havre.images.store import ImageStore
from havre.images.transfer_events import LayerBytes, LayerState, Note, Tell, TransferEvent, unread_key
from havre.images.unpack import plan_layers
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.oci.reference import Reference
from havre.registry.client.errors import Denied, LoginNeeded, NotThere
from havre.registry.client.keyring import STRANGER, Credentials
from havre.registry.client.registries import Registries
from havre.registry.client.repository import Repository

_SHORT: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PullWishes:
    """*reference* has a tag or a digest, or neither for *every_tag*; no *platform* is the host's."""

    reference: Reference
    who: Credentials = STRANGER
    platform: Platform | None = None
    every_tag: bool = False


class Pulls:
    """Pulls into one store; of one event loop. Pulls that want the same layers share them."""

    def __init__(self, store: ImageStore, registries: Registries) -> None:
        self._store = store
        self._registries = registries
        self._fetcher = Fetcher(store.content, store.snapshots, Slots(lambda: registries.settings.downloads))
        self._shared: Shared[Digest, Layer | None] = Shared()

    def pull(self, wishes: PullWishes) -> AsyncIterator[TransferEvent]:
        """Pull what *wishes* say, and tell how it goes.

        An image is there when its last event is; whoever stops iterating stops the pull, and what has arrived by
        then is kept for a day for the next attempt. Raises NotFound, Forbidden, Unauthenticated, Unavailable in
        docker's words, InvalidInput and NotSupported for what is no sound image.
        """

        async def work(tell: Tell) -> None:
            repository = await self._registries.repository(wishes.reference, wishes.who)
            asked = wishes.reference.familiar_name if wishes.every_tag else ""
            for name in await _names(wishes, repository):
                fresh = await self._pull_one(name, wishes.platform or host_platform(), repository, tell)
                what = "Downloaded newer image for" if fresh else "Image is up to date for"
                tell(Note(f"Status: {what} {asked or name.familiar}"))

        return relayed(work, unread_key)

    async def _pull_one(self, name: Reference, wanted: Platform, repository: Repository, tell: Tell) -> bool:
        """Whether there is something new."""
        try:
            resolved = await resolve(repository, name.digest or name.tag, wanted)
        except (NotThere, Denied, LoginNeeded) as error:
            raise in_dockers_words(error, name) from error
        tell(Note(f"Pulling from {name.path}", name.digest or name.tag))
        by_digest = Reference(name.domain, name.path, digest=str(resolved.top))
        names = (by_digest,) if name.digest else (by_digest, name)
        image_id = str(Digest.of(resolved.config_bytes))
        known = self._store.catalogue.get(image_id)
        fresh = known is None or known.manifest.digest != str(resolved.document.digest)
        if fresh or not _has_index(known, resolved) or not await self._store.is_whole(image_id):
            async with self._store.arriving() as arrival:
                await _Pull(self, resolved, repository, arrival, tell).run(names)
        elif known is not None and not set(names) <= set(known.references):
            await self._store.tag(image_id, names, at_ns=known.last_tagged_ns)
        tell(Note(f"Digest: {resolved.top}"))
        return fresh

    async def layer(self, wanted: Wanted, repository: Repository, arrival: Arrival, tell: Tell) -> Layer | None:
        """Fetch one layer, together with whoever else wants it."""
        work = partial(self._fetcher.fetch, wanted, repository, arrival.lease)
        return await self._shared.result(wanted.digest, work, tell)

    @property
    def store(self) -> ImageStore:
        """Where images arrive."""
        return self._store


@dataclass(frozen=True, slots=True)
class _Pull:
    """One image on its way."""

    pulls: Pulls
    resolved: Resolved
    repository: Repository
    arrival: Arrival
    tell: Tell
    done: dict[Digest, Layer] = field(default_factory=dict)

    async def run(self, names: tuple[Reference, ...]) -> Image:
        store, resolved = self.pulls.store, self.resolved
        diffs = resolved.config.diff_ids()
        blobs = tuple(layer.parsed_digest() for layer in resolved.layers)
        layers = [Wanted(one, plan) for one, plan in zip(resolved.layers, plan_layers(diffs, blobs), strict=True)]
        candidate = Candidate(
            config=resolved.config,
            config_bytes=resolved.config_bytes,
            manifest_bytes=resolved.document.data,
            manifest_type=resolved.document.descriptor.media_type,
            index_bytes=resolved.index.data if resolved.index is not None else b"",
            index_type=resolved.index.descriptor.media_type if resolved.index is not None else "",
            blobs=blobs,
            names=names,
            genuine=True,
        )
        awaited = store.content.awaited
        word = await in_thread(awaited.begin, blobs)
        try:
            async with store.counting_on(self.arrival, [one.plan.chain for one in layers]):
                await self._fetch_all(layers)
                image = await store.add(
                    self.arrival, candidate, self._extracting(layers), tagged=False, known=self.done
                )
        except (Unavailable, asyncio.CancelledError):
            awaited.interrupted(word)
            raise
        except BaseException:
            # What came is not what was promised, or has no room: nothing of it is worth keeping.
            self.arrival.blobs.update(blobs)
            await in_thread(awaited.end, word)
            raise
        await in_thread(awaited.end, word)
        for one in layers:
            if one.plan.chain in self.done:
                self.tell(LayerState(one.id, "Pull complete"))
        return image

    async def _fetch_all(self, layers: list[Wanted]) -> None:
        missing: list[Wanted] = []
        for one in layers:
            if await in_thread(self.arrival.has, one.digest):
                self.tell(LayerState(one.id, "Already exists"))
            elif one.digest not in {other.digest for other in missing}:
                self.tell(LayerState(one.id, "Pulling fs layer"))
                missing.append(one)
        try:
            async with asyncio.TaskGroup() as group:
                for one in missing:
                    group.create_task(self._fetch(one))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _fetch(self, one: Wanted) -> None:
        layer = await self.pulls.layer(one, self.repository, self.arrival, self.tell)
        if layer is not None and layer.chain == one.plan.chain:
            self.done[layer.chain] = layer

    def _extracting(self, layers: list[Wanted]) -> "_Extracting":
        return _Extracting({one.plan.diff.value[:_SHORT]: one.id for one in layers}, self.tell)


@dataclass(frozen=True, slots=True)
class _Extracting:
    """Tells of the layers that are unpacked from what was stored."""

    ids: dict[str, str]
    tell: Tell

    def __call__(self, progress: LayerProgress) -> None:
        layer = self.ids.get(progress.layer, progress.layer)
        self.tell(LayerBytes(layer, "Extracting", progress.current, progress.total))


def _has_index(known: Image | None, resolved: Resolved) -> bool:
    index = known.index if known is not None else None
    return resolved.index is None or (index is not None and index.digest == str(Digest.of(resolved.index.data)))


async def _names(wishes: PullWishes, repository: Repository) -> list[Reference]:
    reference = wishes.reference
    if not wishes.every_tag:
        return [reference.with_default_tag()]
    try:
        tags = await repository.tags()
    except (NotThere, Denied, LoginNeeded) as error:
        raise in_dockers_words(error, reference) from error
    return [Reference.parse(f"{reference.repository()}:{tag}") for tag in tags]


def in_dockers_words(error: HavreError, name: Reference) -> HavreError:
    """What docker says when a registry does not show *name*."""
    words = error.message
    if isinstance(error, LoginNeeded):  # as 401 it would make docker ask for a password, in the middle of a script
        return Denied(words)
    if isinstance(error, Denied) or words.startswith("denied"):
        return NotFound(
            f"pull access denied for {name.familiar_name}, "
            f"repository does not exist or may require 'docker login': {words}"
        )
    if words.startswith("name unknown"):
        return NotFound(f"repository {name.familiar_name} not found: {words}")
    return NotFound(f"manifest for {name.familiar} not found: {words}")
