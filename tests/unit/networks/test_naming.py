from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from havre.networks.dns.server import Desk
from havre.networks.inside import Doors
from havre.networks.model import Attachment, Endpoint, Network
from havre.networks.naming import Naming

_NETWORKS = {name: Network(name, name, "bridge", 1) for name in ("bridge", "red", "blue")}


class _Servers:
    """Notes who is served from which desk."""

    def __init__(self) -> None:
        self.desks: dict[str, Desk] = {}

    def change(self, sandbox_id: str, desk: Desk) -> None:
        self.desks[sandbox_id] = desk

    def serve(self, sandbox_id: str, _datagrams: object, _streams: object, desk: Desk) -> None:
        self.desks[sandbox_id] = desk

    def stop(self, sandbox_id: str) -> None:
        del self.desks[sandbox_id]


@pytest.fixture
def servers() -> _Servers:
    return _Servers()


@pytest.fixture
def naming(servers: _Servers) -> Naming:
    return Naming(_NETWORKS.__getitem__, servers)  # type: ignore[arg-type]


def _endpoint(network: str, last: int, *names: str, links: tuple[tuple[str, str], ...] = ()) -> Endpoint:
    address = f"10.0.0.{last}"
    return Endpoint(
        network, network, endpoint_id=f"{network}{last}", ip_address=address, gateway="1", names=names, links=links
    )


def _serve(naming: Naming, *endpoints: Endpoint) -> None:
    naming.serve(Attachment("s", endpoints=endpoints, servers=("9.9.9.9",)), Doors(None, None, lambda: None))  # type: ignore[arg-type]


def test_a_sandbox_sees_the_networks_it_is_on(naming: Naming, servers: _Servers) -> None:
    for endpoint in (_endpoint("red", 1, "web"), _endpoint("blue", 2, "db"), _endpoint("bridge", 3, "old")):
        naming.put(endpoint)
    mine = _endpoint("red", 4, "me")
    assert naming.serves([mine])
    assert not naming.serves([_endpoint("bridge", 5)])
    _serve(naming, mine)
    view = servers.desks["s"].view
    assert view.find("web") == view.find("web.red") == (IPv4Address("10.0.0.1"),)
    assert view.find("db") is view.find("old") is None
    assert view.find_pointer(IPv4Address("10.0.0.1")) == "web.red"
    assert [each.address for each in servers.desks["s"].upstreams] == ["9.9.9.9"]
    naming.change(Attachment("s", endpoints=(mine, _endpoint("blue", 5, "me"))))
    assert servers.desks["s"].view.find("db") == (IPv4Address("10.0.0.2"),)
    naming.drop(_endpoint("red", 1))
    assert servers.desks["s"].view.find("web") is None
    naming.stop("s")
    naming.stop("s")
    assert servers.desks == {}
    assert not naming.is_serving("s")


def test_links_are_names_of_ones_own(naming: Naming, servers: _Servers) -> None:
    naming.put(_endpoint("red", 1, "postgres-1"))
    _serve(naming, _endpoint("red", 2, "web", links=(("DB", "Postgres-1"),)))
    view = servers.desks["s"].view
    assert view.find("db") == (IPv4Address("10.0.0.1"),)
    naming.drop(_endpoint("red", 1))
    assert view.find("db") is None
    naming.put(_endpoint("red", 7, "postgres-1"))
    assert view.find("db") == (IPv4Address("10.0.0.7"),), "whoever has the name then"


def test_without_a_way_to_the_world_nothing_is_asked_elsewhere(naming: Naming, servers: _Servers) -> None:
    inner = Endpoint("red", "red", endpoint_id="e", ip_address="10.0.0.9", internal=True)
    _serve(naming, inner)
    assert not servers.desks["s"].view.forwards
    naming.change(Attachment("s", endpoints=(inner, _endpoint("blue", 2))))
    assert servers.desks["s"].view.forwards
