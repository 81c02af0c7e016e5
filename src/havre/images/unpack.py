"""From blobs to ready layers: every layer of an image unpacked, several at a time, each checked against its diff id.

Nothing here makes an image visible; that is the last step, and `images.Images` takes it.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from havre.base.errors import InvalidInput, Unavailable
from havre.base.ids import short
from havre.base.tasks import in_thread, to_the_end
from havre.content.reader import FileReader, Readable
from havre.content.store import Content
from havre.images.model import Layer, LayerProgress
from havre.images.threads import all_in_threads
from havre.oci.digest import Digest, chain_id
from havre.snapshots.contract import ParentMissing
from havre.snapshots.overlay import Overlay

Report = Callable[[LayerProgress], None]
_AT_ONCE = max(2, os.cpu_count() or 1)
_REPORTS_A_LAYER = 40
_REPORT_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer to unpack."""

    chain: Digest
    parent: Digest | None
    diff: Digest
    blob: Digest


def plan_layers(diffs: tuple[Digest, ...], blobs: tuple[Digest, ...]) -> tuple[LayerPlan, ...]:
    """The layers of an image, lowest first."""
    plans: list[LayerPlan] = []
    parent: Digest | None = None
    for diff, blob in zip(diffs, blobs, strict=True):
        chain = chain_id((diff,)) if parent is None else chain_id((parent, diff))
        if chain is None:
            raise AssertionError("a stack with a layer has a name")
        plans.append(LayerPlan(chain, parent, diff, blob))
        parent = chain
    return tuple(plans)


def unpack_again(
    content: Content, snapshots: Overlay, plans: tuple[LayerPlan, ...], stop: threading.Event | None = None
) -> None:
    """Make every chain of *plans* ready from the blobs that are here, one by one; blocks. *stop* raises Unavailable."""
    work = _Work(content, snapshots, lambda _: None, stop or threading.Event(), durable=True)
    for plan in plans:
        work.unpack(plan)


def unpack_stream(snapshots: Overlay, plan: LayerPlan, blob: Readable, *, durable: bool = False) -> Layer | None:
    """Unpack what *blob* gives as the layer of *plan*; None when the layer below must be ready first. Blocks.

    A layer that is ready already reads nothing. *durable*: see `Overlay.unpack`.
    """
    try:
        sealed, tar_bytes = snapshots.unpack(plan.chain, plan.parent, blob, durable=durable)
    except ParentMissing:
        return None
    return Layer(chain=plan.chain, diff=plan.diff, size_bytes=sealed.size, tar_bytes=tar_bytes)


async def unpack_layers(
    content: Content, snapshots: Overlay, plans: tuple[LayerPlan, ...], report: Report
) -> tuple[Layer, ...]:
    """Make every chain of *plans* ready. No thread works on when this has returned, failed or been cancelled."""
    stop = threading.Event()
    work = _Work(content, snapshots, report, stop)
    done = await all_in_threads(stop.set, [partial(work.unpack, plan) for plan in plans], _AT_ONCE)
    for position, plan in enumerate(plans):
        if done[position] is None:  # it takes files from the layer below, which is ready by now
            done[position] = await to_the_end(in_thread(work.unpack, plan), stop.set)
    return tuple(layer for layer in done if layer is not None)


class _Work:
    """What the threads do."""

    def __init__(
        self, content: Content, snapshots: Overlay, report: Report, stop: threading.Event, *, durable: bool = False
    ) -> None:
        self._durable = durable
        self._content = content
        self._snapshots = snapshots
        self._report = report
        self._stop = stop

    def unpack(self, plan: LayerPlan) -> Layer | None:
        """None when the layer below must be ready first."""
        known = self._snapshots.find(plan.chain)
        if known is not None:
            return Layer(chain=plan.chain, diff=plan.diff, size_bytes=known.size, tar_bytes=0)
        # Its bytes are believed once they make the chain; only when they do not is the blob itself looked at.
        with self._content.open_file(plan.blob) as blob:
            size = os.fstat(blob.fileno()).st_size
            watched = _Watched(FileReader(blob.fileno()), size, short(str(plan.diff)), self._report, self._stop)
            try:
                return unpack_stream(self._snapshots, plan, watched, durable=self._durable)
            except InvalidInput:
                self._content.verify(plan.blob)
                raise


class _Watched:
    """A blob on its way to the unpacking: tells how far it is, and ends when it shall stop."""

    def __init__(self, source: Readable, total: int, layer: str, report: Report, stop: threading.Event) -> None:
        self._source = source
        self._total = total
        self._layer = layer
        self._report = report
        self._stop = stop
        self._step = max(_REPORT_BYTES, total // _REPORTS_A_LAYER)
        self._done = 0
        self._told = -1

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        if self._stop.is_set():
            raise Unavailable("unpacking was stopped")
        data = self._source.read(size)
        self._done += len(data)
        if self._told < 0 or self._done - self._told >= self._step or (not data and self._told < self._total):
            self._told = self._done
            self._report(LayerProgress(self._layer, self._done, self._total))
        return data
