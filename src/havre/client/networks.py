"""Networks for Python programs."""

from __future__ import annotations

from collections.abc import Sequence

from havre.client.client import Client
from havre.wire.networks import CreateNetwork, Network, NetworkCreated


class Networks:
    """The networks of one daemon, by name or beginning of an id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> Sequence[Network]:
        """All of them, as the API tells them, without who is on them."""
        return self._client.get("/networks", Sequence[Network])  # type: ignore[type-abstract]  # a hint

    def create(self, name: str, *, internal: bool = False) -> str:
        """Make a bridge network, and give its id. Raises ApiError (409) if the name is taken."""
        made = self._client.post("/networks/create", NetworkCreated, None, CreateNetwork(Name=name, Internal=internal))
        return made.get("Id") or ""

    def inspect(self, ref: str) -> Network:
        """One network with who is on it. Raises ApiError (404)."""
        return self._client.get(f"/networks/{ref}", Network)

    def connect(self, ref: str, container: str, *, aliases: Sequence[str] = ()) -> None:
        """Put a container on a network, under further names if *aliases* are given."""
        wanted = {"Container": container, "EndpointConfig": {"Aliases": [*aliases]}}
        self._client.act("POST", f"/networks/{ref}/connect", None, wanted)

    def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        """Take a container off a network."""
        self._client.act("POST", f"/networks/{ref}/disconnect", None, {"Container": container, "Force": force})

    def remove(self, ref: str) -> None:
        """Remove a network. Raises ApiError (403) while a container is on it."""
        self._client.act("DELETE", f"/networks/{ref}")
