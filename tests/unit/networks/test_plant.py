from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Any

import msgspec
import pytest

from havre.base.errors import InvalidInput
from havre.networks.model import Network, Settings, Subnet
from havre.networks.plant import _bridge_subnet6, bridge_interface

_KEPT = Network(
    id="a" * 64,
    name="bridge",
    driver="bridge",
    created_ns=1,
    subnets=(Subnet("172.20.0.0/16", gateway="172.20.0.254"),),
    bridge_address="172.20.0.1",
)


def test_the_settings_win() -> None:
    told = IPv4Interface("10.9.0.5/24")
    present = IPv4Interface("172.30.0.1/16")
    assert bridge_interface(Settings(bridge_interface=told), _KEPT, present, [told.network]) == told


@pytest.mark.parametrize("told", ["10.9.0.0/24", "10.9.0.255/24", "10.9.0.1/31", "10.9.0.1/32"])
def test_a_bip_that_is_no_host_is_refused(told: str) -> None:
    with pytest.raises(InvalidInput, match="bip"):
        bridge_interface(Settings(bridge_interface=IPv4Interface(told)), None, None, [])


def test_a_bridge_that_stands_keeps_its_address() -> None:
    present = IPv4Interface("172.30.0.1/16")
    assert bridge_interface(Settings(), _KEPT, present, []) == present


def test_the_subnet_of_last_time_comes_back_unless_it_is_in_use_now() -> None:
    assert bridge_interface(Settings(), _KEPT, None, []) == IPv4Interface("172.20.0.1/16")
    elsewhere = bridge_interface(Settings(), _KEPT, None, [IPv4Network("172.20.7.0/24")])
    assert elsewhere == IPv4Interface("172.17.0.1/16")


def test_ipv6_of_the_bridge() -> None:
    def made(**wishes: Any) -> list[tuple[str, str, str]]:
        found = _bridge_subnet6(Settings(ipv6=True, **wishes), "0123456789" + "a" * 54, [])
        return [(each.subnet, each.ip_range, each.gateway) for each in found]

    assert made() == [("fd01:2345:6789::/64", "", "fd01:2345:6789::1")]
    part = IPv6Network("fd00:0:0:5::/80")
    assert made(fixed_cidr6=part) == [(str(part), "", "fd00:0:0:5::1")]
    told = IPv6Interface("fd00:0:0:5::9/64")
    assert made(bridge_interface6=told, fixed_cidr6=part) == [("fd00:0:0:5::/64", str(part), "fd00:0:0:5::9")]
    with pytest.raises(InvalidInput, match="fixed-cidr-v6"):
        made(bridge_interface6=told, fixed_cidr6=IPv6Network("fd00:0:0:6::/80"))
    assert _bridge_subnet6(Settings(), "a" * 64, []) == ()


def test_a_record_without_a_subnet_is_no_help() -> None:
    bare = msgspec.structs.replace(_KEPT, subnets=(), bridge_address="")
    assert bridge_interface(Settings(), bare, None, []) == IPv4Interface("172.17.0.1/16")
