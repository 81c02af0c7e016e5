"""Disk growth kept in bounds: images that nobody used for long go, the longest unused first, until enough is free."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from havre.base.clock import now_ns
from havre.base.tasks import in_thread
from havre.content.errors import NoSuchBlob
from havre.engine.images import ImageService
from havre.engine.parts import Parts
from havre.images.disk import disk_use
from havre.images.images import Images
from havre.images.model import Image
from havre.images.store import ImageStore
from havre.oci.digest import Digest
from havre.wire.images import DeleteItem, PruneImagesReport

_DAY_NS = 24 * 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that no container needs: when it came or was tagged last, and what would come free with it."""

    image_id: str
    used_ns: int
    own_bytes: int


@dataclass(frozen=True, slots=True)
class Policy:
    """*keep_days* spares what was used since; with *keep_free_bytes* only as much goes as is needed for that."""

    keep_days: int = 0
    keep_free_bytes: int = 0


def plan(candidates: Iterable[Candidate], policy: Policy, free_bytes: int, at_ns: int) -> list[Candidate]:
    """What goes, in order."""
    gone: list[Candidate] = []
    for one in sorted(candidates, key=lambda one: (one.used_ns, one.image_id)):
        if one.used_ns > at_ns - policy.keep_days * _DAY_NS:
            break
        if policy.keep_free_bytes and free_bytes >= policy.keep_free_bytes:
            break
        gone.append(one)
        free_bytes += one.own_bytes
    return gone


class Collections:
    """Collects images by a policy; with *dry_run* only tells what would go."""

    def __init__(self, parts: Parts, images: Images, service: ImageService) -> None:
        self._parts = parts
        self._images = images
        self._service = service

    async def collect(self, keep_days: int, keep_free_bytes: int, *, dry_run: bool) -> PruneImagesReport:
        """What went, or would go."""
        unused = [image for image in self._images.list() if not self._service.is_needed(image)]
        shared = disk_use(self._images.list()).shared_bytes
        used = await in_thread(_used_ns, self._images.store, unused)
        candidates = [Candidate(one.id, used.get(one.id, 0), one.size_bytes - shared.get(one.id, 0)) for one in unused]
        free = await in_thread(_free_bytes, self._images.store)
        chosen = plan(candidates, Policy(keep_days, keep_free_bytes), free, now_ns())
        items: list[DeleteItem] = []
        for one in chosen:
            image = self._images.get(one.image_id)
            if image is None:
                continue
            if dry_run:
                items += _told(image)
            else:
                items += await self._service.remove_whole(image)
        if not dry_run:
            await self._images.sweep()
        return {"ImagesDeleted": items or None, "SpaceReclaimed": sum(one.own_bytes for one in chosen)}


def _told(image: Image) -> Iterator[DeleteItem]:
    for name in image.references:
        yield {"Untagged": name.familiar}
    yield {"Deleted": image.id}


def _used_ns(store: ImageStore, images: list[Image]) -> dict[str, int]:
    """When each image came here, or was tagged, whichever is later."""
    found: dict[str, int] = {}
    for image in images:
        with suppress(NoSuchBlob), store.content.open(Digest.parse(image.id)) as config:
            found[image.id] = max(config.stored_ns, image.last_tagged_ns)
    return found


def _free_bytes(store: ImageStore) -> int:
    state = os.statvfs(store.snapshots.root)
    return state.f_bavail * state.f_frsize
