"""A shim's life: forked by the launcher, a keeper that forks workers, each of which serves while something happens."""

import os
from _signal import SIG_DFL, SIGCHLD, signal  # type: ignore[import-not-found]  # the wrappers around it use enums: see keeper
from _socket import socket

from msgspec.structs import replace

from havre.kernel.channel import Channel
from havre.kernel.process import set_parent_death_signal, set_subreaper
from havre.runtime.messages import decode_memory, encode
from havre.runtime.shim.container import Container, Tools, prepared
from havre.runtime.shim.keeper import Held, Keeper, keep
from havre.runtime.shim.loop import Loop
from havre.runtime.shim.rehearsal import rehearse
from havre.runtime.shim.server import Server

_SIGKILL = 9
_QUIET_S = 0.5
_SPARE, _WORKER = b"havre-spare", b"havre-worker"


def serve(fd: int, tools: Tools, *, ahead: bool) -> None:
    """Launch what the first message on the channel *fd* says, and stay until it is over.

    With *ahead* there is time to prepare: no launch is under way.
    """
    os.setsid()
    signal(SIGCHLD, SIG_DFL)
    _set_name(b"havre-shim")
    keep(lambda keeper, held: _Worker(tools, keeper, ahead=ahead).run(held), fd)


class _Worker:
    """Serves until the container is over, or nothing has happened for a while and nothing is under way."""

    def __init__(self, tools: Tools, keeper: Keeper, *, ahead: bool) -> None:
        self._ahead = ahead
        self._tools = tools
        self._keeper = keeper
        self._loop = Loop()
        self._container = Container(tools, self._loop, keeper.reap)
        self._server = Server(self._container, self._loop)
        self._timer = 0
        self._container.on_over = self._over
        self._loop.watch(keeper.fileno(), 0, self._orphaned)
        self._loop.settled = self._settled

    def run(self, held: Held) -> None:
        """From the first event to quiet."""
        set_subreaper()
        if not held.memory:
            self._await_launch(held.fds[0])
        else:
            memory = decode_memory(held.memory)
            fds = dict(zip(memory.roles, held.fds, strict=True))
            self._container.resume(memory, fds)
            self._server.resume(fds)
        self._loop.run()

    def _await_launch(self, fd: int) -> None:
        """Havred's channel is there; with *ahead* it may never have a use for it."""
        if self._ahead:
            _set_name(_SPARE)
            set_parent_death_signal(_SIGKILL)  # without its keeper it is of no use
            self._container.cradle = prepared(self._tools, self._keeper.reap)
            self._container.on_launch = self._taken
            rehearse(self._loop)
        else:
            _set_name(_WORKER)
        self._server.add(Channel(socket(fileno=fd)))

    def _taken(self) -> None:
        _set_name(_WORKER)
        set_parent_death_signal(0)

    def _settled(self) -> None:
        self._loop.cancel(self._timer)
        if self._container.quiet:
            self._timer = self._loop.after(_QUIET_S, self._hand_over)

    def _orphaned(self, _events: int) -> None:
        """The keeper was killed, and how its child ends will be told to nobody: havred takes this for the end."""
        self._loop.stopped = True

    def _hand_over(self) -> None:
        memory, watched, kept = self._container.remember()
        watched |= self._server.remember()
        roles = [*watched, *kept]
        known = encode(replace(memory, roles=roles))
        self._keeper.hold(Held([*watched.values(), *kept.values()], len(watched), known))
        self._loop.stopped = True

    def _over(self) -> None:
        if self._container.cradle is not None:
            self._container.cradle.bury()  # before the channel is closed: havred waits for that
        self._server.close()
        self._keeper.end()
        self._loop.stopped = True


def _set_name(name: bytes) -> None:
    """What `ps -o comm` shows; through /proc, since a foreign call dirties pages that the keeper would keep."""
    handle = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    os.write(handle, name)
    os.close(handle)
