from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.networks.options import BridgeOptions, parse_endpoint, parse_options, parse_parent

_BRIDGE = "com.docker.network.bridge."


def test_docker_s_options_are_read() -> None:
    given = {
        f"{_BRIDGE}name": "brx",
        "com.docker.network.driver.mtu": "1400",
        f"{_BRIDGE}enable_icc": "false",
        f"{_BRIDGE}enable_ip_masquerade": "0",
        f"{_BRIDGE}host_binding_ipv4": "127.0.0.1",
        f"{_BRIDGE}gateway_mode_ipv6": "routed",
        f"{_BRIDGE}inhibit_ipv4": "T",
        "com.docker.network.container_iface_prefix": "net",
        "com.example.other": "x",
    }
    assert parse_options(given) == BridgeOptions("brx", 1400, False, False, "127.0.0.1", "nat", "routed", "net", True)
    assert parse_options({}) == BridgeOptions()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("com.docker.network.driver.mtu", "x", r'strconv.Atoi: parsing "x": invalid syntax'),
        ("com.docker.network.driver.mtu", "67", "invalid MTU number"),
        (f"{_BRIDGE}enable_icc", "", "strconv.ParseBool"),
        (f"{_BRIDGE}host_binding_ipv4", "::1", "invalid ipv4 address"),
        (f"{_BRIDGE}gateway_mode_ipv4", "zz", "unknown gateway mode zz"),
        (f"{_BRIDGE}gateway_mode_ipv4", "isolated", "only be used for an internal network"),
        (f"{_BRIDGE}name", "a b", "invalid interface name"),
        (f"{_BRIDGE}name", "..", "invalid interface name"),
    ],
)
def test_what_cannot_be_is_refused(key: str, value: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_options({key: value})


def test_an_internal_network_may_be_isolated_from_the_host() -> None:
    assert parse_options({f"{_BRIDGE}gateway_mode_ipv4": "isolated"}, internal=True).mode4 == "isolated"


def test_parents() -> None:
    assert parse_parent("macvlan", {"parent": "eth7"}) == ("eth7", "bridge")
    assert parse_parent("ipvlan", {"ipvlan_mode": "l3"}) == ("", "l3")


def test_endpoints() -> None:
    options = {
        "com.docker.network.endpoint.ifname": "lan0",
        "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.hop_limit=9",
    }
    assert parse_endpoint(options) == (
        "lan0",
        (("net/ipv4/conf/IFNAME/log_martians", "1"), ("net/ipv6/conf/IFNAME/hop_limit", "9")),
    )


@pytest.mark.parametrize(
    "entry", ["net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.x=1", "net.ipv4.conf.IFNAME.x", "kernel.a.b.IFNAME.c=1"]
)
def test_no_other_sysctl_is_reached(entry: str) -> None:
    with pytest.raises(InvalidInput, match="IFNAME"):
        parse_endpoint({"com.docker.network.endpoint.sysctls": entry})
