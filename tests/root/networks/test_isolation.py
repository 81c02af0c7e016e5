"""N-02: networks that users make, and who reaches whom across them, in both versions of IP."""

from __future__ import annotations

import json
import socket

import pytest

from havre.base.errors import Forbidden, HavreError
from havre.base.ids import new_id
from havre.networks.creation import NetworkWish, PoolOverlap, SubnetWish
from havre.networks.model import Join, NetworkInUse, NetworkTaken, PortWish, Settings, Wishes
from tests.root.networks.conftest import Join as JoinOne
from tests.root.networks.conftest import Open
from tests.root.networks.world import Place, rules, sh, until, wish

pytestmark = pytest.mark.root

_GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_ipv4"


async def test_networks_are_separate_and_each_reaches_the_world(
    open_networks: Open, join: JoinOne, here: Place, near: Place
) -> None:
    networks = await open_networks()
    for name in ("red", "blue"):
        await networks.create(NetworkWish(name))
    near.serve(82)
    places = {}
    for name, number in (("bridge", 1), ("red", 1), ("red", 2), ("blue", 1)):
        attachment, place = await join(networks, wish(name))
        place.serve(80)
        places[name, number] = (attachment.ip_address, place)
    for (name, number), (_, place) in places.items():
        assert place.reaches("198.51.100.2", 82), "the world"
        for (other, another), (address, _) in places.items():
            if (name, number) != (other, another):
                assert place.reaches(address, 80) is (name == other), f"{name} to {other}"
    for address, _ in places.values():
        assert here.reaches(address, 80)
        assert not near.reaches(address, 80)


async def test_an_internal_network_leads_nowhere(open_networks: Open, join: JoinOne, here: Place, near: Place) -> None:
    networks = await open_networks()
    await networks.create(NetworkWish("inner", internal=True))
    near.serve(82)
    first, one = await join(networks, wish("inner"))
    _, two = await join(networks, wish("inner"))
    other, elsewhere = await join(networks)
    one.serve(80)
    elsewhere.serve(80)
    assert two.reaches(first.ip_address, 80)
    assert here.reaches(first.ip_address, 80)
    assert not two.reaches(other.ip_address, 80)
    assert not elsewhere.reaches(first.ip_address, 80)
    assert "default" not in two.sh("ip", "route")
    two.sh("ip", "route", "add", "default", "via", networks.get("inner").gateway)  # even who adds a way gets nowhere
    assert not two.reaches("198.51.100.2", 82)


