"""Carries what the kernel cannot lead on to a sandbox, for all published ports in one thread.

That is IPv6 to a sandbox with IPv4 alone, ::1 above all, and everything where no rule may be written.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Final, TypeAlias

_Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
_PIECE: Final = 1 << 16
_CONNECT_S: Final = 10.0
_UDP_IDLE_S: Final = 90.0
_UDP_CLIENTS: Final = 1024


class Relay:
    """One thread with a loop of its own: the API never waits for it. Safe to call from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._doors: dict[socket.socket, _Door] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="port-relay", daemon=True)
        self._thread.start()

    def serve(self, held: socket.socket, protocol: str, address: str, port: int) -> None:
        """Carry what arrives at *held*, which is ours from now on."""
        held.setblocking(False)
        self._loop.call_soon_threadsafe(self._open, held, protocol, (address, port))

    def redirect(self, held: socket.socket, address: str, port: int) -> None:
        """Carry what arrives at *held* from now on there; connections that stand end where they began."""
        self._loop.call_soon_threadsafe(self._turn, held, (address, port))

    def stop(self, held: socket.socket) -> None:
        """Serve *held* no more; it is closed when this returns, and its connections are cut."""
        asyncio.run_coroutine_threadsafe(self._shut(held), self._loop).result()

    def close(self) -> None:
        """End the thread. Closing twice is no error."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._shut_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _open(self, held: socket.socket, protocol: str, target: tuple[str, int]) -> None:
        door: _Door = _Datagrams(self._loop, held, target) if protocol == "udp" else _Door(self._loop, held, target)
        self._doors[held] = door
        if protocol != "sctp":
            self._loop.add_reader(held, door.on_news)

    def _turn(self, held: socket.socket, target: tuple[str, int]) -> None:
        door = self._doors.get(held)
        if door is not None:
            door.turn(target)

    async def _shut(self, held: socket.socket) -> None:
        door = self._doors.pop(held, None)
        self._loop.remove_reader(held)
        if door is not None:
            door.close()
        held.close()

    async def _shut_all(self) -> None:
        for held in list(self._doors):
            await self._shut(held)
        for _ in range(2):  # cancelled tasks end in the next turns
            await asyncio.sleep(0)


class _Door:
    """A listening socket and its connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, held: socket.socket, target: tuple[str, int]) -> None:
        self._loop = loop
        self._held = held
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    def on_news(self) -> None:
        """A client is there."""
        with suppress(OSError):
            client, _ = self._held.accept()
            client.setblocking(False)
            task = self._loop.create_task(self._carry(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def turn(self, target: tuple[str, int]) -> None:
        """Lead new clients there."""
        self._target = target

    def close(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()

    async def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(_family(self._target), socket.SOCK_STREAM) as inner:
            inner.setblocking(False)
            for each in (client, inner):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._loop.sock_connect(inner, self._target), _CONNECT_S)
                await asyncio.gather(self._copy(client, inner), self._copy(inner, client))

    async def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        while piece := await self._loop.sock_recv(source, _PIECE):
            await self._loop.sock_sendall(sink, piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class _Datagrams(_Door):
    """A datagram socket: each client has a socket of its own towards the sandbox, until it is quiet for a while."""

    def __init__(self, loop: asyncio.AbstractEventLoop, held: socket.socket, target: tuple[str, int]) -> None:
        super().__init__(loop, held, target)
        self._inner: dict[_Address, tuple[socket.socket, asyncio.TimerHandle]] = {}

    def on_news(self) -> None:
        with suppress(OSError):
            piece, client = self._held.recvfrom(_PIECE)
            self._towards(client).send(piece)

    def turn(self, target: tuple[str, int]) -> None:
        super().turn(target)
        self.close()

    def close(self) -> None:
        for client in list(self._inner):
            self._forget(client)

    def _towards(self, client: _Address) -> socket.socket:
        known = self._inner.get(client)
        if known is not None:
            known[1].cancel()
            inner = known[0]
        else:
            if len(self._inner) >= _UDP_CLIENTS:
                self._forget(next(iter(self._inner)))
            inner = socket.socket(_family(self._target), socket.SOCK_DGRAM)
            inner.setblocking(False)
            inner.connect(self._target)
            self._loop.add_reader(inner, self._answer, inner, client)
        self._inner[client] = (inner, self._loop.call_later(_UDP_IDLE_S, self._forget, client))
        return inner

    def _answer(self, inner: socket.socket, client: _Address) -> None:
        with suppress(OSError):
            self._held.sendto(inner.recv(_PIECE), client)

    def _forget(self, client: _Address) -> None:
        inner, timer = self._inner.pop(client)
        timer.cancel()
        self._loop.remove_reader(inner)
        inner.close()


def _family(target: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in target[0] else socket.AF_INET
