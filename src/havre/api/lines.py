"""Streams of JSON: one object after the other, each sent when it is there."""

from collections.abc import AsyncIterator, Mapping

from havre.api.response import Stream, encoded
from havre.api.status import message_of
from havre.base.errors import HavreError
from havre.wire.progress import LINE_END, ProgressLine


async def started(lines: AsyncIterator[ProgressLine]) -> Stream:
    """A stream of progress. What fails before the first line is raised; later, it is the last line."""
    try:
        first = await anext(lines)
    except StopAsyncIteration:
        return Stream(_nothing())
    return Stream(_progress(first, lines))


async def json_lines(values: AsyncIterator[Mapping[str, object]]) -> AsyncIterator[bytes]:
    """Each value as a line of its own."""
    async for value in values:
        yield encoded(value) + b"\n"


async def _progress(first: ProgressLine, lines: AsyncIterator[ProgressLine]) -> AsyncIterator[bytes]:
    yield encoded(first) + LINE_END
    try:
        async for line in lines:
            yield encoded(line) + LINE_END
    except (HavreError, OSError) as failed:
        message = message_of(failed)
        last: ProgressLine = {"errorDetail": {"message": message}, "error": message}
        yield encoded(last) + LINE_END


async def _nothing() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece
