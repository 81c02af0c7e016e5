"""Reading a container's log: the last lines, those of a time, and the ones to come."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import msgspec

from havre.base.tasks import Tasks, in_thread
from havre.kernel.libc import StrPath
from havre.logs.entries import LogLine
from havre.logs.files import EntryDecoder, LogFiles
from havre.logs.frame import STDOUT
from havre.logs.watch import FolderWatch

_NS = 1_000_000_000


class LogWishes(msgspec.Struct, frozen=True):
    """Which lines: of the last *tail* (None: of all), those between two moments (0: no bound), of which streams.

    As with Docker, *tail* counts entries of both streams before the others choose. With *follow*, those to come too.
    """

    tail: int | None = None
    since_ns: int = 0
    until_ns: int = 0
    follow: bool = False
    stdout: bool = True
    stderr: bool = True

    @property
    def wants_all(self) -> bool:
        """Whether no line is left out."""
        return self.stdout and self.stderr and not self.since_ns

    def wants(self, line: LogLine) -> bool:
        """Whether *line* is of a wanted stream and not too old."""
        return line.time_ns >= self.since_ns and (self.stdout if line.stream == STDOUT else self.stderr)


async def read_logs(
    path: StrPath, wishes: LogWishes, ended: asyncio.Event, decoder: EntryDecoder | None = None
) -> AsyncGenerator[list[LogLine], None]:
    """The lines of the log at *path*, oldest first, as many at once as are there; one that is not there yet is empty.

    Following ends when *ended* is set and everything written before it was set is read, or when the moment
    *until_ns* has passed; close the generator to stop earlier. Rotation, a file emptied in place, cut lines and
    garbage do not end it. *decoder* is for files of another form than json-file's.
    """
    files = LogFiles(os.fsdecode(path), decoder)
    try:
        if wishes.follow:
            batches = _follow(files, Path(os.fsdecode(path)).parent, wishes, ended)
        else:
            batches = _history(files, wishes)
        async with aclosing(batches):
            async for batch in batches:
                early = _early(batch, wishes.until_ns)
                wanted = early if wishes.wants_all else [line for line in early if wishes.wants(line)]
                if wanted:
                    yield wanted
                if len(early) < len(batch):
                    return
    finally:
        files.close()


def _early(batch: list[LogLine], until_ns: int) -> list[LogLine]:
    """The lines before the first one that is too late."""
    if until_ns:
        for number, line in enumerate(batch):
            if line.time_ns > until_ns:
                return batch[:number]
    return batch


async def _history(files: LogFiles, wishes: LogWishes) -> AsyncGenerator[list[LogLine], None]:
    await in_thread(files.open, wishes.tail, bounded=True)
    while (batch := await in_thread(files.read)) is not None:
        yield batch


async def _follow(
    files: LogFiles, folder: Path, wishes: LogWishes, ended: asyncio.Event
) -> AsyncGenerator[list[LogLine], None]:
    tasks = Tasks()
    async with FolderWatch(folder) as watch:
        try:
            _ = tasks.start(_relay(ended, watch.event), name="end of a followed log")
            if wishes.until_ns:
                _ = tasks.start(_ring(wishes.until_ns, watch.event), name="time limit of a followed log")
            await in_thread(files.open, wishes.tail, bounded=False)
            caught_up = False
            while True:
                watch.event.clear()
                last = ended.is_set() or (wishes.until_ns and time.time_ns() > wishes.until_ns)
                batch = files.read() if caught_up else await in_thread(files.read)
                if batch is not None:
                    yield batch
                    await asyncio.sleep(0)  # a fast log must not keep the loop to itself
                    continue
                if last:
                    return
                caught_up = True  # from here on little comes at once, and it lies in memory: no thread is worth it
                await watch.event.wait()
        finally:
            await tasks.close()


async def _relay(ended: asyncio.Event, wake: asyncio.Event) -> None:
    await ended.wait()
    wake.set()


async def _ring(until_ns: int, wake: asyncio.Event) -> None:
    await asyncio.sleep(max(0, until_ns - time.time_ns()) / _NS + 0.001)
    wake.set()
