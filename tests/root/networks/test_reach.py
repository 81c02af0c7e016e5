"""N-01, N-04: who reaches whom, and what a sandbox with raw sockets can make others believe."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address

import pytest

from havre.kernel.netlink.links import mac_bytes
from havre.networks.model import Attachment, Settings
from tests.root.networks.conftest import Join, Open
from tests.root.networks.world import Place, sh, sysctl, until, wish

pytestmark = pytest.mark.root


async def test_from_outside_nothing_unpublished_is_reached(
    open_networks: Open, join: Join, here: Place, near: Place, far: Place
) -> None:
    """N-01: container address, gateway address and loopback, from two hosts that route to all of them by us."""
    networks = await open_networks()
    attachment, place = await join(networks)
    place.serve(80)
    here.serve(81)
    here.serve(82, address="127.0.0.1")
    near.sh("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    near.sh("ip", "route", "add", "127.0.0.1/32", "via", "198.51.100.1", "table", "9")
    near.sh("ip", "rule", "add", "to", "127.0.0.1", "lookup", "9", "pref", "0")
    for host, ours in ((near, "198.51.100.1"), (far, "203.0.113.1")):
        assert host.reaches(ours, 81), "the wire works"
        assert not host.reaches(attachment.ip_address, 80)
        assert not host.reaches("172.17.0.1", 81)
    assert not near.reaches("127.0.0.1", 82)


async def test_there_is_no_ipv6_to_reach(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    attachment, place = await join(networks)
    for name, inside in (("havre0", here), (attachment.endpoints[0].host_link, here), ("eth0", place)):
        assert "inet6" not in inside.sh("ip", "address", "show", name)


async def test_what_is_published_is_reached(open_networks: Open, join: Join, near: Place) -> None:
    networks = await open_networks()
    attachment, place = await join(networks)
    place.serve(80)
    sh("nft", "add", "table", "ip", "somebody")
    sh("nft", "add", "chain", "ip", "somebody", "in", "{ type nat hook prerouting priority dstnat; }")
    sh(
        "nft",
        "add",
        "rule",
        "ip",
        "somebody",
        "in",
        "tcp",
        "dport",
        "8080",
        "dnat",
        "to",
        f"{attachment.ip_address}:80",
    )
    assert not near.reaches("198.51.100.1", 8080)
    sh("nft", "add", "element", "inet", "havre", "published", f"{{ {attachment.ip_address} . tcp . 80 }}")
    assert near.reaches("198.51.100.1", 8080)


async def test_without_masquerading_answers_come_back_and_nothing_else(
    open_networks: Open, join: Join, here: Place, near: Place
) -> None:
    networks = await open_networks(Settings(masquerade=False))
    attachment, place = await join(networks)
    place.serve(80)
    here.serve(81)
    server = near.serve(82)
    assert place.reaches("198.51.100.2", 82)
    connection, sender = server.accept()
    connection.close()
    assert sender[0] == attachment.ip_address
    assert not near.reaches(attachment.ip_address, 80)
    assert not near.reaches("172.17.0.1", 81)


async def test_without_icc_sandboxes_reach_the_world_and_not_each_other(
    open_networks: Open, join: Join, here: Place, near: Place
) -> None:
    networks = await open_networks(Settings(icc=False))
    first, one = await join(networks)
    _, two = await join(networks)
    one.serve(80)
    here.serve(81)
    near.serve(82)
    assert not two.reaches(first.ip_address, 80)
    assert two.reaches("172.17.0.1", 81)
    assert two.reaches("198.51.100.2", 82)
    assert here.reaches(first.ip_address, 80)


@pytest.mark.parametrize("forwarded_before", [False, True])
async def test_we_do_not_make_a_router_of_the_host(
    open_networks: Open, near: Place, far: Place, *, forwarded_before: bool
) -> None:
    sysctl("ipv4/ip_forward", str(int(forwarded_before)))
    far.serve(80)
    assert near.reaches("203.0.113.2", 80) is forwarded_before
    networks = await open_networks()
    assert near.reaches("203.0.113.2", 80) is forwarded_before
    await networks.close()
    await open_networks()
    assert near.reaches("203.0.113.2", 80) is forwarded_before, "also after a restart"


async def test_a_bridge_of_somebody_else_goes_on(open_networks: Open, near: Place, far: Place) -> None:
    """Its frames pass the rules for routed packets where br_netfilter is on."""
    sh("ip", "link", "add", "br-other", "type", "bridge")
    for name, place, address in (("up-near", near, "10.77.0.1/24"), ("up-far", far, "10.77.0.2/24")):
        sh("ip", "link", "set", name, "master", "br-other")
        place.sh("ip", "address", "add", address, "dev", "wire0")
    sh("ip", "link", "set", "br-other", "up")
    await open_networks()
    far.serve(80)
    assert near.reaches("10.77.0.2", 80)


async def test_a_spoofed_sender_is_dropped(open_networks: Open, join: Join, here: Place) -> None:
    """N-04: another address, another MAC, and both of a neighbour; the own ones pass."""
    networks = await open_networks()
    mine, place = await join(networks)
    neighbour, _ = await join(networks)
    server = here.serve(9, socket.SOCK_DGRAM)
    sender = place.raw("eth0")
    bridge = networks.get("bridge").bridge_mac
    for mac, address, word in (
        (mine.endpoints[0].mac_address, "172.17.0.77", b"free address"),
        (mine.endpoints[0].mac_address, "8.8.8.8", b"address from outside"),
        (mine.endpoints[0].mac_address, neighbour.ip_address, b"neighbour's address"),
        (neighbour.endpoints[0].mac_address, mine.ip_address, b"neighbour's card"),
        (neighbour.endpoints[0].mac_address, neighbour.ip_address, b"neighbour's both"),
        (mine.endpoints[0].mac_address, mine.ip_address, b"myself"),
    ):
        sender.send(_datagram((mac, address), (bridge, "172.17.0.1"), word))
    server.settimeout(5)
    assert server.recv(100) == b"myself", "frames keep their order: what came before it was dropped"


async def test_who_may_administer_its_network_may_use_other_addresses(
    open_networks: Open, join: Join, here: Place
) -> None:
    networks = await open_networks()
    mine, place = await join(networks, wish(any_source=True))
    server = here.serve(9, socket.SOCK_DGRAM)
    server.settimeout(5)
    bridge = networks.get("bridge").bridge_mac
    place.raw("eth0").send(
        _datagram((mine.endpoints[0].mac_address, "172.17.0.77"), (bridge, "172.17.0.1"), b"floating")
    )
    assert server.recv(100) == b"floating"


async def test_nobody_can_claim_a_neighbours_address(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    mine, place = await join(networks)
    victim, victims = await join(networks)
    victims.serve(80)
    assert here.reaches(victim.ip_address, 80)
    sender = place.raw("eth0")
    for claimed in (mine.endpoints[0].mac_address, victim.endpoints[0].mac_address):
        sender.send(_arp_answer(claimed, victim.ip_address))
    server = here.serve(9, socket.SOCK_DGRAM)
    bridge = networks.get("bridge").bridge_mac
    sender.send(
        _datagram((mine.endpoints[0].mac_address, mine.ip_address), (bridge, "172.17.0.1"), b"after the claims")
    )
    assert server.recv(100) == b"after the claims"
    assert victim.endpoints[0].mac_address in sh("ip", "neighbour", "show", victim.ip_address)
    assert here.reaches(victim.ip_address, 80)


async def test_a_router_advertisement_changes_nothing_on_the_host(open_networks: Open, join: Join, here: Place) -> None:
    """N-04, CVE-2020-13401: from a guarded port it is dropped, from any other the host does not listen."""
    networks = await open_networks()
    server = here.serve(9, socket.SOCK_DGRAM)
    server.settimeout(5)
    bridge = networks.get("bridge").bridge_mac
    guarded, free = await join(networks), await join(networks, wish(any_source=True))
    before = _ipv6()
    for mine, place in (guarded, free):
        sender = place.raw("eth0")
        sender.send(_router_advertisement(mine))
        sender.send(_datagram((mine.endpoints[0].mac_address, mine.ip_address), (bridge, "172.17.0.1"), b"after"))
        assert server.recv(100) == b"after"
    assert _ipv6() == before
    # The message is a good one: a host that listened would believe the port without a guard, and only that.
    sysctl("ipv6/conf/havre0/accept_ra", "1")
    sysctl("ipv6/conf/havre0/disable_ipv6", "0")
    guarded[1].raw("eth0").send(_router_advertisement(guarded[0]))
    assert "default" not in sh("ip", "-6", "route")
    sender = free[1].raw("eth0")
    await until(lambda: sender.send(_router_advertisement(free[0])) > 0 and "default" in sh("ip", "-6", "route"))


def _ipv6() -> tuple[str, str]:
    return sh("ip", "-6", "route", "show", "table", "all"), sh("ip", "-6", "address")


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def _datagram(sender: tuple[str, str], receiver: tuple[str, str], word: bytes) -> bytes:
    ends = IPv4Address(sender[1]).packed + IPv4Address(receiver[1]).packed
    udp = struct.pack(">HHHH", 999, 9, 8 + len(word), 0) + word
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    head = head[:10] + struct.pack(">H", _checksum(head + ends))
    return mac_bytes(receiver[0]) + mac_bytes(sender[0]) + b"\x08\x00" + head + ends + udp


def _arp_answer(mac: str, address: str) -> bytes:
    pair = mac_bytes(mac) + IPv4Address(address).packed
    return b"\xff" * 6 + mac_bytes(mac) + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, 2) + pair + pair


def _router_advertisement(sender: Attachment) -> bytes:
    """RFC 4861, section 4.2, with a prefix for addresses of one's own making."""
    ends = bytes.fromhex("fe80" + "0" * 26 + "99" + "ff02" + "0" * 26 + "01")
    prefix = struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 9999, 9999, 0) + bytes.fromhex("20010db8" + "0" * 24)
    body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
    check = _checksum(ends + struct.pack(">II", len(body), 58) + body)
    body = body[:2] + struct.pack(">H", check) + body[4:]
    head = struct.pack(">IHBB", 6 << 28, len(body), 58, 255)
    return bytes.fromhex("333300000001") + mac_bytes(sender.endpoints[0].mac_address) + b"\x86\xdd" + head + ends + body
