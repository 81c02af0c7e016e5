"""Volumes for Python programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from havre.client.client import Client
from havre.wire.volumes import CreateVolume, Volume, VolumeList


class Volumes:
    """The volumes of one daemon, by name."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> Sequence[Volume]:
        """All of them, as the API tells them."""
        return self._client.get("/volumes", VolumeList).get("Volumes") or []

    def create(self, name: str = "", *, options: Mapping[str, str] | None = None) -> Volume:
        """Make a volume, one with a name of its own if *name* is empty; one that is there already is no error."""
        wanted = CreateVolume(Name=name, DriverOpts=dict(options or {}))
        return self._client.post("/volumes/create", Volume, None, wanted)

    def inspect(self, name: str) -> Volume:
        """Everything the daemon knows of one volume. Raises ApiError (404)."""
        return self._client.get(f"/volumes/{name}", Volume)

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume with its files. Raises ApiError (409) while a container uses it."""
        self._client.act("DELETE", f"/volumes/{name}", {"force": force})
