"""Clients that attached before the start: their sockets are held until the shim can take them.

A client that vanishes meanwhile must not leave its socket behind. Nothing may be read here, for the bytes belong to
the container; so each socket waits in an epoll(7) of its own kind, which reports nothing but EPOLLHUP and EPOLLERR: a
mere half-close, as clients without input do at once, is neither.
"""

import asyncio
import select
import socket
from collections.abc import Callable

from havre.runtime.bundle import AttachWishes

Held = tuple[socket.socket, AttachWishes]


class HeldClients:
    """All sockets that wait, by container."""

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._held: dict[str, list[Held]] = {}
        self._owners: dict[int, str] = {}

    def hold(self, identifier: str, connection: socket.socket, wishes: AttachWishes) -> None:
        """Keep *connection* for the start of the container *identifier*."""
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._look)
        self._held.setdefault(identifier, []).append((connection, wishes))
        self._owners[connection.fileno()] = identifier
        self._epoll.register(connection.fileno(), 0)

    def take(self, identifier: str) -> list[Held]:
        """The sockets of one container, in the order they came; they are the caller's now."""
        taken = self._held.pop(identifier, [])
        for connection, _ in taken:
            self._forget(connection)
        return taken

    def drop(self, identifier: str) -> None:
        """Close the sockets of one container."""
        for connection, _ in self.take(identifier):
            connection.close()

    def close(self) -> None:
        """Close everything."""
        for identifier in list(self._held):
            self.drop(identifier)
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _forget(self, connection: socket.socket) -> None:
        self._owners.pop(connection.fileno(), None)
        if self._epoll is not None:
            self._epoll.unregister(connection.fileno())

    def _look(self) -> None:
        if self._epoll is None:
            return
        for descriptor, _ in self._epoll.poll(0):
            identifier = self._owners.get(descriptor, "")
            gone = [one for one in self._held.get(identifier, []) if one[0].fileno() == descriptor]
            self._close(identifier, gone)

    def _close(self, identifier: str, gone: list[Held]) -> None:
        for held in gone:
            self._held[identifier].remove(held)
            self._forget(held[0])
            held[0].close()
        if not self._held.get(identifier):
            self._held.pop(identifier, None)


def on_closed(held: list[Held]) -> Callable[[], None]:
    """An undo step that closes sockets nobody took."""

    def close() -> None:
        for connection, _ in held:
            connection.close()

    return close
