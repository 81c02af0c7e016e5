"""`/v2/<name>/blobs/uploads/`: pushing blobs, whole or in chunks, and mounting them (distribution-spec, "Push")."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from havre.base.tasks import in_thread
from havre.oci.digest import Digest
from havre.registry.server.auth.access import Action
from havre.registry.server.auth.callers import Door, repository_scope
from havre.registry.server.http.exchange import Exchange, empty, origin_of
from havre.registry.server.notices import Board, Notice
from havre.registry.server.paths import UploadAt, UploadStart, check_name, parse_digest
from havre.registry.server.ranges import arrived, parse_chunk
from havre.registry.server.refusal import Code, Refusal
from havre.registry.server.repositories import Repositories
from havre.registry.server.uploads import Upload, Uploads, parse_final_digest

_PATIENCE_S: Final = 30.0


class UploadRoutes:
    """Uploads from their start to the blob that they become."""

    def __init__(self, uploads: Uploads, repositories: Repositories, door: Door, board: Board) -> None:
        self._uploads = uploads
        self._repositories = repositories
        self._door = door
        self._board = board

    async def start(self, exchange: Exchange, at: UploadStart) -> web.StreamResponse:
        """POST: mount a blob, take one whole (`?digest=`), or begin an upload."""
        query = exchange.query
        if "mount" in query and await self._mounted(exchange, at, parse_digest(query["mount"])):
            return _created(at.name, parse_digest(query["mount"]))
        digest = parse_digest(query["digest"]) if "digest" in query and "mount" not in query else None
        algorithm = digest.algorithm if digest is not None else query.get("digest-algorithm", "")
        upload = await self._uploads.start(at.name, algorithm)
        if digest is None:
            return empty(202, _progress(upload))
        async with self._held(upload):
            try:
                await self._uploads.receive(upload, exchange.body(), None, exchange.length())
            except BaseException:
                await self._uploads.cancel(upload)  # nobody was told its id: nobody can go on with it
                raise
            return await self._finished(exchange, upload, digest)

    async def append(self, exchange: Exchange, at: UploadAt) -> web.StreamResponse:
        """PATCH: more bytes, at the end."""
        upload = await self._uploads.find(at.name, at.id)
        async with self._held(upload):
            await self._receive(exchange, upload)
            return empty(202, _progress(upload))

    async def finish(self, exchange: Exchange, at: UploadAt) -> web.StreamResponse:
        """PUT: the last bytes, if any, and the digest of the whole."""
        digest = parse_final_digest(exchange.query.get("digest"))
        upload = await self._uploads.find(at.name, at.id)
        async with self._held(upload):
            await self._receive(exchange, upload)
            return await self._finished(exchange, upload, digest)

    async def status(self, exchange: Exchange, at: UploadAt) -> web.StreamResponse:
        """GET: how much is there."""
        del exchange
        upload = await self._uploads.find(at.name, at.id)
        return empty(204, _progress(upload))

    async def cancel(self, exchange: Exchange, at: UploadAt) -> web.StreamResponse:
        """DELETE: give it up."""
        del exchange
        upload = await self._uploads.find(at.name, at.id)
        async with self._held(upload):
            await self._uploads.cancel(upload)
        return empty(204, {"Docker-Upload-UUID": upload.id})

    async def _receive(self, exchange: Exchange, upload: Upload) -> None:
        header = exchange.header("Content-Range")
        chunk = parse_chunk(header) if header else None
        await self._uploads.receive(upload, exchange.body(), chunk, exchange.length())

    async def _finished(self, exchange: Exchange, upload: Upload, digest: Digest) -> web.StreamResponse:
        size = await self._uploads.finish(upload, digest)
        self._tell(exchange, upload.name, digest, size, "")
        return _created(upload.name, digest)

    async def _mounted(self, exchange: Exchange, at: UploadStart, digest: Digest) -> bool:
        """Whether the blob came from another repository: the one that is named, or any."""
        named = exchange.query.get("from", "")
        sources = [check_name(named)] if named else self._repositories.records.blobs.holders(digest)
        # What the caller may not read is as if it were not there: whether it is stays that repository's secret.
        source = next((each for each in sources if self._may_read(exchange, each)), "")
        if not source or not await in_thread(self._repositories.mount, at.name, digest, source):
            return False
        size = self._repositories.records.blobs.find(at.name, digest) or 0
        self._tell(exchange, at.name, digest, size, source)
        return True

    def _may_read(self, exchange: Exchange, name: str) -> bool:
        scope = repository_scope(name, Action.PULL)
        return scope.actions <= self._door.allowed(exchange.caller, scope)

    def _tell(self, exchange: Exchange, name: str, digest: Digest, size: int, source: str) -> None:
        self._board.tell(
            Notice(
                action="mount" if source else "push",
                repository=name,
                url=f"{exchange.origin}/v2/{name}/blobs/{digest}",
                origin=origin_of(exchange),
                digest=str(digest),
                media_type="application/octet-stream",
                size=size,
                source=source,
            )
        )

    @asynccontextmanager
    async def _held(self, upload: Upload) -> AsyncIterator[None]:
        """One request at a time speaks to an upload: one that follows a broken connection waits for its end."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await upload.lock.acquire()
        except TimeoutError:
            raise Refusal(Code.BLOB_UPLOAD_INVALID, "another request is writing to this upload", status=409) from None
        try:
            yield
        finally:
            upload.lock.release()


def _created(name: str, digest: Digest) -> web.Response:
    return empty(201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": str(digest)})


def _progress(upload: Upload) -> dict[str, str]:
    return {"Location": upload.location, "Range": arrived(upload.size()), "Docker-Upload-UUID": upload.id}
