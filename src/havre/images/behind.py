"""Layers that come after their image: unpacked behind the answer, or for whoever wants a tree on them before that.

What they are made of lies in the store, and is on the disk before the image is published. Whatever ends this process,
or the room on the disk, so costs time and no data: what is missing at the start, or later, is unpacked from there.
"""

import asyncio
import threading
from functools import partial

from havre.base.tasks import Tasks, in_own_thread, to_the_end
from havre.content.leases import Lease
from havre.images.model import Image
from havre.images.packing import read_manifest
from havre.images.store import ImageStore
from havre.images.unpack import plan_layers, unpack_again
from havre.oci.digest import Digest


class Behind:
    """The unpacking behind the answers of one store."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._tasks = Tasks()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stop = threading.Event()
        store.snapshots.supply = self._supply

    def begin(self, image: Image) -> None:
        """Unpack what is missing of a published image."""
        task = self._tasks.start(self._follow(image), name=f"unpacking of image {image.id}")
        self._running[image.id] = task
        task.add_done_callback(lambda _: self._running.pop(image.id, None))

    async def ended(self, image_id: str) -> None:
        """Wait until nothing of this image is being unpacked."""
        if (task := self._running.get(image_id)) is not None:
            await asyncio.wait({task})

    async def settled(self) -> None:
        """Wait until all that was begun is done."""
        await self._tasks.ended()

    async def close(self) -> None:
        """Stop: what is missing is unpacked at the next start."""
        self._stop.set()
        await self._tasks.close()

    async def _follow(self, image: Image) -> None:
        store = self._store
        async with (
            store.arriving() as arrival,
            store.counting_on(arrival, [layer.chain for layer in image.layers]),
        ):
            present = store.catalogue.get(image.id)
            if present is not None:
                arrival.blobs.update(store.blobs_of(image.id))  # held meanwhile, and gone with it if the image goes
                await to_the_end(in_own_thread(partial(self._unpack, present, len(present.layers), arrival.lease)))

    def _supply(self, chain: Digest) -> None:
        """See `Overlay.supply`: unpack *chain* if an image has it; blocks, for any thread."""
        for image in self._store.catalogue.all():
            for position, layer in enumerate(image.layers, 1):
                if layer.chain == chain:
                    with self._store.content.lease() as lease:
                        self._unpack(image, position, lease)
                    return

    def _unpack(self, image: Image, count: int, lease: Lease) -> None:
        """The lowest *count* layers."""
        content = self._store.content
        blobs = tuple(layer.parsed_digest() for layer in read_manifest(content, image).layers)
        for blob in blobs:
            lease.hold(blob)
        plans = plan_layers(image.config.diff_ids(), blobs)[:count]
        unpack_again(content, self._store.snapshots, plans, self._stop)
