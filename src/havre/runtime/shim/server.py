"""What a shim hears from havred and tells it: over the socket of the launch, and over its own for later ones."""

import os
import socket
from collections.abc import Callable, Sequence

import msgspec

from havre.base.errors import Conflict, HavreError, InvalidInput, NotFound, NotSupported
from havre.kernel.channel import Channel, ChannelClosed
from havre.runtime.bundle import AttachWishes, Exit
from havre.runtime.errors import StartFailed
from havre.runtime.messages import (
    Attach,
    Detached,
    Done,
    ExecExited,
    ExecStarted,
    Execute,
    Exited,
    Freeze,
    FromShim,
    Hello,
    Launch,
    ListPids,
    NotStarted,
    Pids,
    Refused,
    Resize,
    Signal,
    Started,
    State,
    Update,
    decode_to_shim,
    encode,
)
from havre.runtime.shim.container import Container, join
from havre.runtime.shim.loop import IN, Loop
from havre.runtime.shim.streams import Streams

_KINDS = ((NotFound, "not found"), (Conflict, "conflict"), (InvalidInput, "invalid"), (NotSupported, "not supported"))
_LISTENING, _PEER = "listening", "peer"


class Server:
    """Any number of havreds, of which one lives at a time. None is ever waited for: who does not read is let go."""

    def __init__(self, container: Container, loop: Loop) -> None:
        self._container = container
        self._loop = loop
        self._peers: list[Channel] = []
        self._listening: socket.socket | None = None
        container.on_exit = self._exited
        container.on_exec_exit = self._exec_exited
        container.on_listening = self.listen

    def add(self, channel: Channel) -> None:
        """Serve *channel*."""
        channel.socket.setblocking(False)
        self._peers.append(channel)
        self._loop.watch(channel.fileno(), IN, lambda _events: self._heard(channel))

    def listen(self, fd: int) -> None:
        """Serve whoever connects to the listening socket *fd*."""
        listening = socket.socket(fileno=fd)
        listening.setblocking(False)
        self._listening = listening
        self._loop.watch(listening.fileno(), IN, self._accept)

    def remember(self) -> "dict[str, int]":
        """The descriptors for another worker's `resume`."""
        fds = {f"{_PEER}{number}": channel.fileno() for number, channel in enumerate(self._peers)}
        if self._listening is not None:
            fds[_LISTENING] = self._listening.fileno()
        return fds

    def resume(self, fds: "dict[str, int]") -> None:
        """Go on with the descriptors of an earlier worker."""
        for name, fd in fds.items():
            if name == _LISTENING:
                self.listen(fd)
            elif name.startswith(_PEER):
                self.add(Channel(socket.socket(fileno=fd)))

    def close(self) -> None:
        """Let everybody go."""
        if self._listening is not None:
            self._loop.forget(self._listening.fileno())
            self._listening.close()
            self._listening = None
        for channel in list(self._peers):
            self._drop(channel)

    def _accept(self, _events: int) -> None:
        if self._listening is not None:
            connection, _ = self._listening.accept()
            self.add(Channel(connection))

    def _heard(self, channel: Channel) -> None:
        try:
            data, fds = channel.receive()
        except BlockingIOError:
            return
        except (ChannelClosed, ValueError, OSError):
            self._drop(channel)
            return
        fds.reverse()
        try:
            self._serve(channel, decode_to_shim(data), fds)
        except msgspec.MsgspecError:
            self._drop(channel)
        finally:
            for fd in fds:
                os.close(fd)

    def _serve(self, channel: Channel, message: object, fds: "list[int]") -> None:
        seq = getattr(message, "seq", 0)
        try:
            answer = self._answer(channel, message, fds)
        except (HavreError, OSError) as error:
            kind = next((word for cls, word in _KINDS if isinstance(error, cls)), "failed")
            if isinstance(error, ProcessLookupError):
                kind = "not found"
            answer = Refused(seq, kind, str(error))
        if answer is not None:
            self._send(channel, answer)

    def _answer(self, channel: Channel, message: object, fds: "list[int]") -> FromShim | None:
        container = self._container
        match message:
            case Launch():
                self._launch(channel, message, fds)
                return None
            case Attach(seq, wishes, exec_id):
                container.attach(fds.pop(), wishes, exec_id, self._teller(channel, seq))
            case Execute():
                self._execute(channel, message, fds)
                return None
            case Hello(seq):
                pid, started, execs = container.pid, container.started_ns, container.execs()
                return State(seq, pid, started, execs, container.exit, container.frozen)
            case ListPids(seq):
                return Pids(seq, container.pids())
            case Resize(seq, height, width, exec_id):
                container.resize(height, width, exec_id)
            case Signal(seq, number, whole):
                container.signal(number, whole=whole)
            case Freeze(seq, frozen):
                container.freeze(frozen=frozen)
            case Update(seq, resources):
                container.update(resources)
            case _:
                raise InvalidInput(f"no such message: {message!r}")
        return Done(seq)

    def _launch(self, channel: Channel, message: Launch, fds: "list[int]") -> None:
        terminal = message.head.stdio.terminal
        clients = [(wish.seq, wish.wishes, fds.pop()) for wish in message.attachments]

        def attach(streams: Streams) -> None:
            for seq, wishes, fd in clients:
                self._join(streams, channel, seq, _for(wishes, terminal=terminal), fd)

        def told(failure: StartFailed | None, pid: int) -> None:
            if failure is None:
                self._send(channel, Started(pid, self._container.started_ns, self._container.steps))
            else:
                self._send(channel, _not_started(0, failure))

        self._container.launch(message.head, message.bundle, attach, told)

    def _execute(self, channel: Channel, message: Execute, fds: "list[int]") -> None:
        seq, wishes = message.seq, message.wishes

        def attach(streams: Streams) -> None:
            if wishes is not None:  # the descriptor is taken only now: what is refused leaves it to be closed
                self._join(streams, channel, seq, _for(wishes, terminal=message.stdio.terminal), fds.pop())

        def told(failure: StartFailed | None, pid: int) -> None:
            self._send(channel, ExecStarted(seq, pid) if failure is None else _not_started(seq, failure))

        self._container.execute(message, attach, told)

    def _join(self, streams: Streams, channel: Channel, seq: int, wishes: AttachWishes, fd: int) -> None:
        join(streams, fd, wishes, self._loop, self._teller(channel, seq), started=False)

    def _teller(self, channel: Channel, seq: int) -> Callable[[bool], None]:
        def tell(by_keys: bool) -> None:  # noqa: FBT001  a callback's one argument
            self._send(channel, Detached(seq, by_keys))

        return tell

    def _exited(self, exit_: Exit) -> bool:
        heard = [self._send(channel, Exited(exit_)) for channel in list(self._peers)]
        return any(heard)

    def _exec_exited(self, exec_id: str, code: int) -> None:
        heard = [self._send(channel, ExecExited(exec_id, code)) for channel in list(self._peers)]
        self._container.keep_code(exec_id, code, told=any(heard))

    def _send(self, channel: Channel, message: FromShim, fds: Sequence[int] = ()) -> bool:
        if channel not in self._peers:
            return False
        try:
            channel.send(encode(message), fds)
        except (ChannelClosed, OSError):
            self._drop(channel)
            return False
        return True

    def _drop(self, channel: Channel) -> None:
        if channel not in self._peers:
            return
        self._peers.remove(channel)
        if not self._container.launched and self._container.on_over is not None:
            self._container.on_over()  # nobody else knows of this shim
        self._loop.forget(channel.fileno())
        channel.close()


def _for(wishes: AttachWishes, *, terminal: bool) -> AttachWishes:
    """Keys detach from terminals only, as in Docker: a pipe carries any bytes."""
    if terminal or not wishes.detach_keys:
        return wishes
    return AttachWishes(
        stdin=wishes.stdin, stdout=wishes.stdout, stderr=wishes.stderr, framed=wishes.framed, early=wishes.early
    )


def _not_started(seq: int, failure: StartFailed) -> NotStarted:
    return NotStarted(seq, failure.message, failure.exit_code, failure.before_runtime)
