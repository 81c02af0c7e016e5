"""What the options of a network do to traffic: its own ranges and cards, no gateway at all, and both ways over IPv6."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from havre.networks.creation import NetworkWish, SubnetWish
from havre.networks.model import PortWish
from tests.root.networks.conftest import Join as JoinOne
from tests.root.networks.conftest import Open
from tests.root.networks.world import Place, sh, wish

pytestmark = pytest.mark.root
_BRIDGE = "com.docker.network.bridge."
_ANY = ("0.0.0.0", "::")
_GIVE_UP_S = 0.4


@pytest.fixture
def near6(near: Place) -> Place:
    """The host beside this one, with addresses of both families."""
    sh("ip", "-6", "address", "add", "2001:db8::1/64", "dev", "up-near", "nodad")
    near.sh("ip", "-6", "address", "add", "2001:db8::2/64", "dev", "wire0", "nodad")
    near.sh("ip", "-6", "route", "add", "default", "via", "2001:db8::1")
    return near


def serve6(place: Place, port: int) -> socket.socket:
    server: socket.socket = place.run(lambda: socket.create_server(("::", port), family=socket.AF_INET6))
    place.opened.callback(server.close)
    return server


async def source_at(server: socket.socket, client: Place, address: str, port: int, patience_s: float = 30) -> str:
    """The address with which *client* arrives at *server*; empty when it does not get through."""

    def call() -> str:
        caller: socket.socket = client.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        with caller:
            caller.settimeout(patience_s)
            server.settimeout(patience_s)
            try:
                caller.connect((address, port))
            except OSError:
                return ""
            accepted, sender = server.accept()
            accepted.close()
            return str(sender[0])

    return await asyncio.to_thread(call)


async def test_a_networks_own_ranges_and_cards(open_networks: Open, join: JoinOne, here: Place) -> None:
    networks = await open_networks()
    subnets = (
        SubnetWish("10.81.0.0/16", "10.81.3.0/29", "10.81.9.9", {"printer": "10.81.3.1"}),
        SubnetWish("fd00:81::/64", gateway="fd00:81::99"),
    )
    options = {"com.docker.network.driver.mtu": "1300", f"{_BRIDGE}name": "mine0"}
    await networks.create(NetworkWish("mine", ipv6=True, subnets=subnets, options=options))
    first, one = await join(networks, wish("mine"))
    second, two = await join(networks, wish("mine", mac_address="02:42:00:00:00:77", ip_address="10.81.200.1"))
    third, _ = await join(networks, wish("mine"))
    assert [each.ip_address for each in (first, second, third)] == ["10.81.3.0", "10.81.200.1", "10.81.3.2"]
    assert json.loads(two.sh("ip", "-j", "link", "show", "eth0"))[0]["address"] == "02:42:00:00:00:77"
    assert "default via 10.81.9.9" in one.sh("ip", "route")
    assert "default via fd00:81::99" in one.sh("ip", "-6", "route")
    assert {link["mtu"] for link in json.loads(one.sh("ip", "-j", "link")) if link["ifname"] == "eth0"} == {1300}
    assert [each["mtu"] for each in json.loads(sh("ip", "-j", "link", "show", "mine0"))] == [1300]
    one.serve(80)
    server = serve6(one, 81)
    for client in (two, here):
        assert client.reaches("10.81.3.0", 80)
        assert await source_at(server, client, first.endpoints[0].ipv6_address, 81)


async def test_an_isolated_network_has_no_host_on_it(open_networks: Open, join: JoinOne, here: Place) -> None:
    networks = await open_networks()
    options = {f"{_BRIDGE}gateway_mode_ipv4": "isolated"}
    await networks.create(NetworkWish("mine", internal=True, options=options))
    first, one = await join(networks, wish("mine"))
    _, two = await join(networks, wish("mine"))
    one.serve(80)
    assert two.reaches(first.ip_address, 80)
    assert not here.reaches(first.ip_address, 80)
    assert "default" not in one.sh("ip", "route")


async def test_a_neighbour_finds_the_new_owner_of_an_ipv6_address(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    subnets = (SubnetWish("10.82.0.0/24"), SubnetWish("fd00:82::/64"))
    await networks.create(NetworkWish("mine", ipv6=True, subnets=subnets))
    _, neighbour = await join(networks, wish("mine"))
    for last in (11, 12, 13):
        wishes = wish("mine", ip_address=f"10.82.0.{last}", ipv6_address="fd00:82::9")
        attachment, place = await join(networks, wishes)
        assert await source_at(serve6(place, 81), neighbour, "fd00:82::9", 81, 3)
        await networks.detach(attachment.sandbox_id)


@pytest.mark.parametrize("mode", ["nat", "routed", "nat-unprotected"])
async def test_ports_over_ipv6(open_networks: Open, join: JoinOne, here: Place, near6: Place, mode: str) -> None:
    """As over IPv4; and a client keeps its address."""
    networks = await open_networks()
    options = {f"{_BRIDGE}gateway_mode_ipv6": mode}
    await networks.create(NetworkWish("mine", ipv4=False, ipv6=True, options=options))
    attachment, place = await join(networks, wish("mine", ports=(PortWish((), 8080, 8080, "tcp", 80),)))
    address = attachment.endpoints[0].ipv6_address
    published, other = serve6(place, 80), serve6(place, 81)
    assert address.startswith("fd")
    expected = "2001:db8::2"
    by_host = await source_at(published, near6, "2001:db8::1", 8080, 30 if mode != "routed" else _GIVE_UP_S)
    assert by_host == ("" if mode == "routed" else expected)
    directly = await source_at(published, near6, address, 80, 30 if mode != "nat" else _GIVE_UP_S)
    assert directly == ("" if mode == "nat" else expected)
    unpublished = await source_at(other, near6, address, 81, 30 if mode == "nat-unprotected" else _GIVE_UP_S)
    assert unpublished == (expected if mode == "nat-unprotected" else "")
    assert bool(await source_at(published, here, "::1", 8080)) is (mode != "routed")
