from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from havre.base.errors import Forbidden, HavreError, InvalidInput, NotSupported
from havre.networks.creation import (
    NetworkWish,
    NoSuchDriver,
    PoolOverlap,
    SubnetWish,
    Surroundings,
    from_config,
    plan_network,
)
from havre.networks.model import DEFAULT_POOLS, AddressPool, Network, NetworkTaken, NoFreeAddress, Subnet

_ID = "a" * 64
_MAC = "02:42:00:00:00:01"
_BRIDGE = Network("b" * 64, "bridge", "bridge", 1, (Subnet("172.17.0.0/16"),), bridge_name="havre0")
_AROUND = Surroundings((_BRIDGE,), (), (*DEFAULT_POOLS, AddressPool(IPv6Network("fd00:1::/48"), 64)))


def plan(wish: NetworkWish, around: Surroundings = _AROUND) -> Network:
    return plan_network(wish, _ID, 7, _MAC, around)


def test_the_rest_is_left_to_us() -> None:
    network = plan(NetworkWish("mine"))
    assert (network.driver, network.bridge_name, network.bridge_mac) == ("bridge", "br-aaaaaaaaaaaa", _MAC)
    assert network.subnets == (Subnet("172.18.0.0/16", gateway="172.18.0.1"),)
    assert (network.chosen, network.created_ns) == (False, 7)


def test_routes_of_the_host_are_avoided() -> None:
    around = Surroundings((_BRIDGE,), [IPv4Network("172.18.5.0/24")], DEFAULT_POOLS)
    assert plan(NetworkWish("mine"), around).subnet == "172.19.0.0/16"


def test_what_is_asked_for_is_granted() -> None:
    wish = SubnetWish("10.5.0.0/16", "10.5.3.0/24", "10.5.0.9", {"a": "10.5.0.7"})
    network = plan(NetworkWish("mine", subnets=(wish,), options={"com.docker.network.bridge.name": "brx"}))
    assert network.subnets == (Subnet("10.5.0.0/16", "10.5.3.0/24", "10.5.0.9", True, {"a": "10.5.0.7"}),)
    assert (network.bridge_name, network.chosen) == ("brx", True)


def test_a_gateway_is_the_first_that_is_handed_out_and_not_taken() -> None:
    wish = SubnetWish("10.5.0.0/16", "10.5.3.0/24", "", {"a": "10.5.3.0"})
    assert plan(NetworkWish("mine", subnets=(wish,))).gateway == "10.5.3.1"
    plain = plan(NetworkWish("mine", subnets=(SubnetWish("10.5.0.0/16"),)))
    assert (plain.gateway, plain.subnets[0].shown) == ("10.5.0.1", False)


def test_both_versions_of_ip() -> None:
    network = plan(NetworkWish("mine", ipv6=True))
    assert [each.subnet for each in network.active] == ["172.18.0.0/16", "fd00:1::/64"]
    only = plan(NetworkWish("mine", ipv6=True, ipv4=False))
    assert [each.gateway for each in only.active] == ["fd00:1::1"]
    off = plan(NetworkWish("mine", subnets=(SubnetWish("fd00:2::1/64"),)))
    assert [each.subnet for each in off.subnets] == ["172.18.0.0/16", "fd00:2::/64"]
    assert [each.subnet for each in off.active] == ["172.18.0.0/16"]


