"""The record, the tables in memory and the content behind them, changed together and one change at a time.

Order is always content, layers, record; and record first when something goes (security.md, rule 23). A change
that has begun is finished even when its caller is cancelled.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from havre.base.clock import now_ns
from havre.base.errors import HavreError
from havre.base.tasks import in_thread, to_the_end
from havre.content.errors import DamagedBlob, NoSuchBlob
from havre.content.store import Content
from havre.images.candidate import Arrival, Candidate
from havre.images.catalogue import Catalogue
from havre.images.history import created_ns
from havre.images.layout import show, show_what_differs
from havre.images.model import DamagedStore, Image, Layer, Removed
from havre.images.names import ImageRow, Names, Record
from havre.images.removal import Removal
from havre.images.unpack import Report, plan_layers, unpack_again, unpack_layers
from havre.oci import image_config, manifest
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.reference import Reference
from havre.snapshots.contract import LayerInUse
from havre.snapshots.overlay import Overlay
from havre.snapshots.verifying import used_chains

_log = logging.getLogger(__name__)
Known = Mapping[Digest, Layer]
_NOTHING_KNOWN: Known = {}


@dataclass(frozen=True, slots=True)
class _Kept:
    """An image as found at the start, and the blobs that it needs."""

    image: Image
    contents: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class Needed:
    """Contents and layers that somebody else needs, besides the images."""

    blobs: frozenset[Digest]
    chains: frozenset[Digest]


class ImageStore:
    """What `Images` and its verbs share; of one event loop."""

    def __init__(self, content: Content, snapshots: Overlay, names: Names) -> None:
        self.content = content
        self.snapshots = snapshots
        self.catalogue = Catalogue()
        self._names = names
        self._changing = asyncio.Lock()
        self._contents: dict[str, frozenset[Digest]] = {}
        self._layers: dict[Digest, Layer] = {}
        self._arriving: Counter[Digest] = Counter()
        self.also_needed: list[Callable[[], Needed]] = []

    async def open(self) -> None:
        """Read the record; what is damaged is passed over, told in the log, and healed by the next load."""
        record = await in_thread(self._names.read)
        for kept in await in_thread(self._read_all, record):
            self.catalogue.put(kept.image)
            self._layers.update((layer.chain, layer) for layer in kept.image.layers)
        await show_what_differs(self.catalogue.all(), self.content.index)

    async def close(self) -> None:
        """Wait for the change that goes on, and close the record."""
        async with self._changing:
            await in_thread(self._names.close)

    # -- coming

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[Arrival]:
        """Work that brings blobs and layers; what it brought and nobody needs is gone at its end."""
        with self.content.lease() as lease:
            arrival = Arrival(self.content, lease)
            try:
                yield arrival
            finally:
                with lease:  # given back here: what is unneeded can go only then
                    pass
                await to_the_end(self._discard(arrival))

    @asynccontextmanager
    async def counting_on(self, arrival: Arrival, chains: Sequence[Digest]) -> AsyncIterator[None]:
        """Inside, no removal takes *chains*, which *arrival* makes; those that nobody needs go with it."""
        async with self._changing:  # a removal that has planned ends before this one counts on a layer
            self._arriving.update(chains)
            arrival.chains.update(chains)
        try:
            yield
        finally:
            self._arriving.subtract(chains)

    async def add(
        self, arrival: Arrival, candidate: Candidate, report: Report, *, tagged: bool, known: Known = _NOTHING_KNOWN
    ) -> Image:
        """Unpack *candidate*, whose blobs *arrival* keeps, and make it visible as the last step.

        *known* are layers that were unpacked for it already, or will be: see `behind.Behind`.
        """
        plans = plan_layers(candidate.config.diff_ids(), candidate.blobs)
        async with self.counting_on(arrival, [plan.chain for plan in plans]):
            await to_the_end(in_thread(arrival.store_documents, candidate))
            missing = tuple(plan for plan in plans if plan.chain not in known)
            made = {layer.chain: layer for layer in await unpack_layers(self.content, self.snapshots, missing, report)}
            layers = tuple(known.get(plan.chain) or made[plan.chain] for plan in plans)
            await to_the_end(in_thread(self._flush, arrival))
            async with self._changing:
                return await to_the_end(self._publish(candidate, layers, now_ns() if tagged else 0))

    def _flush(self, arrival: Arrival) -> None:
        """All blobs and layers at once: the disk is waited for once an image, not once a layer."""
        if arrival.blobs:
            arrival.flush()
        self.snapshots.sealing.flush()

    async def tag(self, image_id: str, names: tuple[Reference, ...], at_ns: int | None = None) -> None:
        """Give *names* to an image, now or as of *at_ns*. Raises KeyError when it is gone."""
        async with self._changing:
            if self.catalogue.get(image_id) is None:
                raise KeyError(image_id)
            await to_the_end(self._tag(image_id, names, now_ns() if at_ns is None else at_ns))

    # -- going

    async def remove(self, plan: Callable[[frozenset[Digest]], Removal]) -> tuple[Removed, ...]:
        """Carry out what *plan* answers, told which chains others count on."""
        async with self._changing:
            others = frozenset().union(*(needed().chains for needed in self.also_needed))
            removal = plan(others | frozenset(+self._arriving))
            await to_the_end(self._forget(removal))
        return removal.answer

    async def is_whole(self, image_id: str) -> bool:
        """Whether every blob and every layer of an image is here."""
        image = self.catalogue.get(image_id)
        return image is not None and await in_thread(self._is_whole, image)

    async def sweep(self) -> int:
        """Remove the blobs and the layers that nothing needs; the bytes that came free."""
        async with self._changing:
            return await to_the_end(in_thread(self._sweep, self._needed_blobs(), self._needed_chains()))

    async def forget_image(self, image: Image) -> None:
        """Take a damaged image out of the records, whatever its names; its content goes as far as nobody needs it."""
        async with self._changing:
            chains = {layer.chain for layer in image.layers}
            others = {layer.chain for one in self.catalogue.all() if one.id != image.id for layer in one.layers}
            gone = Removal((), image.references, (image.id,), tuple(chains - others - set(+self._arriving)))
            await to_the_end(self._forget(gone))

    async def forget_index(self, image: Image) -> None:
        """Let *image* stand alone: its index is damaged."""
        async with self._changing:
            await in_thread(self._names.forget_index, image.id)
            self.catalogue.put(replace(image, index=None))
            self._contents[image.id] -= _blob_of(image.index)

    # -- checking

    def blobs_of(self, image_id: str) -> frozenset[Digest]:
        """The blobs that an image needs."""
        return self._contents.get(image_id, frozenset())

    def unlisted(self) -> list[str]:
        """The images of the record that could not be read at the start; blocks."""
        return [row.id for row in self._names.read().images if self.catalogue.get(row.id) is None]

    async def forget_unlisted(self, image_id: str) -> None:
        """Take one of those out of the record."""
        async with self._changing:
            record = await in_thread(self._names.read)
            names = tuple(name for name, owner in record.names if owner == image_id)
            await in_thread(self._names.remove, names, (image_id,), ())
            self._contents.pop(image_id, None)

    async def leftovers(self) -> list[str]:
        """Blobs and layers that neither an image nor work in progress needs."""
        async with self._changing:
            blobs, chains = self._needed_blobs(), self._needed_chains()
            stored = await in_thread(self.content.digests)
            awaited = await in_thread(self.content.awaited.digests)
            chains |= await in_thread(used_chains, self.snapshots)
        lost = [str(one) for one in stored if one not in blobs and one not in awaited]
        return lost + [str(layer.chain) for layer in self.snapshots.chains() if layer.chain not in chains]

    # -- how it is done

    async def _publish(self, candidate: Candidate, layers: tuple[Layer, ...], tagged_ns: int) -> Image:
        known = self.catalogue.get(candidate.id)
        manifest_of, contents = candidate.manifest, candidate.contents
        if known is not None and not candidate.genuine and await in_thread(self._is_whole, known):
            manifest_of, contents = known.manifest, self._contents[known.id]
        index = _index_of(manifest_of, candidate, known)
        contents |= _blob_of(index)
        stale = self._contents[known.id] - contents if known is not None else frozenset()
        layers = tuple(self._merged(layer) for layer in layers)
        parent = self._true_parent(candidate) or (known.parent if known is not None else "")
        image = Image(
            id=candidate.id,
            config=candidate.config,
            manifest=manifest_of,
            index=index,
            layers=layers,
            references=tuple(sorted(candidate.names, key=str)),
            parent=parent,
            created_ns=created_ns(candidate.config.created),
            last_tagged_ns=max(tagged_ns, known.last_tagged_ns if known is not None else 0),
        )
        row = ImageRow(
            id=image.id, manifest=manifest_of, index=index, parent=parent, last_tagged_ns=image.last_tagged_ns
        )
        await in_thread(self._names.add, row, layers, candidate.names)
        self.catalogue.put(image)
        self._contents[image.id] = contents
        self._layers.update((layer.chain, layer) for layer in layers)
        await show(self.catalogue.all(), self.content.index)
        await in_thread(self._delete, (), stale - self._needed_blobs())
        return self.catalogue.get(image.id) or image

    async def _tag(self, image_id: str, names: tuple[Reference, ...], at_ns: int) -> None:
        await in_thread(self._names.tag, image_id, names, at_ns)
        self.catalogue.tag(image_id, names, at_ns)
        await show(self.catalogue.all(), self.content.index)

    async def _forget(self, removal: Removal) -> None:
        await in_thread(self._names.remove, removal.names, removal.images, removal.chains)
        self.catalogue.untag(removal.names)
        candidates: set[Digest] = set()
        for image_id in removal.images:
            self.catalogue.drop(image_id)
            candidates |= self._contents.pop(image_id, frozenset())
        for chain in removal.chains:
            self._layers.pop(chain, None)
        await show(self.catalogue.all(), self.content.index)
        await in_thread(self._delete, removal.chains, candidates - self._needed_blobs())

    async def _discard(self, arrival: Arrival) -> None:
        async with self._changing:
            blobs = arrival.blobs - self._needed_blobs()
            chains = arrival.chains - self._needed_chains()
            if blobs or chains:
                await in_thread(self._delete, chains, blobs)

    def _delete(self, chains: Iterable[Digest], blobs: Iterable[Digest]) -> None:
        self._remove_layers(set(chains))
        for blob in blobs:
            self.content.delete(blob)

    def _remove_layers(self, chains: set[Digest]) -> int:
        """Remove *chains*, those that nothing stands on first; those in use stay. The bytes that came free."""
        freed = 0
        left = [layer for layer in self.snapshots.chains() if layer.chain in chains]
        while left:
            stays = []
            for layer in left:
                try:
                    self.snapshots.remove(layer.chain)
                    freed += layer.size
                except LayerInUse:
                    stays.append(layer)
            if len(stays) == len(left):
                break
            left = stays
        return freed

    def _sweep(self, blobs: frozenset[Digest], chains: frozenset[Digest]) -> int:
        freed = self._remove_layers({layer.chain for layer in self.snapshots.chains()} - chains)
        return freed + sum(stored.size for stored in self.content.sweep(lambda: blobs))

    def _needed_blobs(self) -> frozenset[Digest]:
        others = (needed().blobs for needed in self.also_needed)
        return frozenset().union(*self._contents.values(), *others)

    def _needed_chains(self) -> frozenset[Digest]:
        of_images = {layer.chain for image in self.catalogue.all() for layer in image.layers}
        others = (needed().chains for needed in self.also_needed)
        return frozenset(of_images | set(+self._arriving)).union(*others)

    def _true_parent(self, candidate: Candidate) -> str:
        """The parent that *candidate* claims, if it is here and the candidate really is one step beyond it."""
        parent = self.catalogue.get(candidate.parent)
        if parent is None or parent.id == candidate.id:
            return ""
        diffs, below = candidate.config.rootfs.diff_ids, parent.config.rootfs.diff_ids
        steps, before = candidate.config.history or [], parent.config.history or []
        is_next = diffs[: len(below)] == below and steps[: len(before)] == before
        return parent.id if is_next and len(steps) - len(before) == (1 if steps else 0) else ""

    def _is_whole(self, image: Image) -> bool:
        has_blobs = all(self.content.has(digest) for digest in self._contents.get(image.id, ()))
        return has_blobs and (image.chain is None or self.snapshots.has(image.chain))

    def _merged(self, layer: Layer) -> Layer:
        known = self._layers.get(layer.chain)
        return replace(layer, tar_bytes=max(layer.tar_bytes, known.tar_bytes)) if known is not None else layer

    # -- at the start

    def _read_all(self, record: Record) -> list[_Kept]:
        names: dict[str, list[Reference]] = {}
        for name, image_id in record.names:
            names.setdefault(image_id, []).append(name)
        sizes = {layer.chain: layer for layer in record.layers}
        kept: list[_Kept] = []
        for row in record.images:
            self._contents[row.id] = frozenset({Digest.parse(row.id), row.manifest.parsed_digest()})
            try:
                one = self._read(row, names.get(row.id, []), sizes)
            except (HavreError, OSError):
                _log.exception("image %s is damaged and not listed; load or pull it again", row.id)
                continue
            self._contents[row.id] = one.contents
            kept.append(one)
        return kept

    def _read(self, row: ImageRow, names: list[Reference], sizes: dict[Digest, Layer]) -> _Kept:
        config = image_config.decode(self._document(Digest.parse(row.id), image_config.MAX_CONFIG_BYTES))
        raw = self._document(row.manifest.parsed_digest(), manifest.MAX_MANIFEST_BYTES)
        document = manifest.decode(raw, row.manifest.media_type)
        if not isinstance(document, manifest.Manifest):
            raise DamagedStore(f"manifest {row.manifest.digest} of image {row.id} is an index")
        blobs = tuple(layer.parsed_digest() for layer in document.layers)
        index = row.index if row.index is not None and self.content.has(row.index.parsed_digest()) else None
        contents = frozenset((*blobs, Digest.parse(row.id), row.manifest.parsed_digest())) | _blob_of(index)
        self._contents[row.id] = contents
        diffs = config.diff_ids()
        if len(diffs) != len(blobs):
            raise DamagedStore(f"image {row.id} has {len(diffs)} diff ids and {len(blobs)} layers")
        plans = plan_layers(diffs, blobs)
        if plans and not self.snapshots.has(plans[-1].chain):
            unpack_again(self.content, self.snapshots, plans)
        layers: list[Layer] = []
        for plan in plans:
            sealed = self.snapshots.find(plan.chain)
            if sealed is None:
                raise DamagedStore(f"layer {plan.chain} of image {row.id} is missing")
            told = sizes.get(plan.chain)
            tar_bytes = told.tar_bytes if told is not None else 0
            layers.append(Layer(chain=plan.chain, diff=plan.diff, size_bytes=sealed.size, tar_bytes=tar_bytes))
        image = Image(
            id=row.id,
            config=config,
            manifest=row.manifest,
            index=index,
            layers=tuple(layers),
            references=tuple(sorted(names, key=str)),
            parent=row.parent,
            created_ns=created_ns(config.created),
            last_tagged_ns=row.last_tagged_ns,
        )
        return _Kept(image, contents)

    def _document(self, digest: Digest, limit: int) -> bytes:
        try:
            return self.content.read_bytes(digest, limit)
        except DamagedBlob:
            with suppress(NoSuchBlob):
                self.content.set_aside(digest)
            raise


def _index_of(chosen: Descriptor, candidate: Candidate, known: Image | None) -> Descriptor | None:
    """The index that lists the manifest *chosen*."""
    if candidate.index is not None and candidate.manifest.digest == chosen.digest:
        return candidate.index
    return known.index if known is not None and known.manifest.digest == chosen.digest else None


def _blob_of(index: Descriptor | None) -> frozenset[Digest]:
    return frozenset() if index is None else frozenset({index.parsed_digest()})
