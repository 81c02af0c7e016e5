"""Steps that are not done because another cache has them: their layers are fetched when they are wanted, not before."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import msgspec

from havre.base.errors import HavreError
from havre.base.tasks import in_thread, to_the_end
from havre.build.cache import CacheRecord, record_of
from havre.build.cache_document import Offered
from havre.build.cache_places import CacheKind, CachePlace
from havre.build.caches.histories import offered_by
from havre.build.caches.sources import CacheSource, CacheSources
from havre.build.graph import Step
from havre.build.images import State
from havre.build.layers import Workshop
from havre.build.model import Noticed
from havre.images.candidate import Arrival
from havre.images.images import received
from havre.oci.descriptor import Descriptor

_Tell = Callable[[Noticed], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step that this engine has not done: its key, and the state that it stands on."""

    key: str
    step: Step
    state: State


class Taking:
    """What other caches give to one build. A cache that fails is told of and not asked again; it fails no build."""

    def __init__(self, workshop: Workshop, arrival: Arrival, tell: _Tell) -> None:
        self._workshop = workshop
        self._arrival = arrival
        self._tell = tell
        self._sources: list[CacheSource] = []

    async def open(self, sources: CacheSources, places: Sequence[CachePlace]) -> None:
        """Read what is offered at *places*."""
        for place in places:
            try:
                self._sources.append(await sources.open(place, self._arrival))
            except (HavreError, OSError) as failed:
                if place.kind is not CacheKind.IMAGE:  # an image that is not here yet is how every first build begins
                    await self._give_up(place, failed)

    async def take(self, wanted: Wanted) -> CacheRecord | None:
        """The record of a step, its layer ready; None where nobody has it."""
        for source in self._sources:
            offered = source.offered.get(wanted.key) or offered_by(source, wanted.step, wanted.state)
            if offered is None:
                continue
            try:
                return await self._record(source, offered, wanted)
            except (HavreError, OSError) as failed:
                if any(one is source for one in self._sources):  # another stage may have met the same failure
                    self._sources = [one for one in self._sources if one is not source]
                    await self._give_up(source.place, failed)
        return None

    async def _give_up(self, place: CachePlace, failed: Exception) -> None:
        await self._tell(Noticed(f"the cache {place.name} is not used: {failed}"))

    async def _record(self, source: CacheSource, offered: Offered, wanted: Wanted) -> CacheRecord:
        layer = None
        if offered.blob is not None and offered.diff is not None:
            await self._fetch(source, offered.blob)
            unpack = partial(self._workshop.unpack, wanted.state.tree, offered.diff, offered.blob)
            layer = await to_the_end(in_thread(unpack))
        kind = wanted.step.text.partition(" ")[0].lower() if wanted.step.operation is not None else "settings"
        record = record_of(wanted.key, kind, wanted.step.text, layer, wanted.state.tree.chain)
        return msgspec.structs.replace(record, created_ns=offered.created_ns)

    async def _fetch(self, source: CacheSource, blob: Descriptor) -> None:
        digest = blob.parsed_digest()
        if not await in_thread(self._arrival.has, digest):
            async with aclosing(source.blobs.blob(blob)) as pieces:
                await received(pieces, lambda inlet: self._arrival.ingest(inlet, digest, blob.size))
