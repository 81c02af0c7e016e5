from __future__ import annotations

from itertools import permutations

import pytest

from havre.base.errors import HavreError, InvalidInput
from havre.networks.ipam import Leases
from havre.networks.model import AddressTaken, Endpoint, Join, Network, Subnet
from havre.networks.planning import choose_gateways, plan_endpoint

_MINE = Network(
    "a" * 64,
    "mine",
    "bridge",
    1,
    (Subnet("10.5.0.0/16", "10.5.3.0/24", "10.5.0.1", True, {"x": "10.5.3.1"}), Subnet("fd00::/64", gateway="fd00::1")),
    chosen=True,
    ipv6=True,
)


def endpoint(name: str, *, priority: int = 0, v4: str = "", v6: str = "", internal: bool = False) -> Endpoint:
    return Endpoint(name, name, gateway=v4, ipv6_gateway=v6, gw_priority=priority, internal=internal)


@pytest.mark.parametrize(
    ("endpoints", "v4", "v6"),
    [
        ([], None, None),
        ([endpoint("b", v4="1"), endpoint("a", v4="2")], "a", None),
        ([endpoint("b", v4="1", priority=1), endpoint("a", v4="2")], "b", None),
        ([endpoint("a", v4="1", priority=-1), endpoint("b", v4="2", v6="3")], "b", "b"),
        ([endpoint("a", v4="1", internal=True), endpoint("b", v4="2")], "b", None),
        ([endpoint("a", v4="1"), endpoint("b", v6="2"), endpoint("c")], "a", "b"),
    ],
)
def test_the_way_to_the_world(endpoints: list[Endpoint], v4: str | None, v6: str | None) -> None:
    for order in permutations(endpoints):
        gateways = choose_gateways(order)
        assert (gateways.v4 and gateways.v4.network_name, gateways.v6 and gateways.v6.network_name) == (v4, v6)


def test_an_endpoint_gets_what_is_free() -> None:
    leases = Leases()
    made = plan_endpoint(_MINE, Join("mine", names=("web",), gw_priority=3), leases, ["eth0", "eth2"])
    assert (made.ip_address, made.ip_prefix_len, made.gateway) == ("10.5.3.0", 16, "10.5.0.1")
    assert (made.ipv6_address, made.ipv6_gateway) == ("fd00::2", "fd00::1")
    assert (made.link, made.names, made.gw_priority) == ("eth1", ("web",), 3)
    leases.take(_MINE.id, [made.ip_address, made.ipv6_address])
    again = plan_endpoint(_MINE, Join("mine"), leases, [])
    assert (again.ip_address, again.ipv6_address) == ("10.5.3.2", "fd00::3"), "the auxiliary address is left alone"
    leases.give_back(_MINE.id, [made.ip_address, ""])
    assert plan_endpoint(_MINE, Join("mine"), leases, []).ip_address == "10.5.3.0"


def test_wishes_are_granted() -> None:
    join = Join(
        "mine",
        mac_address="02-42-AC-11-00-09",
        ip_address="10.5.200.9",
        ipv6_address="fd00::77",
        link_local=("169.254.3.3",),
        options={"com.docker.network.endpoint.ifname": "lan0"},
    )
    made = plan_endpoint(_MINE, join, Leases(), [])
    assert (made.mac_address, made.ip_address, made.ipv6_address) == ("02:42:ac:11:00:09", "10.5.200.9", "fd00::77")
    assert (made.link, made.link_local) == ("lan0", ("169.254.3.3/16",))
    assert [str(each) for each in made.interfaces] == ["10.5.200.9/16", "fd00::77/64", "169.254.3.3/16"]


@pytest.mark.parametrize(
    ("join", "kind", "words"),
    [
        (Join(ip_address="10.6.0.1"), InvalidInput, "no configured subnet or ip-range contain the IP address 10.6.0.1"),
        (Join(ip_address="x"), InvalidInput, "invalid IPv4 address"),
        (Join(ipv6_address="10.5.0.9"), InvalidInput, "invalid IPv6 address"),
        (Join(ip_address="10.5.0.1"), AddressTaken, "Address already in use"),
        (Join(ip_address="10.5.3.1"), AddressTaken, "Address already in use"),
        (Join(ip_address="10.5.0.0"), InvalidInput, "does not belong"),
        (Join(mac_address="zz"), InvalidInput, "invalid MAC address"),
        (Join(mac_address="01:00:00:00:00:01"), InvalidInput, "group address"),
        (Join(link_local=("10.0.0.1",)), InvalidInput, "invalid link-local IP address"),
        (Join(options={"com.docker.network.endpoint.ifname": "eth0"}), InvalidInput, "already in use"),
    ],
)
def test_what_cannot_be_is_refused(join: Join, kind: type[HavreError], words: str) -> None:
    with pytest.raises(kind, match=words):
        plan_endpoint(_MINE, join, Leases(), ["eth0"])


def test_addresses_can_be_asked_for_only_where_the_user_chose_the_subnet() -> None:
    network = Network("a" * 64, "mine", "bridge", 1, (Subnet("10.5.0.0/16", gateway="10.5.0.1"),))
    with pytest.raises(InvalidInput, match="only when connecting to networks with user configured subnets"):
        plan_endpoint(network, Join(ip_address="10.5.0.9"), Leases(), [])


def test_a_network_without_a_wire_has_no_addresses() -> None:
    for name, driver in (("host", "host"), ("none", "null")):
        made = plan_endpoint(Network("a" * 64, name, driver, 1), Join(name), Leases(), [])
        assert (made.link, made.ip_address, made.driver) == ("", "", driver)
