"""A shim's life: forked by the launcher, a keeper that forks workers, each of which serves while something happens."""

import os
import socket
from _signal import SIG_DFL, SIGCHLD, signal  # type: ignore[import-not-found]  # the wrappers around it use enums: see keeper

from msgspec.structs import replace

from havre.kernel.channel import Channel
from havre.kernel.process import set_subreaper
from havre.runtime.messages import decode_memory, encode
from havre.runtime.shim.container import Container, Tools
from havre.runtime.shim.keeper import Held, Keeper, keep
from havre.runtime.shim.loop import Loop
from havre.runtime.shim.server import Server

_QUIET_S = 0.5


def serve(fd: int, tools: Tools) -> None:
    """Launch what the first message on the channel *fd* says, and stay until it is over."""
    os.setsid()
    signal(SIGCHLD, SIG_DFL)
    keep(lambda keeper, held: _Worker(tools, keeper).run(held), Held([fd], 1, b""))


class _Worker:
    """Serves until the container is over, or nothing has happened for a while and nothing is under way."""

    def __init__(self, tools: Tools, keeper: Keeper) -> None:
        self._keeper = keeper
        self._loop = Loop()
        self._container = Container(tools, self._loop, keeper.reap)
        self._server = Server(self._container, self._loop)
        self._timer = 0
        self._container.on_over = self._over
        self._loop.settled = self._settled

    def run(self, held: Held) -> None:
        """From the first event to quiet."""
        set_subreaper()
        if held.memory:
            memory = decode_memory(held.memory)
            fds = dict(zip(memory.roles, held.fds, strict=True))
            self._container.resume(memory, fds)
            self._server.resume(fds)
        else:
            self._server.add(Channel(socket.socket(fileno=held.fds[0])))
        self._loop.run()

    def _settled(self) -> None:
        self._loop.cancel(self._timer)
        if self._container.quiet:
            self._timer = self._loop.after(_QUIET_S, self._hand_over)

    def _hand_over(self) -> None:
        memory, watched, kept = self._container.remember()
        watched |= self._server.remember()
        roles = [*watched, *kept]
        known = encode(replace(memory, roles=roles))
        self._keeper.hold(Held([*watched.values(), *kept.values()], len(watched), known))
        self._loop.stopped = True

    def _over(self) -> None:
        self._server.close()
        self._keeper.end()
        self._loop.stopped = True