async def test_a_sandbox_of_two_networks_is_no_bridge_between_them(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    for name in ("red", "blue"):
        await networks.create(NetworkWish(name))
    both, middle = await join(networks, Wishes((Join("red"), Join("blue"))))
    left, red = await join(networks, wish("red"))
    right, blue = await join(networks, wish("blue"))
    for place in (red, blue, middle):
        place.serve(80)
    assert red.reaches(both.endpoints[0].ip_address, 80)
    assert blue.reaches(both.endpoints[1].ip_address, 80)
    assert middle.reaches(left.ip_address, 80)
    assert middle.reaches(right.ip_address, 80)
    assert not red.reaches(right.ip_address, 80)
    assert list(middle.addresses()) == ["lo", "eth0", "eth1"]


@pytest.mark.parametrize("mode", ["nat", "routed", "nat-unprotected"])
async def test_gateway_modes(open_networks: Open, join: JoinOne, near: Place, mode: str) -> None:
    """`routed`: its own address both ways, published ports alone; `nat-unprotected`: every port from outside."""
    networks = await open_networks()
    await networks.create(NetworkWish("mine", options={_GATEWAY_MODE: mode}))
    ports = (PortWish((), 8080, 8080, "tcp", 80),)
    attachment, place = await join(networks, wish("mine", ports=ports))
    place.serve(80)
    place.serve(81)
    server = near.serve(82)
    assert near.reaches(attachment.ip_address, 80) is (mode != "nat")
    assert near.reaches(attachment.ip_address, 81) is (mode == "nat-unprotected")
    assert near.reaches("198.51.100.1", 8080) is (mode != "routed")
    near.sh("ip", "route", "replace", "default", "via", "198.51.100.1")
    assert place.reaches("198.51.100.2", 82)
    connection, sender = server.accept()
    connection.close()
    assert sender[0] == (attachment.ip_address if mode == "routed" else "198.51.100.1")


async def test_direct_routing(open_networks: Open, join: JoinOne, near: Place) -> None:
    """Hosts outside may name a sandbox's address, and get what it publishes."""
    networks = await open_networks(Settings(direct_routing=True))
    await networks.create(NetworkWish("mine"))
    attachment, place = await join(networks, wish("mine", ports=(PortWish((), 8080, 8080, "tcp", 80),)))
    place.serve(80)
    place.serve(81)
    assert near.reaches(attachment.ip_address, 80)
    assert not near.reaches(attachment.ip_address, 81)
    assert near.reaches("198.51.100.1", 8080)


async def test_ports_are_led_by_the_way_to_the_world(open_networks: Open, join: JoinOne, near: Place) -> None:
    """Docker's choice, through connect and disconnect: priority first, then the name of the network."""
    networks = await open_networks()
    made = {name: await networks.create(NetworkWish(name)) for name in ("b-net", "a-net", "c-net")}
    port = (PortWish((), 8080, 8080, "tcp", 80),)
    attachment, place = await join(networks, wish("b-net", ports=port))
    place.serve(80)

    def way() -> str:
        routes = json.loads(place.sh("ip", "-j", "route"))
        return next((str(route["gateway"]) for route in routes if route["dst"] == "default"), "")

    assert way() == made["b-net"].gateway
    assert near.reaches("198.51.100.1", 8080)
    await networks.connect(attachment.sandbox_id, wish("a-net", ports=port))
    assert way() == made["a-net"].gateway
    assert near.reaches("198.51.100.1", 8080)
    await networks.connect(attachment.sandbox_id, wish("c-net", gw_priority=5, ports=port))
    assert way() == made["c-net"].gateway
    assert near.reaches("198.51.100.1", 8080)
    for name, next_way in (("c-net", "a-net"), ("a-net", "b-net"), ("b-net", "")):
        await networks.disconnect(attachment.sandbox_id, made[name].id, Wishes(ports=port))
        assert way() == (made[next_way].gateway if next_way else "")
        assert near.reaches("198.51.100.1", 8080) is bool(next_way)
    after = await networks.connect(attachment.sandbox_id, wish("a-net", ports=port))
    assert after.ports
    assert near.reaches("198.51.100.1", 8080)


async def test_ipv6(open_networks: Open, join: JoinOne, here: Place) -> None:
    networks = await open_networks()
    mine = await networks.create(NetworkWish("mine", ipv6=True, subnets=(SubnetWish("fd00:77::/64"),)))
    other = await networks.create(NetworkWish("other", ipv6=True, ipv4=False))
    assert [each.subnet for each in mine.active] == ["172.18.0.0/16", "fd00:77::/64"]
    assert [each.network.version for each in other.active] == [6]
    first, one = await join(networks, wish("mine", ipv6_address="fd00:77::99"))
    second, two = await join(networks, wish("mine"))
    third, three = await join(networks, wish("other"))
    assert first.endpoints[0].ipv6_address == "fd00:77::99"
    assert second.endpoints[0].ipv6_address == "fd00:77::2"
    assert third.endpoints[0].ip_address == ""
    for place in (one, three):
        server = place.run(lambda: socket.create_server(("::", 80), family=socket.AF_INET6))
        place.opened.callback(server.close)
    assert _reaches6(two, "fd00:77::99")
    assert _reaches6(here, "fd00:77::99")
    assert not _reaches6(three, "fd00:77::99", 0.4)
    assert not _reaches6(two, third.endpoints[0].ipv6_address, 0.4)
    assert "default via fd00:77::1" in two.sh("ip", "-6", "route")


async def test_ipv6_on_the_default_bridge(open_networks: Open, join: JoinOne, here: Place) -> None:
    networks = await open_networks(Settings(ipv6=True))
    first, one = await join(networks)
    _, two = await join(networks)
    address = first.endpoints[0].ipv6_address
    server = one.run(lambda: socket.create_server(("::", 80), family=socket.AF_INET6))
    one.opened.callback(server.close)
    assert address.startswith("fd")
    assert _reaches6(two, address)
    assert _reaches6(here, address)


def _reaches6(place: Place, address: str, patience_s: float = 5) -> bool:
    client: socket.socket = place.run(lambda: socket.socket(socket.AF_INET6))
    with client:
        client.settimeout(patience_s)
        try:
            client.connect((address, 80))
        except OSError:
            return False
        return True


async def test_what_is_refused_leaves_nothing(open_networks: Open) -> None:
    networks = await open_networks()
    await networks.create(NetworkWish("mine", subnets=(SubnetWish("10.5.0.0/16"),)))
    before = (rules(), sh("ip", "-o", "link"))
    for refused, kind in (
        (NetworkWish("mine"), NetworkTaken),
        (NetworkWish("bridge"), Forbidden),
        (NetworkWish("x", subnets=(SubnetWish("10.5.6.0/24"),)), PoolOverlap),
    ):
        with pytest.raises(kind):
            await networks.create(refused)
    assert (rules(), sh("ip", "-o", "link")) == before
    attachment = await networks.attach(new_id(), wish("mine"))
    with pytest.raises(NetworkInUse, match="has active endpoints"):
        await networks.remove(networks.get("mine"))
    await networks.detach(attachment.sandbox_id)
    await networks.remove(networks.get("mine"))
    assert [network.name for network in networks.list()] == ["bridge", "host", "none"]


async def test_networks_live_through_a_restart_and_a_removed_bridge_comes_back(
    open_networks: Open, join: JoinOne, here: Place
) -> None:
    networks = await open_networks()
    mine = await networks.create(NetworkWish("mine", labels={"a": "b"}))
    attachment, place = await join(networks, wish("mine"))
    place.serve(80)
    before = here.addresses()
    sh("ip", "link", "delete", mine.bridge_name)
    await until(lambda: here.addresses() == before and here.reaches(attachment.ip_address, 80))
    await networks.close()
    sh("ip", "link", "delete", mine.bridge_name)
    again = await open_networks(Settings())
    assert again.get("mine") == mine
    assert mine.bridge_name in sh("ip", "-o", "link")


async def test_macvlan_hangs_on_a_link_of_the_host(open_networks: Open, join: JoinOne, near: Place) -> None:
    networks = await open_networks()
    subnet = SubnetWish("198.51.100.0/24", gateway="198.51.100.2")
    mac = await networks.create(NetworkWish("wire", "macvlan", (subnet,), options={"parent": "up-near"}))
    alone = await networks.create(NetworkWish("alone", "macvlan", (SubnetWish("10.66.0.0/24"),)))
    attachment, place = await join(networks, wish("wire", ip_address="198.51.100.77"))
    place.serve(80)
    assert near.reaches("198.51.100.77", 80)
    assert "default via 198.51.100.2" in place.sh("ip", "route")
    one, first = await join(networks, wish("alone"))
    _, second = await join(networks, wish("alone"))
    first.serve(80)
    assert second.reaches(one.ip_address, 80)
    await networks.connect(attachment.sandbox_id, wish("alone"))
    await networks.disconnect(attachment.sandbox_id, mac.id, Wishes())
    assert not near.reaches("198.51.100.77", 80)
    assert [name for name in place.addresses() if name != "lo"] == ["eth1"]
    assert alone.parent == ""


async def test_a_parent_that_is_gone_hinders_no_other_network(open_networks: Open, join: JoinOne, here: Place) -> None:
    sh("ip", "link", "add", "up-gone", "type", "ifb")
    networks = await open_networks()
    await networks.create(NetworkWish("wire", "macvlan", (SubnetWish("10.67.0.0/24"),), options={"parent": "up-gone"}))
    await networks.create(NetworkWish("mine"))
    sh("ip", "link", "delete", "up-gone")
    sh("ip", "link", "delete", networks.get("mine").bridge_name)
    await until(lambda: networks.get("mine").bridge_name in sh("ip", "-o", "link"))
    await networks.close()
    again = await open_networks()
    attachment, place = await join(again, wish("mine"))
    place.serve(80)
    assert here.reaches(attachment.ip_address, 80)
    with pytest.raises(HavreError, match="is not up on this host"):
        await again.attach(new_id(), wish("wire"))
    assert len(again.attachments()) == 1
    await again.remove(again.get("wire"))


async def test_many_networks_fit_beyond_dockers_pools(open_networks: Open) -> None:
    networks = await open_networks()
    made = [await networks.create(NetworkWish(f"n{number}", internal=True)) for number in range(33)]
    assert made[-1].subnet.startswith("10.192.")
    for each in made:
        await networks.remove(each)
