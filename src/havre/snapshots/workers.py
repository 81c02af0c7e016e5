"""Large layers are unpacked by processes of their own: the interpreter of this one would run one after the other.

They start when there is work, one a processor at most, and end once there has been none for a while. A layer that is
small, or comes when all are busy, is unpacked here.
"""

import fcntl
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

import msgspec

from havre.base.errors import Unavailable
from havre.content.reader import Readable
from havre.kernel.channel import Channel, ChannelClosed
from havre.snapshots.compression import Decompressed
from havre.snapshots.contract import ParentMissing
from havre.snapshots.layer import Applied, apply_layer
from havre.snapshots.worker import ERRORS, Below, Failed, Found, Job, decode_answer

Parent = Callable[[], int] | None
_SMALL_BYTES: Final = 2 << 20
_PIPE_BYTES: Final = 1 << 20
_REST_S: Final = 2.0
_CODE: Final = "import sys;sys.path[:]={paths!r};from havre.snapshots.worker import main;main()"


class Workers:
    """The processes of one owner; calls block and may come from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy = 0
        self._limit = max(2, os.cpu_count() or 1)
        self._rest: threading.Timer | None = None

    def apply(self, stream: Readable, tree: int, below: Parent) -> Applied:
        """As `apply_layer`, but *stream* may be compressed. Raises Unavailable when a worker was killed."""
        head = _Head(stream)
        if head.is_all:
            return apply_layer(Decompressed(head), tree, below)
        while (worker := self._take()) is not None:
            try:
                feed = worker.begin(tree, stands=below is not None)
            except ChannelClosed:  # it died while it rested
                self._drop(worker)
                continue
            try:
                applied = worker.work(feed, head, below)
            except BaseException:
                self._drop(worker)
                raise
            self._give_back(worker)
            return applied
        return apply_layer(Decompressed(head), tree, below)

    def close(self) -> None:
        """End those that rest."""
        with self._lock:
            rested, self._idle = self._idle, []
        for worker in rested:
            worker.end()

    def _take(self) -> "_Worker | None":
        with self._lock:
            if self._busy >= self._limit:
                return None
            self._busy += 1
            if self._idle:
                return self._idle.pop()
        try:
            return _Worker()
        except OSError:  # no process or handle to be had: it goes without
            with self._lock:
                self._busy -= 1
            return None

    def _drop(self, worker: "_Worker") -> None:
        with self._lock:
            self._busy -= 1
        worker.end()

    def _give_back(self, worker: "_Worker") -> None:
        with self._lock:
            self._busy -= 1
            self._idle.append(worker)
            if self._rest is not None:
                self._rest.cancel()
            self._rest = threading.Timer(_REST_S, self.close)
            self._rest.daemon = True
            self._rest.start()


class _Head:
    """A stream whose first bytes were looked at: a small one is known to end."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []
        held = 0
        self.is_all = False
        while held < _SMALL_BYTES:
            piece = stream.read(_SMALL_BYTES - held)
            if not piece:
                self.is_all = True
                break
            self._pieces.append(piece)
            held += len(piece)
        self._pieces.reverse()

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        if not self._pieces:
            return b"" if self.is_all else self._stream.read(size)
        piece = self._pieces.pop()
        if len(piece) > size:
            self._pieces.append(piece[size:])
        return piece[:size]


class _Worker:
    """One process, and the channel to it."""

    def __init__(self) -> None:
        self._channel, theirs = Channel.pair()
        code = _CODE.format(paths=[path for path in sys.path if path])
        options = ["-I", "-S", "-X", "utf8", "-c", code]
        try:
            actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)]
            self.pid = os.posix_spawn(
                sys.executable, [sys.executable, *options], {}, file_actions=actions, setsid=True, setsigmask=()
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()

    def begin(self, tree: int, *, stands: bool) -> int:
        """Send a job; gives where its stream is to be written. Raises ChannelClosed."""
        stream, feed = os.pipe2(os.O_CLOEXEC)
        try:
            with suppress(OSError):  # beyond what pipes of this user may hold
                fcntl.fcntl(feed, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            os.set_blocking(feed, False)
            self._channel.send(msgspec.json.encode(Job(stands)), [tree, stream])
        except BaseException:
            os.close(feed)
            raise
        finally:
            os.close(stream)
        return feed

    def work(self, feed: int, stream: Readable, below: Parent) -> Applied:
        """Feed the job to its end, and give what came of it."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(feed, select.POLLOUT)
        left = memoryview(stream.read(_PIPE_BYTES))
        try:
            while True:
                ready = {handle for handle, _ in poll.poll()}
                if self._channel.fileno() in ready and (applied := self._hear(below)) is not None:
                    return applied
                if feed in ready:
                    left = _poured(feed, left, stream)
                    if not left:
                        poll.unregister(feed)
                        os.close(feed)
                        feed = -1
        finally:
            if feed >= 0:
                os.close(feed)

    def end(self) -> None:
        """Close the channel, which ends a process that rests; one that works is killed."""
        self._channel.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)

    def _hear(self, below: Parent) -> Applied | None:
        try:
            answer = decode_answer(self._channel.receive()[0])
            if isinstance(answer, Below):
                self._answer(below)
                return None
        except ChannelClosed:
            raise Unavailable("the process that unpacked the layer was killed") from None
        if isinstance(answer, Failed):
            _raise(answer)
        return answer.applied

    def _answer(self, below: Parent) -> None:
        if below is None:
            raise AssertionError("a layer on nothing asks for nothing")
        try:
            handle = below()
        except ParentMissing as missing:
            self._channel.send(msgspec.json.encode(Found(missing.message)))
            return
        self._channel.send(msgspec.json.encode(Found()), [handle])


def _poured(feed: int, data: memoryview, stream: Readable) -> memoryview:
    """What is to be written next, after *data* and then of *stream*; nothing at the end, or when nobody reads."""
    try:
        count = os.write(feed, data)
    except BlockingIOError:
        return data
    except BrokenPipeError:  # the channel tells why
        return memoryview(b"")
    return data[count:] or memoryview(stream.read(_PIPE_BYTES))


def _raise(failed: Failed) -> NoReturn:
    if failed.number:
        raise OSError(failed.number, failed.why)
    if failed.error == "MemoryError":
        raise MemoryError(failed.why)
    raise ERRORS[failed.error](failed.why)
