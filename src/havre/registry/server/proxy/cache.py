"""The pull-through cache: asks the upstream what a tag names now, and for what it does not have; serves the rest."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from havre.base.clock import now_ns
from havre.base.tasks import Tasks, in_thread
from havre.oci.digest import Digest
from havre.registry.server.described import describe
from havre.registry.server.fetching import Arriving
from havre.registry.server.pages import Page
from havre.registry.server.paths import ManifestAt
from havre.registry.server.proxy.fills import Fill
from havre.registry.server.proxy.upstream import Upstream, UpstreamGone
from havre.registry.server.records.manifests import Held
from havre.registry.server.refusal import Code, Refusal
from havre.registry.server.repositories import Repositories

_RENEWALS = 10
_log = logging.getLogger(__name__)


class Cache:
    """A Source that looks in the store first, and for tags in the upstream first.

    An upstream that is gone takes nothing away: what the store has is served as it was last seen. A manifest
    that is used is renewed, some times within its time to live, so that collection takes only the others.
    """

    def __init__(self, repositories: Repositories, upstream: Upstream, tasks: Tasks, ttl_s: float) -> None:
        self._repositories = repositories
        self._upstream = upstream
        self._tasks = tasks
        self._ttl_ns = int(ttl_s * 1e9)
        self._fills: dict[Digest, Fill] = {}
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}

    async def manifest(self, at: ManifestAt) -> Held:
        """See fetching.Source."""
        async with self._alone(at.name, at.text):
            held = await (self._by_tag(at) if at.digest is None else self._by_digest(at, at.digest))
            if held.since_ns and now_ns() - held.since_ns > self._ttl_ns // _RENEWALS:
                await in_thread(self._repositories.records.manifests.renew, at.name, held.digest)
            return held

    async def blob(self, name: str, digest: Digest) -> int | Arriving:
        """See fetching.Source."""
        with suppress(Refusal):
            return self._repositories.blob_size(name, digest)
        if self._repositories.content.has(digest):
            size = await self._upstream.blob_size(name, digest)  # whoever may read this repository may read this blob
            await in_thread(self._repositories.records.blobs.add, name, digest, size)
            return self._repositories.blob_size(name, digest)
        fill = self._fills.get(digest)
        if fill is not None and fill.name != name:
            await self._upstream.blob_size(name, digest)
        elif fill is None:
            fill = self._fills[digest] = Fill(self._upstream, self._repositories.content, name, digest)
            _ = self._tasks.start(self._run(fill), name=f"fill {digest}")
        await fill.known()
        return fill

    async def blob_size(self, name: str, digest: Digest) -> int:
        """See fetching.Source."""
        with suppress(Refusal):
            return self._repositories.blob_size(name, digest)
        return await self._upstream.blob_size(name, digest)

    async def tags(self, name: str, page: Page) -> list[str]:
        """See fetching.Source: those of the upstream; those that were pulled through here when it is gone."""
        try:
            tags = sorted(tag for tag in await self._upstream.tags(name) if tag > page.last)
        except UpstreamGone as gone:
            if not self._repositories.records.lists.has_repository(name):
                raise
            _log.warning("tags of %s are served as they were last seen: %s", name, gone.message)
            return self._repositories.records.lists.tags(name, page)
        return tags[: page.count + 1]

    async def _by_digest(self, at: ManifestAt, digest: Digest) -> Held:
        held = self._repositories.records.manifests.by_digest(at.name, digest)
        return held if held is not None else await self._fetch(at.name, str(digest), ())

    async def _by_tag(self, at: ManifestAt) -> Held:
        manifests = self._repositories.records.manifests
        held = manifests.by_tag(at.name, at.text)
        try:
            now = await self._upstream.tag_digest(at.name, at.text)
            if held is not None and now == str(held.digest):
                return held
            return await self._fetch(at.name, at.text, (at.text,))
        except UpstreamGone as gone:
            if held is None:
                raise
            _log.warning("%s:%s is served as it was last seen: %s", at.name, at.text, gone.message)
            return held

    async def _fetch(self, name: str, reference: str, tags: tuple[str, ...]) -> Held:
        document = await self._upstream.manifest(name, reference)
        digest = document.digest
        try:
            described = await in_thread(describe, document.data, document.descriptor.media_type, digest)
        except Refusal as refused:
            raise Refusal(Code.UNAVAILABLE, f"the upstream sent no manifest: {refused.message}", status=502) from None
        await in_thread(self._repositories.put_manifest, name, document.data, described, tags, whole=False)
        return Held(digest, described.media_type, described.size)

    async def _run(self, fill: Fill) -> None:
        async def keep(size: int) -> None:
            self._repositories.needs.touch(fill.name, fill.digest)
            await in_thread(self._repositories.records.blobs.add, fill.name, fill.digest, size)

        try:
            await fill.run(keep)
        finally:
            del self._fills[fill.digest]

    @asynccontextmanager
    async def _alone(self, name: str, reference: str) -> AsyncIterator[None]:
        """One question at a time about each manifest: those that come meanwhile find its answer in the store."""
        lock = self._asking.setdefault((name, reference), asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._asking.pop((name, reference), None)