@pytest.mark.parametrize(
    ("wish", "kind", "words"),
    [
        (NetworkWish(""), InvalidInput, "invalid network name"),
        (NetworkWish("a/b"), InvalidInput, "invalid network name"),
        (NetworkWish("a\nb"), InvalidInput, "invalid network name"),
        (NetworkWish("none"), Forbidden, "operation is not permitted on predefined none network"),
        (NetworkWish("x", "host"), Forbidden, 'only one instance of "host" network is allowed'),
        (NetworkWish("x", "zz"), NoSuchDriver, 'plugin "zz" not found'),
        (NetworkWish("x", "overlay"), NotSupported, "swarm"),
        (NetworkWish("x", scope="swarm"), NotSupported, "swarm"),
        (NetworkWish("x", ipam_driver="zz"), NoSuchDriver, "zz"),
        (NetworkWish("x", ipv4=False), InvalidInput, "IPv4 or IPv6"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0"),)), InvalidInput, "invalid CIDR block notation"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0/24", gateway="10.0.1.1"),)), InvalidInput, "doesn't contain"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0/24", gateway="x"),)), InvalidInput, "invalid address"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0/24", "10.0.0.0/8"),)), InvalidInput, "bigger than its parent"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0/24", "fd00::/96"),)), InvalidInput, "IPv4 block"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0/24", "10.0.1.0/25"),)), InvalidInput, "doesn't contain ip-"),
        (NetworkWish("x", subnets=(SubnetWish("172.17.3.0/24"),)), PoolOverlap, "Pool overlaps"),
        (NetworkWish("x", subnets=(SubnetWish("10.0.0.0/8"), SubnetWish("10.1.0.0/16"))), PoolOverlap, "overlaps"),
        (NetworkWish("x", options={"com.docker.network.bridge.name": "havre0"}), Forbidden, "same bridge name"),
        (NetworkWish("x", options={"com.docker.network.bridge.name": "way-too-long-name"}), InvalidInput, "interface"),
        (NetworkWish("x", "macvlan", options={"macvlan_mode": "zz"}), InvalidInput, "'bridge' mode is the macvlan"),
        (NetworkWish("x", "ipvlan", options={"parent": "eth0.5"}), NotSupported, "VLAN"),
    ],
)  # fmt: skip
def test_refusals(wish: NetworkWish, kind: type[HavreError], words: str) -> None:
    with pytest.raises(kind, match=words):
        plan(wish)


def test_a_name_is_given_once() -> None:
    around = Surroundings((_BRIDGE, plan(NetworkWish("mine"))), (), DEFAULT_POOLS)
    with pytest.raises(NetworkTaken, match="network with name mine already exists"):
        plan(NetworkWish("mine"), around)


def test_no_pool_left_is_told() -> None:
    with pytest.raises(NoFreeAddress, match="IPv4"):
        plan(NetworkWish("x"), Surroundings((_BRIDGE,), (), (AddressPool(IPv4Network("172.17.0.0/16"), 16),)))


def test_defaults_for_new_networks_are_taken_unless_said_otherwise() -> None:
    mtu = "com.docker.network.driver.mtu"
    around = Surroundings((_BRIDGE,), (), DEFAULT_POOLS, {"bridge": {mtu: "1400"}})
    assert plan(NetworkWish("x"), around).options == {mtu: "1400"}
    assert plan(NetworkWish("x", options={mtu: "1300"}), around).options == {mtu: "1300"}


def test_a_configuration_is_borrowed() -> None:
    wish = NetworkWish("conf", config_only=True, subnets=(SubnetWish("10.9.0.0/16"),), labels={"a": "b"})
    config = plan(wish)
    assert (config.config_only, config.bridge_name) == (True, "")
    borrowed = plan(from_config(NetworkWish("x", config_from="conf"), config))
    assert (borrowed.subnet, borrowed.labels, borrowed.config_from) == ("10.9.0.0/16", {"a": "b"}, "conf")
    with pytest.raises(Forbidden, match='configuration network "bridge" does not exist'):
        from_config(NetworkWish("x"), _BRIDGE)
    with pytest.raises(InvalidInput, match="configurations are not supported"):
        from_config(NetworkWish("x", internal=True), config)


@given(some.lists(some.integers(0, 40), max_size=30))
def test_no_two_networks_share_an_address(lengths: list[int]) -> None:
    made: list[Network] = [_BRIDGE]
    for number, length in enumerate(lengths):
        wish = NetworkWish(
            f"n{number}", subnets=(SubnetWish(f"10.{length}.0.0/{16 + length % 8}"),) if length % 2 else ()
        )
        try:
            network = plan(wish, Surroundings(made, (), DEFAULT_POOLS))
        except PoolOverlap:
            continue
        made.append(msgspec.structs.replace(network, id=f"{number:064x}", bridge_name=f"br{number}"))
    spans = [each.network for network in made for each in network.subnets]
    assert not any(one.overlaps(other) for at, one in enumerate(spans) for other in spans[:at])
