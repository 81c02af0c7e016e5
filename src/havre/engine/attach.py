"""The streams of a container for a client, and what it said before."""

import socket
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Protocol

from havre.base.errors import Conflict, HavreError, InvalidInput, NotSupported
from havre.engine.clients import Held
from havre.engine.lifecycle import State
from havre.engine.log_settings import readable
from havre.engine.log_target import decoder_of, kept_at
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.seams import Shim
from havre.logs.entries import LogLine
from havre.logs.follow import LogWishes, read_logs
from havre.runtime.bundle import AttachWishes

DEFAULT_KEYS = b"\x10\x11"  # ctrl-p ctrl-q
_CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}
_MAX_KEYS = 16


class AttachAsked(Protocol):
    """What a client wants: with *logs* what was said before, with *stream* what comes."""

    @property
    def stream(self) -> bool:
        """Whether to join."""

    @property
    def logs(self) -> bool:
        """Whether to begin with the log."""

    @property
    def stdin(self) -> bool:
        """Whether the client types."""

    @property
    def stdout(self) -> bool:
        """Whether it reads the output."""

    @property
    def stderr(self) -> bool:
        """Whether it reads the errors."""

    @property
    def detach_keys(self) -> str:
        """What ends the attachment; empty for the usual."""

    @property
    def mixed(self) -> bool:
        """Whether it reads all output as one stream, without frames."""


@dataclass(frozen=True, slots=True)
class LogStream:
    """The log of one container; of a terminal there is one stream only."""

    tty: bool
    batches: AsyncIterator[list[LogLine]]


class Attachable:
    """A container whose streams can be joined, once."""

    def __init__(self, parts: Parts, container: Container, asked: AttachAsked) -> None:
        self._parts = parts
        self._container = container
        self._asked = asked
        self._keys = parse_detach_keys(asked.detach_keys)

    @property
    def tty(self) -> bool:
        """Whether it writes to a terminal."""
        return self._container.record.config.tty

    @property
    def logs(self) -> AsyncIterator[list[LogLine]] | None:
        """What it said before, when that was asked for and is kept.

        One that never ran has said nothing, and to look for it would give its start the time to say and end all.
        """
        container = self._container
        never_ran = not container.record.started_ns and not container.lock.locked()
        if never_ran or not self._asked.logs or not readable(container.record.host.log_config):
            return None
        wishes = LogWishes(stdout=self._asked.stdout, stderr=self._asked.stderr)
        return _read(self._parts, container, wishes)

    async def connect(self, connection: socket.socket, early: bytes) -> None:
        """Join the streams with *connection*, and own it; of a container that does not run yet, at its start."""
        container = self._container
        if container.gone:
            connection.close()
            return
        wishes = self._wishes(early)
        self._parts.tell(container, "attach")
        if container.shim is None:
            self._parts.clients.hold(container.id, connection, wishes)
            return
        serve(self._parts, container, container.shim, (connection, wishes))

    def _wishes(self, early: bytes) -> AttachWishes:
        config = self._container.record.config
        return AttachWishes(
            stdin=self._asked.stdin and config.open_stdin,
            stdout=self._asked.stdout,
            stderr=self._asked.stderr,
            framed=not (config.tty or self._asked.mixed),
            detach_keys=self._keys if config.tty else b"",
            early=early,
        )


def serve(parts: Parts, container: Container, shim: Shim, client: Held) -> None:
    """Join a client with a container that runs."""
    connection, wishes = client
    _ = parts.tasks.start(_serve(parts, container, shim, connection, wishes), name=f"client of {container.id[:12]}")


async def _serve(
    parts: Parts, container: Container, shim: Shim, connection: socket.socket, wishes: AttachWishes
) -> None:
    await _until_detached(parts, container, shim.attach(connection, wishes), connection)


def accompany(parts: Parts, container: Container, shim: Shim, clients: list[Held]) -> None:
    """Stay with clients that the shim got at its launch: our descriptors close when their streams end."""
    for (connection, _), over in zip(clients, shim.attachments, strict=True):
        _ = parts.tasks.start(
            _until_detached(parts, container, over, connection), name=f"client of {container.id[:12]}"
        )


async def _until_detached(parts: Parts, container: Container, over: Awaitable[bool], connection: socket.socket) -> None:
    try:
        by_keys = await over
    except HavreError:
        return  # it ended meanwhile: closing the socket tells the client
    finally:
        connection.close()
    if by_keys:
        parts.tell(container, "detach")


def attach(parts: Parts, ref: str, asked: AttachAsked) -> Attachable:
    """The streams of *ref*. Raises NotFound, Conflict, InvalidInput."""
    container = parts.roster.get(ref)
    if container.record.state is State.PAUSED:
        raise Conflict(f"container {ref} is paused, unpause the container before attach")
    if container.record.state is State.RESTARTING:
        raise Conflict(f"container {ref} is restarting, wait until the container is running before attach")
    return Attachable(parts, container, asked)


def logs(parts: Parts, ref: str, wishes: LogWishes) -> LogStream:
    """What *ref* said, and says. Raises NotFound, NotSupported where nothing is kept."""
    container = parts.roster.get(ref)
    if not readable(container.record.host.log_config):
        raise NotSupported("configured logging driver does not support reading")
    return LogStream(container.record.config.tty, _read(parts, container, wishes))


def _read(parts: Parts, container: Container, wishes: LogWishes) -> AsyncIterator[list[LogLine]]:
    settings = container.record.host.log_config
    path = kept_at(settings, str(parts.folders.log(container.id)))
    path.parent.mkdir(0o710, exist_ok=True)  # one that waits for the first line watches the folder
    return read_logs(path, wishes, container.stopped, decoder_of(settings))


def parse_detach_keys(text: str, what: str = "detach") -> bytes:
    """The bytes of `ctrl-p,ctrl-q` and the like; empty means those. Raises InvalidInput naming *what*."""
    if not text:
        return DEFAULT_KEYS
    keys = bytearray()
    for word in text.split(","):
        code = _key(word)
        if code is None or len(keys) == _MAX_KEYS:
            raise InvalidInput(f"Invalid {what} keys ({text[:64]}) provided")
        keys.append(code)
    return bytes(keys)


def _key(word: str) -> int | None:
    if len(word) == 1 and word.isascii():
        return ord(word)
    letter = word.removeprefix("ctrl-")
    if letter == word or len(letter) != 1:
        return None
    if "a" <= letter <= "z":
        return ord(letter) - ord("a") + 1
    return _CONTROL.get(letter)


class Streams:
    """Attaching and reading logs: what the API calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def attach(self, ref: str, asked: AttachAsked) -> Attachable:
        """The streams of *ref*, to be joined with a connection."""
        return attach(self._parts, ref, asked)

    async def logs(self, ref: str, wishes: LogWishes) -> LogStream:
        """What *ref* said, and says."""
        return logs(self._parts, ref, wishes)
