"""Writing to a repository: blobs in one stream that resumes where it broke, mounts from neighbours, manifests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote, urlencode

from havre.base.errors import HavreError
from havre.oci.descriptor import Descriptor
from havre.registry.client.bodies import Streamed
from havre.registry.client.documents import ACCEPT, Document
from havre.registry.client.errors import Denied, LoginNeeded, Unreachable
from havre.registry.client.exchange import Reply, Request
from havre.registry.client.following import target
from havre.registry.client.line import Line, Told, silent
from havre.registry.client.pauses import retry_after_s
from havre.registry.client.ranges import received_of
from havre.registry.client.refusals import refusal

_NO_HEADERS: Final[Mapping[str, str]] = {}
_BYTES: Final = {"Content-Type": "application/octet-stream"}
_MAX_SOURCES: Final = 3


class Source(Protocol):
    """A blob that is to be sent; it can be read again from any place."""

    @property
    def descriptor(self) -> Descriptor:
        """Its digest and size."""

    def pieces(self, start: int) -> AsyncIterator[bytes]:
        """Its bytes from *start* on."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A blob is in the repository: *sent*, or mounted from the repository *source*, or there before."""

    sent: bool = False
    source: str = ""


class Uploads:
    """Writes to the repository *name* over one line."""

    def __init__(self, name: str, line: Line) -> None:
        self.name = name
        self._line = line
        self._scope = f"repository:{line.endpoint.repository}:pull,push"

    async def place(
        self, blob: Source, sources: Sequence[str], progress: Callable[[int], None], told: Told = silent
    ) -> Placed:
        """Make sure that the repository has *blob*, by the cheapest way: look, mount from *sources*, send.

        *progress* is told how many bytes have gone. Raises Denied, LoginNeeded, Unreachable, BadAnswer.
        """
        if await self._has(f"blobs/{blob.descriptor.digest}"):
            return Placed()
        location = ""
        for source in sources[:_MAX_SOURCES]:
            location = await self._mount(blob.descriptor, source)
            if not location:
                return Placed(source=source)
        await _Upload(self._line, self._scope, blob, progress, told).send(location)
        return Placed(sent=True)

    async def put_manifest(self, tag_or_digest: str, document: Document) -> None:
        """Publish a manifest whose blobs are all there. Raises BadAnswer with the registry's words."""
        request = Request(
            "PUT",
            self._line.url(f"manifests/{tag_or_digest}"),
            {"Content-Type": document.descriptor.media_type},
            document.data,
            whole=True,
        )
        reply = await self._line.fetch(request, self._scope)
        if reply.status not in {200, 201, 202}:
            raise refusal(reply).error("")

    async def has_manifest(self, wanted: Descriptor) -> bool:
        """Whether the repository has the manifest *wanted*. Raises as `place`, and InvalidInput for no digest."""
        return await self._has(f"manifests/{wanted.parsed_digest()}", {"Accept": ACCEPT})

    async def _has(self, what: str, headers: Mapping[str, str] = _NO_HEADERS) -> bool:
        reply = await self._line.fetch(Request("HEAD", self._line.url(what), headers), self._scope)
        if reply.status == 200:
            return True
        if reply.status in {401, 403}:
            raise denied(reply)
        return False

    async def _mount(self, wanted: Descriptor, source: str) -> str:
        """Nothing when it was mounted; else where to send it, since the registry began an upload instead."""
        query = urlencode({"mount": wanted.digest, "from": source}, quote_via=quote, safe=":/")
        url = self._line.url(f"blobs/uploads/?{query}")
        reply = await self._line.fetch(
            Request("POST", url, {"Content-Length": "0"}, whole=True), self._scope, f"repository:{source}:pull"
        )
        if reply.status == 201:
            return ""
        return target(url, reply) if reply.status == 202 else await _begin(self._line, self._scope)


class _Upload:
    """One blob on its way."""

    def __init__(self, line: Line, scope: str, blob: Source, progress: Callable[[int], None], told: Told) -> None:
        self._line = line
        self._scope = scope
        self._blob = blob
        self._progress = progress
        self._told = told
        self._asked_s: float | None = None

    async def send(self, location: str) -> None:
        """To *location*, or to a new upload; again from where the registry stands when it breaks."""
        attempts = self._line.attempts()
        sent = 0
        while True:
            try:
                location = location or await _begin(self._line, self._scope)
                location = await self._patch(location, sent)
                await self._finish(location)
                return
            except Unreachable as failure:
                pause_s = attempts.failed(self._asked_s)
                if pause_s is None:
                    raise failure from None
            self._told(pause_s)
            await asyncio.sleep(pause_s)
            location, sent = await self._standing(location)

    async def _patch(self, location: str, start: int) -> str:
        size = self._blob.descriptor.size
        if start == size:
            return location
        headers = {**_BYTES, "Content-Range": f"{start}-{size - 1}"} if start else dict(_BYTES)
        body = Streamed(lambda: self._told_pieces(start), size - start)
        reply = await self._reply(Request("PATCH", location, headers, body))
        return target(location, reply) if "location" in reply.headers else location

    async def _finish(self, location: str) -> None:
        joint = "&" if "?" in location else "?"
        url = f"{location}{joint}{urlencode({'digest': self._blob.descriptor.digest})}"
        await self._reply(Request("PUT", url, {**_BYTES, "Content-Length": "0"}, whole=True))

    async def _standing(self, location: str) -> tuple[str, int]:
        """Where the upload stands; a new one from the beginning if it is gone."""
        if not location:
            return "", 0
        try:
            answer = await self._line.once(Request("GET", location), self._scope)
        except HavreError:
            return "", 0
        answer.close()
        reply = answer.reply
        sent = received_of(reply) if reply.status in {200, 204} else -1
        if not 0 <= sent <= self._blob.descriptor.size:
            return "", 0
        return target(location, reply) if "location" in reply.headers else location, sent

    async def _told_pieces(self, start: int) -> AsyncIterator[bytes]:
        at = start
        async for piece in self._blob.pieces(start):
            yield piece
            at += len(piece)
            self._progress(at)

    async def _reply(self, request: Request) -> Reply:
        answer = await self._line.once(request, self._scope)
        answer.close()
        self._asked_s = retry_after_s(answer.reply.headers)
        return _accepted(answer.reply, f"blob {self._blob.descriptor.digest}")


async def _begin(line: Line, scope: str) -> str:
    """The location of a new upload."""
    url = line.url("blobs/uploads/")
    reply = await line.fetch(Request("POST", url, {"Content-Length": "0"}, whole=True), scope)
    if reply.status in {401, 403}:
        raise denied(reply)
    return target(url, _accepted(reply, ""))


def _accepted(reply: Reply, doing: str) -> Reply:
    if reply.status not in {200, 201, 202, 204}:
        raise refusal(reply).error(doing)
    return reply


def denied(reply: Reply) -> HavreError:
    """In docker's words."""
    said = refusal(reply)
    if reply.status == 401:
        return LoginNeeded(said.words or "unauthorized: authentication required")
    return Denied(said.words or "denied: requested access to the resource is denied")
