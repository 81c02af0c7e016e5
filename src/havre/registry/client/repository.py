"""One repository as one user sees it: what can be read of it. Writing is `uploads`."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final, TypeVar

import msgspec

from havre.base.errors import HavreError
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.registry.client.documents import ACCEPT, Document, media_type_of, read_document
from havre.registry.client.errors import BadAnswer, Denied, LoginNeeded, NotThere, Unreachable
from havre.registry.client.exchange import Answer, Reply, Request
from havre.registry.client.following import target
from havre.registry.client.line import Line, Told, silent
from havre.registry.client.pauses import retry_after_s
from havre.registry.client.ranges import offset_of
from havre.registry.client.refusals import refusal

_PROGRESS_BYTES: Final = 4 << 20
_PAGE: Final = 1000
_MAX_TAGS: Final = 100_000
_T = TypeVar("_T")


class _Tags(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


class Repository:
    """Reads a repository through *lines*, mirrors first: each is asked until one has what is wanted."""

    def __init__(self, name: str, lines: Sequence[Line]) -> None:
        self.name = name
        self._lines = list(lines)

    async def manifest(self, tag_or_digest: str, size: int | None = None) -> Document:
        """A manifest or an index, verified where a digest was asked for. Raises NotThere, LoginNeeded and others."""
        expected = Digest.parse(tag_or_digest) if ":" in tag_or_digest else None
        return await self._first(lambda line: self._manifest(line, tag_or_digest, expected, size))

    async def head(self, tag_or_digest: str) -> Descriptor:
        """What a manifest is, without its bytes: its digest may be empty where the registry does not tell."""

        async def ask(line: Line) -> Descriptor:
            request = Request("HEAD", line.url(f"manifests/{tag_or_digest}"), {"Accept": ACCEPT})
            reply = _good(await line.fetch(request, _pull(line)))
            length = reply.headers.get("content-length", "")
            return Descriptor(
                media_type=media_type_of(reply),
                digest=reply.headers.get("docker-content-digest", ""),
                size=int(length) if length.isdecimal() and len(length) < 10 else 0,
            )

        return await self._first(ask)

    async def tags(self) -> list[str]:
        """All tags, page by page. Raises NotThere, BadAnswer for lists without end."""
        return await self._first(self._tags)

    async def blob(self, wanted: Descriptor, start: int = 0, told: Told = silent) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob from *start* to its promised end, through broken connections; not yet verified.

        Raises BadAnswer when there are more, NotThere, Unreachable when all attempts failed.
        """
        at = start
        for position, line in enumerate(self._lines):
            try:
                async with aclosing(_Download(line, wanted, told).pieces(at)) as pieces:
                    async for piece in pieces:
                        at += len(piece)
                        yield piece
                    return
            except (NotThere, Denied, LoginNeeded, Unreachable, BadAnswer):
                if position == len(self._lines) - 1:
                    raise

    async def small_blob(self, wanted: Descriptor, limit: int) -> bytes:
        """A whole blob, verified. Raises BadAnswer for one larger than *limit*, or another one."""
        if wanted.size > limit:
            raise BadAnswer(f"blob {wanted.digest} of {wanted.size} bytes is larger than {limit}")
        whole = bytearray()
        async with aclosing(self.blob(wanted)) as pieces:
            async for piece in pieces:
                whole += piece
        expected = wanted.parsed_digest()
        found = hashlib.new(expected.algorithm, whole).hexdigest()
        if found != expected.value:
            raise BadAnswer(f"blob {expected} has another digest: {found}")
        return bytes(whole)

    @property
    def line(self) -> Line:
        """The registry itself."""
        return self._lines[-1]

    async def _manifest(self, line: Line, asked: str, expected: Digest | None, size: int | None) -> Document:
        request = Request("GET", line.url(f"manifests/{asked}"), {"Accept": ACCEPT}, whole=True)
        reply = _good(await line.fetch(request, _pull(line)))
        return read_document(reply, self.name, expected, size)

    async def _tags(self, line: Line) -> list[str]:
        tags: list[str] = []
        url = line.url(f"tags/list?n={_PAGE}")
        while url:
            reply = _good(await line.fetch(Request("GET", url, whole=True), _pull(line)))
            try:
                page = msgspec.json.decode(reply.body, type=_Tags).tags or []
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise BadAnswer(f"tags of {self.name}: {str(error)[:200]}") from None
            tags += page
            following = next_page(reply.headers.get("link", ""))
            if len(tags) > _MAX_TAGS or (following and not page):
                raise BadAnswer(f"tags of {self.name}: the list does not end")
            url = target(url, Reply(307, {"location": following})) if following else ""
        return tags

    async def _first(self, ask: Callable[[Line], Awaitable[_T]]) -> _T:
        """What the first line with an answer says; of failures, what the registry itself says counts."""
        for line in self._lines[:-1]:
            with suppress(HavreError):
                return await ask(line)
        return await ask(self._lines[-1])


class _Download:
    """One blob over one line, as often as its connection breaks."""

    def __init__(self, line: Line, wanted: Descriptor, told: Told) -> None:
        self._line = line
        self._wanted = wanted
        self._told = told
        self._asked_s: float | None = None

    async def pieces(self, start: int) -> AsyncGenerator[bytes, None]:
        at = mark = start
        attempts = self._line.attempts()
        while at < self._wanted.size:
            try:
                async with aclosing(self._attempt(at)) as pieces:
                    async for piece in pieces:
                        at += len(piece)
                        yield piece
            except Unreachable as failure:
                if at - mark >= _PROGRESS_BYTES:
                    attempts.progress()
                    mark = at
                pause_s = attempts.failed(self._asked_s)
                if pause_s is None:
                    raise failure from None
                self._told(pause_s)
                await asyncio.sleep(pause_s)

    async def _attempt(self, at: int) -> AsyncGenerator[bytes, None]:
        size, digest = self._wanted.size, self._wanted.digest
        answer = await self._open(at)
        try:
            skip = at - offset_of(answer.reply, at, size, f"blob {digest}")
            async for piece in answer.pieces():
                fresh = piece[skip:] if skip else piece
                skip -= len(piece) - len(fresh)
                at += len(fresh)
                if at > size:
                    raise BadAnswer(f"blob {digest} has more than the {size} bytes promised")
                if fresh:
                    yield fresh
        finally:
            answer.close()
        if at < size:
            raise Unreachable(f"blob {digest} broke off after {at} of {size} bytes")

    async def _open(self, at: int) -> Answer:
        line = self._line
        headers = {"Range": f"bytes={at}-"} if at else {}
        answer = await line.once(Request("GET", line.url(f"blobs/{self._wanted.digest}"), headers), _pull(line))
        self._asked_s = None
        if answer.reply.status in {200, 206}:
            return answer
        answer.close()
        said = refusal(answer.reply)
        self._asked_s = retry_after_s(answer.reply.headers)
        raise said.error(f"blob {self._wanted.digest}")


def next_page(link: str) -> str:
    """The target of `rel="next"` in a Link header (RFC 8288), or nothing."""
    for part in link.split(",")[:16]:
        place, _, parameters = part.partition(";")
        place = place.strip()
        if (
            place.startswith("<")
            and place.endswith(">")
            and 'rel="next"' in parameters.replace("rel=next", 'rel="next"')
        ):
            return place[1:-1]
    return ""


def _pull(line: Line) -> str:
    return f"repository:{line.endpoint.repository}:pull"


def _good(reply: Reply) -> Reply:
    if reply.status != 200:
        raise refusal(reply).error("")
    return reply
