"""What a container said, and what it says now."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from havre.api.request import Query, Request
from havre.api.response import Answer, Stream
from havre.api.router import Route
from havre.api.times import parse_moment
from havre.base.clock import rfc3339_fixed
from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.logs.entries import LogLine
from havre.logs.follow import LogWishes
from havre.wire.stream import MULTIPLEXED_STREAM, RAW_STREAM, header
from havre.wire.versions import MULTIPLEXED_SINCE


class LogStream(Protocol):
    """The log of one container."""

    @property
    def tty(self) -> bool:
        """Whether it wrote to a terminal: then there is one stream only."""

    @property
    def batches(self) -> AsyncIterator[list[LogLine]]:
        """What it said, as many lines at once as are there."""


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
        return Stream(written(stream.batches, form), content_type(stream.tty, request.version))

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
    """How lines are written: framed unless they come from a terminal, with their time and their details before them."""

    def __init__(self, tty: bool, *, timestamps: bool = False, details: bool = False) -> None:  # noqa: FBT001
        self._tty, self._timestamps, self._details = tty, timestamps, details
        self._moment, self._stamp = -1, b""

    def bytes_of(self, lines: list[LogLine]) -> bytes:
        """*lines* as they go to the client, each in a frame of its own."""
        if self._tty and not (self._details or self._timestamps):
            return b"".join([line.data for line in lines])
        pieces: list[bytes] = []
        plain, framed = not (self._details or self._timestamps), not self._tty
        for line in lines:
            data = line.data if plain else self._written(line)
            if framed:
                pieces.append(header(line.stream, len(data)))
            pieces.append(data)
        return b"".join(pieces)

    def _written(self, line: LogLine) -> bytes:
        data = line.data
        if self._details:
            data = b"%b %b" % (_details(line.attrs), data)
        if self._timestamps:
            if line.time_ns != self._moment:
                self._moment, self._stamp = line.time_ns, rfc3339_fixed(line.time_ns).encode()
            data = b"%b %b" % (self._stamp, data)
        return data


async def written(batches: AsyncIterator[list[LogLine]], form: LineForm) -> AsyncGenerator[bytes, None]:
    """The lines of *batches* as the client gets them, a batch a piece."""
    try:
        async for batch in batches:
            yield form.bytes_of(batch)
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()


def _details(attrs: dict[str, str] | None) -> bytes:
    return ",".join(f"{_escaped(key)}={_escaped(value)}" for key, value in sorted((attrs or {}).items())).encode()


def _escaped(text: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text)


def _tail(text: str) -> int | None:
    """The number of lines; everything that is no number means all of them, as in Docker."""
    if not text.isascii() or not text.isdigit():
        return None
    return parse_int(text, what="tail")
