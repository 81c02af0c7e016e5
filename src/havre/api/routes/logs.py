"""What a container said, and what it says now."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, Protocol

from havre.api.request import Query, Request
from havre.api.response import Answer, Stream
from havre.api.router import Route
from havre.api.times import parse_moment
from havre.base.clock import rfc3339_fixed
from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.base.tasks import Tasks
from havre.logs.entries import LogLine
from havre.logs.follow import LogWishes
from havre.wire.stream import MULTIPLEXED_STREAM, RAW_STREAM, header
from havre.wire.versions import MULTIPLEXED_SINCE

_GATHER_BYTES: Final = 256 << 10


class LogStream(Protocol):
    """The log of one container."""

    @property
    def tty(self) -> bool:
        """Whether it wrote to a terminal: then there is one stream only."""

    @property
    def lines(self) -> AsyncIterator[LogLine]:
        """What it said."""


class Logs(Protocol):
    """What is asked of the engine."""

    async def logs(self, ref: str, wishes: LogWishes) -> LogStream:
        """The log of the container *ref*."""


def routes(logs: Logs) -> list[Route]:
    """The one route that asks *logs*."""

    async def read(request: Request) -> Answer:
        query = request.query
        wishes = parse_wishes(query)
        stream = await logs.logs(request.parameters["id"], wishes)
        form = LineForm(stream.tty, timestamps=query.flag("timestamps"), details=query.flag("details"))
        return Stream(gathered(stream.lines, form), content_type(stream.tty, request.version))

    return [Route("GET", "/containers/{id}/logs", read, endless=True)]


def content_type(tty: bool, version: tuple[int, int]) -> str:  # noqa: FBT001
    """How a stream is announced: before 1.42, always as raw."""
    return RAW_STREAM if tty or version < MULTIPLEXED_SINCE else MULTIPLEXED_STREAM


def parse_wishes(query: Query) -> LogWishes:
    """Which lines a query asks for. Raises InvalidInput."""
    stdout, stderr = query.flag("stdout"), query.flag("stderr")
    if not (stdout or stderr):
        raise InvalidInput("Bad parameters: you must choose at least one stream")
    return LogWishes(
        tail=_tail(query.text("tail")),
        since_ns=parse_moment(query.text("since"), what="since") or 0,
        until_ns=parse_moment(query.text("until"), what="until") or 0,
        follow=query.flag("follow"),
        stdout=stdout,
        stderr=stderr,
    )


class LineForm:
    """How a line is written: framed unless it comes from a terminal, with its time and its details before it."""

    def __init__(self, tty: bool, *, timestamps: bool = False, details: bool = False) -> None:  # noqa: FBT001
        self._tty, self._timestamps, self._details = tty, timestamps, details

    def bytes_of(self, line: LogLine) -> bytes:
        """*line* as it goes to the client."""
        data = line.data
        if self._details:
            data = b"%b %b" % (_details(line.attrs), data)
        if self._timestamps:
            data = b"%b %b" % (rfc3339_fixed(line.time_ns).encode(), data)
        return data if self._tty else header(line.stream, len(data)) + data


async def gathered(lines: AsyncIterator[LogLine], form: LineForm) -> AsyncGenerator[bytes, None]:
    """*lines* in pieces: as many at once as are there, so that a long log does not become as many small writes."""
    box = _Box()
    tasks = Tasks()
    filling = tasks.start(_fill(box, lines, form), name="lines of a log")
    try:
        while (piece := await box.take()) is not None:
            yield piece
        await filling
    finally:
        await tasks.close()


class _Box:
    """What was read and not yet sent; bounded, so that a slow client slows the reader."""

    def __init__(self) -> None:
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._content = bytearray()
        self._closed = False

    async def put(self, data: bytes) -> None:
        self._content += data
        self._filled.set()
        while len(self._content) > _GATHER_BYTES:
            self._emptied.clear()
            await self._emptied.wait()

    def close(self) -> None:
        self._closed = True
        self._filled.set()

    async def take(self) -> bytes | None:
        await self._filled.wait()
        if not self._content:
            return None
        piece = bytes(self._content)
        self._content.clear()
        self._emptied.set()
        if not self._closed:
            self._filled.clear()
        return piece


async def _fill(box: _Box, lines: AsyncIterator[LogLine], form: LineForm) -> None:
    try:
        async for line in lines:
            await box.put(form.bytes_of(line))
    finally:
        box.close()


def _details(attrs: dict[str, str]) -> bytes:
    return ",".join(f"{_escaped(key)}={_escaped(value)}" for key, value in sorted(attrs.items())).encode()


def _escaped(text: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text)


def _tail(text: str) -> int | None:
    """The number of lines; everything that is no number means all of them, as in Docker."""
    if not text.isascii() or not text.isdigit():
        return None
    return parse_int(text, what="tail")
