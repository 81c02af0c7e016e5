"""Connections to one engine, lent to one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from havre.client.client import Client
from havre.compose.body.versions import ApiVersion, parse_version


class Clients:
    """Makes connections as they are needed and keeps them for the next."""

    def __init__(self, first: Client) -> None:
        self._first = first
        self._idle: list[Client] = []
        self._lock = threading.Lock()

    @property
    def main(self) -> Client:
        """The connection of the thread that made this."""
        return self._first

    @property
    def socket(self) -> str:
        """The path of the engine's socket; empty when it is none of this machine."""
        address = self._first.address
        return address.host or "/run/havre.sock" if address.scheme == "unix" else ""

    def version(self) -> ApiVersion:
        """The version of the API that both sides speak; asked once."""
        self._first.act("GET", "/_ping")
        return parse_version(self._first.version)

    @contextmanager
    def lent(self) -> Iterator[Client]:
        """A connection for the length of a `with`; one that broke is not used again."""
        with self._lock:
            client = self._idle.pop() if self._idle else self._first.another()
        try:
            yield client
        except BaseException:
            client.close()
            raise
        with self._lock:
            self._idle.append(client)

    def close(self) -> None:
        """Close all that are idle."""
        with self._lock:
            for client in self._idle:
                client.close()
            self._idle.clear()
