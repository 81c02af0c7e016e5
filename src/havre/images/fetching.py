"""One layer on its way in: from the network through its hashes and its unpacking to the disk, in one thread.

The loop brings the bytes; the thread stores them as a blob and, in the same breath, unpacks them. Nothing is kept
whole in memory, and nothing counts before both digests are right.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Final

from havre.base.errors import HavreError, InvalidInput, Unavailable
from havre.base.tasks import in_own_thread, in_thread, to_the_end
from havre.content.errors import DigestMismatch
from havre.content.ingest import BlobWriter
from havre.content.leases import Lease
from havre.content.store import Content
from havre.images.inlet import Inlet
from havre.images.model import Layer
from havre.images.slots import Slots
from havre.images.transfer_events import LayerBytes, LayerState, Tell
from havre.images.unpack import LayerPlan, unpack_stream
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.registry.client.repository import Repository
from havre.snapshots.overlay import Overlay

_PIECE_BYTES: Final = 256 << 10
_TELL_EVERY_S: Final = 0.1
_WRONG_BYTES_ATTEMPTS: Final = 3
_SHORT: Final = 12


@dataclass(frozen=True, slots=True)
class Wanted:
    """A layer to fetch: its blob in the registry, and where it belongs."""

    blob: Descriptor
    plan: LayerPlan

    @property
    def id(self) -> str:
        """What progress lines call it."""
        return self.blob.digest.partition(":")[2][:_SHORT]

    @property
    def digest(self) -> Digest:
        """The blob's digest."""
        return self.blob.parsed_digest()


class Fetcher:
    """Fetches layers, as many at a time as *slots* allow; of one event loop."""

    def __init__(self, content: Content, snapshots: Overlay, slots: Slots) -> None:
        self._content = content
        self._snapshots = snapshots
        self._slots = slots

    async def fetch(self, wanted: Wanted, repository: Repository, lease: Lease, tell: Tell) -> Layer | None:
        """Store the blob and unpack it; None where it could not be unpacked before the layer below is there.

        Raises InvalidInput naming the layer when it is not what was promised, and what registries raise; bytes that
        came wrong are fetched again a few times. What came right before it broke off is kept for the next attempt.
        """
        if self._slots.gate.locked():
            tell(LayerState(wanted.id, "Waiting"))
        for _ in range(_WRONG_BYTES_ATTEMPTS - 1):
            try:
                return await self._attempt(wanted, repository, lease, tell)
            except DigestMismatch:
                tell(LayerState(wanted.id, "Retrying"))
        return await self._attempt(wanted, repository, lease, tell)

    async def _attempt(self, wanted: Wanted, repository: Repository, lease: Lease, tell: Tell) -> Layer | None:
        async with self._slots.gate:
            partial = await in_thread(self._content.partial, wanted.digest, lease)
            inlet = Inlet(stall_s=None)
            source = _Watched(wanted, repository, partial.kept, tell)
            loop = asyncio.get_running_loop()
            storing = loop.create_task(in_own_thread(lambda: self._take(wanted, partial, inlet)))
            feeding = loop.create_task(inlet.feed(source.pieces()))
            try:
                await asyncio.wait({storing, feeding}, return_when=asyncio.FIRST_COMPLETED)
            except BaseException:
                feeding.cancel()  # the thread hears of it from the inlet
                await _ends(feeding)
                await _ends(storing)
                raise
            if not feeding.done():
                feeding.cancel()
                await _ends(feeding)
        tell(LayerState(wanted.id, "Verifying Checksum"))
        try:
            layer = await to_the_end(_result(storing))
        except Unavailable:
            raise source.failure or _failure_of(feeding) or Unavailable("the download was stopped") from None
        tell(LayerState(wanted.id, "Download complete"))
        return layer

    def _take(self, wanted: Wanted, partial: BlobWriter, inlet: Inlet) -> Layer | None:
        """The thread's work."""
        with partial:
            stream = _Stored(partial, inlet)
            try:
                layer, refused = unpack_stream(self._snapshots, wanted.plan, stream), None
            except InvalidInput as error:
                layer, refused = None, error
            stream.drain()
            partial.commit(wanted.digest, wanted.blob.size)
        if refused is not None:
            raise InvalidInput(f"layer {wanted.digest}: {refused.message}") from refused
        return layer


class _Watched:
    """The blob as it comes from the registry, its progress told, its failure kept."""

    def __init__(self, wanted: Wanted, repository: Repository, start: int, tell: Tell) -> None:
        self._wanted = wanted
        self._repository = repository
        self._start = start
        self._tell = tell
        self.failure: HavreError | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        blob, at, told_s = self._wanted.blob, self._start, 0.0
        if at > blob.size:
            return  # what was kept is another blob's: its digest will show it
        try:
            async with aclosing(self._repository.blob(blob, at, self._retrying)) as pieces:
                async for piece in pieces:
                    at += len(piece)
                    if monotonic() - told_s >= _TELL_EVERY_S or at == blob.size:
                        told_s = monotonic()
                        self._tell(LayerBytes(self._wanted.id, "Downloading", at, blob.size))
                    yield piece
        except HavreError as error:
            self.failure = error
            raise

    def _retrying(self, pause_s: float) -> None:
        seconds = max(1, round(pause_s))
        self._tell(LayerState(self._wanted.id, f"Retrying in {seconds} second{'s' if seconds != 1 else ''}"))


class _Stored:
    """Bytes on their way to the unpacking, each stored as it passes: first what was kept, then what comes."""

    def __init__(self, partial: BlobWriter, inlet: Inlet) -> None:
        self._partial = partial
        self._inlet = inlet

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        if kept := self._partial.replay(size):
            return kept
        data = self._inlet.read(size)
        if data:
            self._partial.write(data)
        return data

    def drain(self) -> None:
        while self.read(_PIECE_BYTES):
            pass


async def _result(task: "asyncio.Task[Layer | None]") -> Layer | None:
    return await task


async def _ends(task: "asyncio.Task[None] | asyncio.Task[Layer | None]") -> None:
    """Wait for *task*, whatever becomes of it and of us."""
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
    _failure_of(task)


def _failure_of(task: "asyncio.Task[None] | asyncio.Task[Layer | None]") -> BaseException | None:
    return None if task.cancelled() else task.exception()
