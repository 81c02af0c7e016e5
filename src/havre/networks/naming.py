"""Names: which sandbox has which on which network, and a name server in every sandbox that is on a named one."""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from havre.networks.dns.forward import Upstream
from havre.networks.dns.names import Address, Member, Table, view_of
from havre.networks.dns.server import Desk, NameServers
from havre.networks.inside import Doors
from havre.networks.model import Attachment, Endpoint, Network
from havre.networks.planning import choose_gateways

_SHORT: Final = 12


@dataclass(slots=True)
class Naming:
    """For one thread at a time; the answers are given by a thread of their own.

    *network* gives the record behind an id. A sandbox's own table holds its links: names that it alone has for others.
    """

    network: Callable[[str], Network]
    servers: NameServers = field(default_factory=NameServers)
    _serving: set[str] = field(default_factory=set)
    _tables: dict[str, Table] = field(default_factory=dict)

    def close(self) -> None:
        """Serve nobody any more."""
        self.servers.close()

    def serves(self, endpoints: Iterable[Endpoint]) -> bool:
        """Whether a sandbox with these endpoints has a name server."""
        return any(self.network(each.network_id).named for each in endpoints)

    def is_serving(self, sandbox_id: str) -> bool:
        """Whether a sandbox's name server answers."""
        return sandbox_id in self._serving

    def put(self, endpoint: Endpoint) -> None:
        """Let the names of *endpoint* be known on its network."""
        if self.network(endpoint.network_id).named:
            self._table(endpoint.network_id).put(endpoint.endpoint_id, _member(endpoint))

    def drop(self, endpoint: Endpoint) -> None:
        """Forget them; unknown ones are no error."""
        self._table(endpoint.network_id).drop(endpoint.endpoint_id)

    def forget(self, network_id: str) -> None:
        """Forget a network."""
        self._tables.pop(network_id, None)

    def serve(self, attachment: Attachment, doors: Doors) -> None:
        """Answer at *doors*, which are ours from now on."""
        self._serving.add(attachment.sandbox_id)
        self.servers.serve(attachment.sandbox_id, doors.datagrams, doors.streams, self._desk(attachment))

    def change(self, attachment: Attachment) -> None:
        """Answer a sandbox by the endpoints that it has now."""
        if self.is_serving(attachment.sandbox_id):
            self.servers.change(attachment.sandbox_id, self._desk(attachment))

    def stop(self, sandbox_id: str) -> None:
        """Serve a sandbox no more; an unknown one is no error."""
        if self.is_serving(sandbox_id):
            self._serving.discard(sandbox_id)
            self.servers.stop(sandbox_id)

    def _table(self, network_id: str) -> Table:
        return self._tables.setdefault(network_id, Table())

    def _desk(self, attachment: Attachment) -> Desk:
        ordered = sorted(attachment.endpoints, key=lambda each: (-each.gw_priority, each.network_name))
        named = [each for each in ordered if self.network(each.network_id).named]
        gateways = choose_gateways(attachment.endpoints)
        views = [table for each in named for table in self._seen_by(each)]
        forwards = gateways.v4 is not None or gateways.v6 is not None
        return Desk(view_of(views, forwards=forwards), tuple(Upstream(server) for server in attachment.servers))

    def _seen_by(self, endpoint: Endpoint) -> list[Table]:
        table = self._table(endpoint.network_id)
        return [_Links(table, dict(endpoint.links)), table] if endpoint.links else [table]


class _Links(Table):
    """The names that one sandbox has for others: each stands for the other's own name, whoever has it then."""

    def __init__(self, table: Table, links: dict[str, str]) -> None:
        super().__init__()
        self._others = table
        self._links = {alias.lower(): name.lower() for alias, name in links.items()}

    def find(self, name: str) -> tuple[Address, ...] | None:
        """As a table's."""
        target = self._links.get(name)
        return self._others.find(target) if target is not None else None


def _member(endpoint: Endpoint) -> Member:
    names = [name for name in endpoint.names if name]
    whole = [*names, *(f"{name}.{endpoint.network_name}" for name in names)]
    addresses = [ipaddress.ip_address(text) for text in (endpoint.ip_address, endpoint.ipv6_address) if text]
    first = names[0] if names else endpoint.endpoint_id[:_SHORT]
    return Member(tuple(whole), tuple(addresses), f"{first}.{endpoint.network_name}")
