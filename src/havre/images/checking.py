"""`system check`: every blob against its digest, every layer against its archive, every record against both."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from havre.base.errors import HavreError
from havre.base.tasks import in_own_thread, in_thread
from havre.content.errors import DamagedBlob, NoSuchBlob
from havre.images.model import Image
from havre.images.packing import read_manifest
from havre.images.store import ImageStore
from havre.oci.digest import Digest
from havre.snapshots.compression import Decompressed
from havre.snapshots.verifying import verify_layer


@dataclass(frozen=True, slots=True)
class Problem:
    """Something is not as it should be: *kind* is blob, layer, image or leftover; *mended* tells that it is now."""

    kind: str
    name: str
    what: str
    mended: bool = False


class Checks:
    """Checks one store while it is used; of one event loop. *in_use* tells whether containers need an image."""

    def __init__(self, store: ImageStore, in_use: Callable[[str], bool]) -> None:
        self._store = store
        self._in_use = in_use
        self._seen: set[Digest] = set()

    async def run(self, *, repair: bool) -> AsyncIterator[Problem]:
        """All problems, as they are found.

        With *repair* layers are made again from their archives, damaged blobs are set aside, images that lack something
        go unless containers need them, and so does what nobody needs.
        """
        self._seen.clear()
        async for problem in self._blobs(repair=repair):
            yield problem
        for image in self._store.catalogue.all():
            async for problem in self._image(image, repair=repair):
                yield problem
        for image_id in await in_thread(self._store.unlisted):
            if repair:
                await self._store.forget_unlisted(image_id)
            yield Problem("image", image_id, "its config or manifest is damaged or missing", mended=repair)
        for name in await self._store.leftovers():
            yield Problem("leftover", name, "nothing needs it", mended=repair)
        if repair:
            await self._store.sweep()

    async def layers_since(self, since_s: float) -> AsyncIterator[Problem]:
        """The problems of layers that were sealed after *since_s* (wall clock), mended where that can be."""
        root = self._store.snapshots.root
        for image in self._store.catalogue.all():
            for position, layer in enumerate(image.layers):
                record = root / layer.chain.value / "record.json"
                if record.exists() and record.stat().st_mtime >= since_s:
                    for problem in await in_own_thread(partial(self._layer, image, position, repair=True)):
                        yield problem

    async def _blobs(self, *, repair: bool) -> AsyncIterator[Problem]:
        for digest in await in_thread(self._store.content.digests):
            damage = await in_own_thread(partial(self._read, digest))
            if not damage:
                continue
            if repair:
                with suppress(NoSuchBlob):
                    await in_thread(self._store.content.set_aside, digest)
            yield Problem("blob", str(digest), damage, mended=repair)

    def _read(self, digest: Digest) -> str:
        with self._store.content.lease() as lease:
            lease.hold(digest)
            try:
                self._store.content.verify(digest)
            except NoSuchBlob:
                return ""  # it went meanwhile
            except (DamagedBlob, OSError) as error:
                return str(error)
        return ""

    async def _image(self, image: Image, *, repair: bool) -> AsyncIterator[Problem]:
        missing = [
            blob for blob in self._store.blobs_of(image.id) if not await in_thread(self._store.content.has, blob)
        ]
        for position, layer in enumerate(image.layers):
            if layer.chain in self._seen:
                continue
            self._seen.add(layer.chain)
            for problem in await in_own_thread(partial(self._layer, image, position, repair=repair)):
                yield problem
        if image.index is not None and image.index.parsed_digest() in missing:
            missing.remove(image.index.parsed_digest())
            if repair:
                await self._store.forget_index(image)
            yield Problem("image", image.id, f"its index {image.index.digest} is missing; pull it again", mended=repair)
        unready = image.chain is not None and not self._store.snapshots.has(image.chain)
        if not missing and not unready:
            return
        what = f"blob {missing[0]} is missing" if missing else "a layer is missing"
        removed = repair and not self._in_use(image.id)
        if removed:
            await self._store.forget_image(image)
        yield Problem("image", image.id, f"{what}; pull or load it again", mended=removed)

    def _layer(self, image: Image, position: int, *, repair: bool) -> list[Problem]:
        layer = image.layers[position]
        try:
            blob = read_manifest(self._store.content, image).layers[position].parsed_digest()
            with self._store.content.open(blob) as source:
                found = verify_layer(self._store.snapshots, layer.chain, Decompressed(source), mend=repair)
        except (HavreError, OSError) as error:
            return [Problem("layer", str(layer.chain), f"it cannot be verified: {error}")]
        return [Problem("layer", str(layer.chain), "; ".join(found), mended=repair)] if found else []
