"""The face of the library: one host that runs containers, with its nouns."""

from __future__ import annotations

from typing import Self

from havre.client.client import Client
from havre.client.containers import Containers
from havre.client.images import Images
from havre.client.networks import Networks
from havre.client.volumes import Volumes
from havre.wire.system import Info, Version


class Host:
    """A host, by the daemon that answers for it; closed by `close` or at the end of a `with`.

    Calls block. One thread at a time may use a host; `another` gives a further thread its own.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.containers = Containers(client)
        self.images = Images(client)
        self.volumes = Volumes(client)
        self.networks = Networks(client)

    def version(self) -> Version:
        """What the daemon is."""
        return self._client.get("/version", Version)

    def info(self) -> Info:
        """What the daemon tells of its host."""
        return self._client.get("/info", Info)

    def another(self) -> Host:
        """The same host over a connection of its own."""
        return Host(self._client.another())

    def close(self) -> None:
        """Give the connection back; containers go on."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(address: str = "") -> Host:
    """The host at *address* (`unix://…`, `tcp://…`, `ssh://…`), else at HAVRE_HOST or DOCKER_HOST, else this machine.

    On this machine a daemon is started when none runs and the program is root's. Any engine with Docker's API will do.
    """
    return Host(Client.at(address))
