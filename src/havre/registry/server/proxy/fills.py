"""Blobs on their way from the upstream: fetched once, however many clients wait, and read by them while they come."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from havre.base.errors import HavreError
from havre.base.tasks import in_thread, to_the_end
from havre.content.errors import NoSuchBlob
from havre.content.ingest import BlobWriter
from havre.content.store import Content
from havre.oci.digest import Digest
from havre.registry.server.proxy.upstream import Upstream, UpstreamGone
from havre.registry.server.refusal import Refusal, refusal_of

_PIECE_BYTES: Final = 1 << 20


class Fill:
    """One blob that is being fetched for the repository *name*.

    It goes on when its clients leave, and where it ended when the connection breaks or the server restarts. The
    last byte is handed out only after the whole was verified: nobody gets a whole wrong blob.
    """

    def __init__(self, upstream: Upstream, content: Content, name: str, digest: Digest) -> None:
        self._upstream = upstream
        self._content = content
        self._key = hashlib.sha256(f"fill {digest}".encode()).hexdigest()
        self._moved = asyncio.Event()
        self._arrived = 0
        self._failure: Refusal | None = None
        self.name = name
        self.digest = digest
        self.size = -1
        self.done = False

    async def run(self, keep: Callable[[int], Awaitable[None]]) -> None:
        """Fetch the blob and verify it; *keep* writes down that it is there, before anyone has all of it."""
        try:
            with self._content.lease() as lease:
                lease.hold(self.digest)
                with await in_thread(self._content.drafts.writer, self._key, algorithm=self.digest.algorithm) as writer:
                    await self._fetch(writer)
                    await to_the_end(in_thread(writer.commit, self.digest, self.size))
                await keep(self.size)
        except (HavreError, OSError) as error:
            known = error if isinstance(error, HavreError) else UpstreamGone(str(error))
            self._failure = refusal_of(known)
        except asyncio.CancelledError:
            self._failure = UpstreamGone("the registry is stopping", status=503)
            raise
        finally:
            self.done = self._failure is None
            self._tell()

    async def known(self) -> int:
        """The blob's size, as soon as the upstream told it. Raises Refusal."""
        while self.size < 0 and self._failure is None:
            await self._next()
        if self._failure is not None:
            raise self._failure
        return self.size

    async def read(self, first: int, last: int) -> AsyncIterator[bytes]:
        """See fetching.Arriving."""
        with await in_thread(self._open) as file:
            at = first
            while at <= last:
                free = self.size if self.done else min(self._arrived, self.size - 1)
                if at < free:
                    piece = await in_thread(os.pread, file.fileno(), min(_PIECE_BYTES, free - at, last + 1 - at), at)
                    at += len(piece)
                    yield piece
                elif self._failure is not None:
                    raise self._failure
                else:
                    await self._next()

    def _open(self) -> io.FileIO:
        try:
            return self._content.drafts.open_file(self._key)
        except NoSuchBlob:  # it has arrived meanwhile
            return self._content.open_file(self.digest)

    async def _fetch(self, writer: BlobWriter) -> None:
        """All bytes that are missing; of an earlier life, that may be none."""
        self.size, self._arrived = await self._upstream.blob_size(self.name, self.digest), writer.size
        self._tell()
        parts, held = list[bytes](), 0
        async with aclosing(self._upstream.blob(self.name, self.digest, self.size, writer.size)) as pieces:
            try:
                async for piece in pieces:
                    parts.append(piece)
                    held += len(piece)
                    if held >= _PIECE_BYTES:
                        data, parts, held = b"".join(parts), [], 0  # whatever becomes of us, it is written once
                        await self._write(writer, data)
            finally:
                if parts:
                    await self._write(writer, b"".join(parts))

    async def _write(self, writer: BlobWriter, data: bytes) -> None:
        await to_the_end(in_thread(writer.write, data))  # the caller closes what the thread writes to
        self._arrived = writer.size
        self._tell()

    async def _next(self) -> None:
        await self._moved.wait()

    def _tell(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
