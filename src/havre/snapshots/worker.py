"""The process that unpacks layers for another one: it takes jobs from its standard input, a channel, until that ends.

A job is `Job` with handles on an empty folder and on a stream; the answer is `Done` or `Failed`, and before it may
come `Below`, which is answered by `Found` with a handle or without one. Only the folder is written to.
"""

import os
import socket
import traceback
from typing import Final

import msgspec

from havre.base.errors import HavreError, InvalidInput, ResourceExhausted
from havre.content.reader import FileReader
from havre.kernel.channel import Channel, ChannelClosed
from havre.snapshots.budget import BadArchive, TooLarge
from havre.snapshots.compression import Decompressed
from havre.snapshots.contract import ParentMissing
from havre.snapshots.layer import Applied, apply_layer


class Job(msgspec.Struct, frozen=True, tag=True):
    """Unpack a layer; whether it stands on another one."""

    stands: bool


class Found(msgspec.Struct, frozen=True, tag=True):
    """The tree below comes as a handle, or, without one, *why* it does not."""

    why: str = ""


class Below(msgspec.Struct, frozen=True, tag=True):
    """The tree below is needed."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """What came of it."""

    applied: Applied


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why nothing came of it: the name of an error of `ERRORS`, or the number of one of the kernel's."""

    error: str
    why: str
    number: int = 0


ERRORS: Final = {kind.__name__: kind for kind in (BadArchive, InvalidInput, ParentMissing, ResourceExhausted, TooLarge)}
Answer = Below | Done | Failed
_ANSWERS: Final = msgspec.json.Decoder(Answer)


def decode_answer(data: bytes) -> Answer:
    """What a worker said."""
    answer: Answer = _ANSWERS.decode(data)
    return answer


def serve(channel: Channel) -> None:
    """Do jobs, one after the other, until the other end closes."""
    while True:
        try:
            data, (tree, stream) = channel.receive()
        except ChannelClosed:
            return
        try:
            answer = _do(msgspec.json.decode(data, type=Job), channel, tree, stream)
        finally:
            os.close(tree)
            os.close(stream)
        channel.send(msgspec.json.encode(answer))


class _Parent:
    """The tree below, asked for once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.handle = -1

    def __call__(self) -> int:
        if self.handle < 0:
            self._channel.send(msgspec.json.encode(Below()))
            data, handles = self._channel.receive()
            if not handles:
                raise ParentMissing(msgspec.json.decode(data, type=Found).why)
            (self.handle,) = handles
        return self.handle


def _do(job: Job, channel: Channel, tree: int, stream: int) -> Done | Failed:
    parent = _Parent(channel)
    try:
        return Done(apply_layer(Decompressed(FileReader(stream)), tree, parent if job.stands else None))
    except HavreError as error:
        return Failed(type(error).__name__, error.message)
    except OSError as error:
        return Failed("OSError", os.strerror(error.errno or 0), error.errno or 0)
    except MemoryError:
        return Failed("MemoryError", "out of memory")
    finally:
        if parent.handle >= 0:
            os.close(parent.handle)


def main() -> None:
    """The process."""
    try:
        serve(Channel(socket.socket(fileno=0)))
    except ChannelClosed:  # whoever wanted this is gone
        return
    except BaseException:
        traceback.print_exc()
        raise
