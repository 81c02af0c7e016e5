"""What we write, another library reads, and the other way round."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from socket import AF_INET6
from typing import Any

import pytest
from pyroute2 import IPRoute

from havre.kernel.libc import KernelError
from havre.kernel.netlink import links
from havre.kernel.netlink.addresses import add_address, delete_address, list_addresses
from havre.kernel.netlink.connection import NETLINK_NETFILTER, Netlink
from havre.kernel.netlink.links import LinkChange, LinkFlag, SubLink, VethPair
from havre.kernel.netlink.port_redirect import Redirect, install
from havre.kernel.netlink.routes import add_default_link_route, add_default_route, delete_default_route, list_routes
from havre.kernel.netns import make_netns, run_in_netns
from tests.root.networks.world import Place, fresh_namespace

pytestmark = pytest.mark.root


@pytest.fixture
def netlink() -> Iterator[Netlink]:
    with fresh_namespace(), Netlink() as made:
        yield made


@pytest.fixture
def oracle(netlink: Netlink) -> Iterator[Any]:
    with IPRoute() as made:
        yield made


@pytest.fixture
def other() -> Iterator[int]:
    fd, _ = make_netns(lambda: None)
    yield fd
    os.close(fd)


def _seen(oracle: Any, name: str) -> Any:
    return oracle.get_links(ifname=name)[0]


def _pair(fd: int, name: str = "here0") -> VethPair:
    return VethPair(name, "there0", fd, peer_index=2, peer_mac="02:42:ac:11:00:02", mtu=1400)


def test_a_bridge_and_its_settings(netlink: Netlink, oracle: Any) -> None:
    netlink.send([links.add_bridge("br0", mac="02:42:00:00:00:01")])
    netlink.send([links.change_link("br0", LinkChange(alias="a mark", mtu=1300, up=True))])
    seen = _seen(oracle, "br0")
    assert seen.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_KIND") == "bridge"
    assert seen.get_attr("IFLA_ADDRESS") == "02:42:00:00:00:01"
    assert (seen.get_attr("IFLA_IFALIAS"), seen.get_attr("IFLA_MTU")) == ("a mark", 1300)
    assert seen["flags"] & 1
    netlink.send(
        [links.change_link(seen["index"], LinkChange(up=False))]
    )  # before Linux 6.2 a name stays while it is up
    netlink.send([links.change_link(seen["index"], LinkChange(name="br1", mac="02:42:00:00:00:02"))])
    seen = _seen(oracle, "br1")
    assert (seen["flags"] & 1, seen.get_attr("IFLA_ADDRESS")) == (0, "02:42:00:00:00:02")


def test_a_cable_into_another_namespace(netlink: Netlink, oracle: Any, other: int) -> None:
    netlink.send([links.add_bridge("br0"), links.add_veth(_pair(other))])
    bridge = _seen(oracle, "br0")["index"]
    port = LinkChange(alias="mark", master=bridge, up=True, without_ipv6_address=True)
    netlink.send([links.change_link("here0", port), links.isolate_port("here0")])
    seen = _seen(oracle, "here0")
    assert (seen.get_attr("IFLA_MASTER"), seen.get_attr("IFLA_IFALIAS")) == (bridge, "mark")
    assert oracle.get_links(ifname="there0") == ()
    there = json.loads(Place(other).sh("ip", "-j", "link", "show", "there0"))[0]
    assert (there["ifindex"], there["mtu"], there["address"]) == (2, 1400, "02:42:ac:11:00:02")
    details = seen.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_SLAVE_DATA")
    assert details.get_attr("IFLA_BRPORT_ISOLATED") == 1


def test_the_list_of_links_is_the_others(netlink: Netlink, oracle: Any, other: int) -> None:
    netlink.send([links.add_bridge("br0"), *(links.add_veth(_pair(other, "here0")) for _ in range(1))])
    netlink.send([links.change_link("here0", LinkChange(master=_seen(oracle, "br0")["index"], alias="mark"))])
    ours = {(each.index, each.name, each.mac, each.mtu, each.alias, each.master) for each in links.list_links(netlink)}
    theirs = {
        (
            each["index"],
            each.get_attr("IFLA_IFNAME"),
            each.get_attr("IFLA_ADDRESS"),
            each.get_attr("IFLA_MTU"),
            each.get_attr("IFLA_IFALIAS") or "",
            each.get_attr("IFLA_MASTER") or 0,
        )
        for each in oracle.get_links()
    }
    assert ours == theirs
    assert {each.kind for each in links.list_links(netlink) if each.name in {"br0", "here0"}} == {"bridge", "veth"}


def test_a_port_forwards_once_both_ends_are_up(netlink: Netlink, other: int) -> None:
    netlink.send([links.add_bridge("br0"), links.change_link("br0", LinkChange(up=True)), links.add_veth(_pair(other))])
    bridge = links.find_link(netlink, "br0")
    assert bridge is not None
    netlink.send([links.change_link("here0", LinkChange(master=bridge.index, up=True))])
    with run_in_netns(other, Netlink) as inside:
        inside.send([links.change_link("there0", LinkChange(up=True))])
    port = links.find_link(netlink, "here0")
    assert port is not None
    assert LinkFlag.UP in port.flags
    assert port.forwarding
    netlink.send([links.stop_link("here0"), links.stop_link("nosuch")])
    stopped = links.find_link(netlink, "here0")
    assert stopped is not None
    assert (stopped.up, stopped.forwarding) == (False, False)


def test_addresses(netlink: Netlink, oracle: Any) -> None:
    netlink.send([links.add_bridge("br0"), links.change_link("br0", LinkChange(up=True))])
    index = _seen(oracle, "br0")["index"]
    first, second = IPv4Interface("10.1.2.3/24"), IPv6Interface("fd00::3/64")
    netlink.send([add_address(index, first), add_address(index, second)])
    seen = {(each.get_attr("IFA_ADDRESS"), each["prefixlen"]) for each in oracle.get_addr(index=index)}
    assert seen >= {("10.1.2.3", 24), ("fd00::3", 64)}
    assert oracle.get_addr(index=index, family=2)[0].get_attr("IFA_BROADCAST") == "10.1.2.255"
    assert {first, second} <= {each.interface for each in list_addresses(netlink) if each.index == index}
    with pytest.raises(KernelError) as caught:
        netlink.send([add_address(index, first)])
    assert caught.value.errno == errno.EEXIST
    netlink.send([add_address(index, first, replace=True)])
    netlink.send([delete_address(index, first), delete_address(index, first), delete_address(99, first)])
    assert not oracle.get_addr(index=index, family=2)


def test_routes(netlink: Netlink, oracle: Any) -> None:
    netlink.send([links.add_bridge("br0"), links.change_link("br0", LinkChange(up=True))])
    index = _seen(oracle, "br0")["index"]
    netlink.send([add_address(index, IPv4Interface("10.1.2.3/24")), add_default_route(IPv4Address("10.1.2.1"), index)])
    assert oracle.get_default_routes()[0].get_attr("RTA_GATEWAY") == "10.1.2.1"
    oracle.route("add", dst="10.50.0.0/16", gateway="10.1.2.9", table=1000)
    routes = [each for each in list_routes(netlink) if each.destination.version == 4]
    found = {(each.destination, each.gateway, each.index, each.table) for each in routes}
    assert found == {
        (IPv4Network("0.0.0.0/0"), IPv4Address("10.1.2.1"), index, 254),
        (IPv4Network("10.1.2.0/24"), None, index, 254),
        (IPv4Network("10.50.0.0/16"), IPv4Address("10.1.2.9"), index, 1000),
    }


def test_routes_of_ipv6_and_their_end(netlink: Netlink, oracle: Any) -> None:
    netlink.send([links.add_bridge("br0"), links.change_link("br0", LinkChange(up=True))])
    index = _seen(oracle, "br0")["index"]
    gateway = IPv6Address("fd00::1")
    netlink.send([add_address(index, IPv6Interface("fd00::3/64")), add_default_route(gateway, index)])
    assert oracle.get_default_routes(family=AF_INET6)[0].get_attr("RTA_GATEWAY") == "fd00::1"
    assert (IPv6Network("::/0"), gateway, index) in {(r.destination, r.gateway, r.index) for r in list_routes(netlink)}
    for _ in range(2):
        netlink.send([delete_default_route(gateway, index)])
    assert not oracle.get_default_routes(family=AF_INET6)
    netlink.send([add_default_link_route(6, index)])
    assert oracle.get_default_routes(family=AF_INET6)[0].get_attr("RTA_OIF") == index


@pytest.mark.parametrize(("kind", "mode"), [("macvlan", 4), ("ipvlan", 0)])
def test_links_on_a_link(netlink: Netlink, oracle: Any, kind: str, mode: int) -> None:
    netlink.send([links.add_sink("ifb7", "ifb")])
    parent = _seen(oracle, "ifb7")["index"]
    mac = "02:42:00:00:00:09" if kind == "macvlan" else ""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        netlink.send([links.add_sublink(SubLink(kind, "sub0", own, parent, mode, index=77, mac=mac, mtu=1400))])
    except KernelError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip(f"this kernel has no {kind}")
    finally:
        os.close(own)
    made = oracle.link("get", ifname="sub0")[0]
    about = made.get_attr("IFLA_LINKINFO")
    assert (made["index"], about.get_attr("IFLA_INFO_KIND"), made.get_attr("IFLA_MTU")) == (77, kind, 1400)
    assert not mac or made.get_attr("IFLA_ADDRESS") == mac


@pytest.mark.usefixtures("netlink")
def test_a_port_is_led_elsewhere() -> None:
    wanted = Redirect("names", IPv4Address("127.0.0.11"), 53, {17: 4000, 6: 4001})
    with Netlink(NETLINK_NETFILTER) as nft:
        install(nft, Redirect("names", IPv4Address("127.0.0.12"), 54, {17: 1}))
        install(nft, wanted)
        with pytest.raises(KernelError, match="lead port 53"):
            install(nft, Redirect("x" * 300, IPv4Address("127.0.0.11"), 53, {17: 1}))
    listed = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    assert [line.strip() for line in listed.splitlines()[1:-1] if line.strip()] == [
        "chain asking {",
        "type filter hook output priority -100; policy accept;",
        "ip daddr 127.0.0.11 udp dport 53 udp dport set 4000",
        "ip daddr 127.0.0.11 tcp dport 53 tcp dport set 4001",
        "}",
        "chain answering {",
        "type filter hook output priority raw; policy accept;",
        "ip saddr 127.0.0.11 udp sport 4000 udp sport set 53",
        "ip saddr 127.0.0.11 tcp sport 4001 tcp sport set 53",
        "}",
    ]


def test_an_error_carries_the_kernels_own_words(netlink: Netlink) -> None:
    netlink.send([links.add_bridge("br0")])
    with pytest.raises(KernelError, match=r"change link br0: Invalid argument \(mtu greater than .*\)") as caught:
        netlink.send([links.change_link("br0", LinkChange(mtu=1 << 20))])
    assert caught.value.errno == errno.EINVAL


def test_a_failure_is_told_after_the_others_are_done(netlink: Netlink) -> None:
    wanted = [links.add_bridge("br0"), links.change_link("nosuch", LinkChange(up=True)), links.add_bridge("br1")]
    with pytest.raises(KernelError, match="change link nosuch: No such device"):
        netlink.send(wanted)
    assert {"br0", "br1"} <= {each.name for each in links.list_links(netlink)}
    outcomes = netlink.outcomes([*wanted, links.delete_link("nosuch"), links.delete_link("br0")])
    assert [error.errno if error else 0 for error in outcomes] == [errno.EEXIST, errno.ENODEV, errno.EEXIST, 0, 0]


def test_hundreds_in_one_go(netlink: Netlink, oracle: Any) -> None:
    names = [f"br{number}" for number in range(300)]
    alias = "a" * 250  # together more than one datagram takes
    netlink.send([links.add_bridge(name) for name in names])
    netlink.send([links.change_link(name, LinkChange(alias=alias)) for name in names])
    listed = {each.name: each.alias for each in links.list_links(netlink)}
    assert {listed[name] for name in names} == {alias}
    assert len(oracle.get_links()) == len(listed)
    assert not any(netlink.outcomes([links.delete_link(name) for name in names[:3]]))


def test_a_socket_stays_where_it_was_made(netlink: Netlink, other: int) -> None:
    with run_in_netns(other, Netlink) as inside:
        inside.send([links.add_bridge("br-there")])
        assert "br-there" in {each.name for each in links.list_links(inside)}
    assert "br-there" not in {each.name for each in links.list_links(netlink)}
