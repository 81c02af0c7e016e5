"""Published ports: who reaches them, by which address, with whose address, and who else may not have them."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from havre.networks.model import Attachment, PortBusy, PortWish, Settings, Wishes
from havre.networks.networks import Networks
from tests.root.networks.conftest import Join, Open
from tests.root.networks.world import Place, rules, sh, wish

pytestmark = pytest.mark.root
_ANY = ("0.0.0.0", "::")


def wishes(*ports: PortWish) -> Wishes:
    return wish(ports=ports, name="web")


def peer_of(client: Place, server: socket.socket, address: str, port: int) -> str:
    """The address under which *server* sees *client*, after bytes went both ways."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    caller: socket.socket = client.run(lambda: socket.socket(family, socket.SOCK_STREAM))
    with caller:
        caller.settimeout(5)
        server.settimeout(5)
        caller.connect((address, port))
        accepted, source = server.accept()
        with accepted:
            caller.sendall(b"question")
            assert accepted.recv(16) == b"question"
            accepted.sendall(b"answer")
            assert caller.recv(16) == b"answer"
        return str(source[0])


async def test_a_port_is_reached_from_everywhere_and_sources_are_kept(
    open_networks: Open, join: Join, here: Place, near: Place
) -> None:
    networks = await open_networks()
    attachment, place = await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    neighbour, beside = await join(networks)
    server = place.serve(80)
    gateway = attachment.endpoints[0].gateway
    expected = [
        (near, "198.51.100.1", "198.51.100.2"),
        (here, "198.51.100.1", "198.51.100.1"),
        (here, "127.0.0.1", gateway),
        (here, "127.0.0.2", gateway),
        (here, "::1", gateway),
        (beside, "198.51.100.1", gateway),
        (beside, gateway, gateway),
        (place, "198.51.100.1", gateway),
    ]
    for client, address, source in expected:
        assert await asyncio.to_thread(peer_of, client, server, address, 8080) == source, address
    assert not near.reaches(attachment.ip_address, 80)
    assert neighbour.ports == ()


async def test_a_port_of_one_address_is_reached_by_that_alone(
    open_networks: Open, join: Join, here: Place, near: Place
) -> None:
    networks = await open_networks()
    _, place = await join(networks, wishes(PortWish(("127.0.0.1",), 8080, 8080, "tcp", 80)))
    place.serve(80)
    near.sh("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    near.sh("ip", "route", "add", "127.0.0.1/32", "via", "198.51.100.1", "table", "9")
    near.sh("ip", "rule", "add", "to", "127.0.0.1", "lookup", "9", "pref", "0")
    assert here.reaches("127.0.0.1", 8080)
    assert not here.reaches("198.51.100.1", 8080)
    assert not near.reaches("198.51.100.1", 8080)
    assert not near.reaches("127.0.0.1", 8080)


async def test_a_sandbox_reaches_no_loopback_service_of_the_host(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    attachment, place = await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    here.serve(9000, address="127.0.0.1")
    place.sh("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1", "net.ipv4.conf.eth0.route_localnet=1")
    place.sh("ip", "route", "add", "127.0.0.1/32", "via", attachment.endpoints[0].gateway, "table", "9")
    place.sh("ip", "rule", "add", "to", "127.0.0.1", "lookup", "9", "pref", "0")
    assert not place.reaches("127.0.0.1", 9000)


@pytest.mark.parametrize("address", ["198.51.100.1", "127.0.0.1", "::1"])
async def test_datagrams_go_both_ways(open_networks: Open, join: Join, here: Place, near: Place, address: str) -> None:
    networks = await open_networks()
    _, place = await join(networks, wishes(PortWish(_ANY, 5353, 5353, "udp", 53)))
    server = place.serve(53, socket.SOCK_DGRAM)
    server.settimeout(5)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client: socket.socket = (near if address[0] == "1" and address[1] == "9" else here).run(
        lambda: socket.socket(family, socket.SOCK_DGRAM)
    )

    def talk() -> bytes:
        with client:
            client.settimeout(5)
            client.connect((address, 5353))
            client.send(b"question")
            asked, source = server.recvfrom(64)
            server.sendto(b"answer to " + asked, source)
            return client.recv(64)

    assert await asyncio.to_thread(talk) == b"answer to question"


async def test_datagrams_under_way_go_to_who_has_the_port_now(
    open_networks: Open, join: Join, here: Place, near: Place
) -> None:
    networks = await open_networks()
    client: socket.socket = near.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    async def heard_by(server: socket.socket) -> None:
        """With the client's own address: what the relay carries comes from the gateway, and is not meant here."""
        server.setblocking(False)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(TimeoutError, ConnectionRefusedError):
                client.send(b"once more")
                async with asyncio.timeout(0.1):
                    _, sender = await asyncio.get_running_loop().sock_recvfrom(server, 64)
                    if sender[0] == "198.51.100.2":
                        return
        raise AssertionError("the datagrams never came")

    with client:
        client.connect(("198.51.100.1", 5353))
        with here.serve(5353, socket.SOCK_DGRAM) as before:
            await heard_by(before)
        for count in (1, 2):
            ports = [PortWish(_ANY, 5353 + at, 5353 + at, "udp", 53 + at) for at in range(count)]
            attachment, place = await join(networks, wishes(*ports))
            await heard_by(place.serve(53, socket.SOCK_DGRAM))
            await networks.detach(attachment.sandbox_id)
            await join(networks)  # has the address that is free now


async def test_an_ipv6_client_keeps_its_address(open_networks: Open, join: Join, here: Place, near: Place) -> None:
    networks = await open_networks(Settings(ipv6=True))
    sh("ip", "-6", "address", "add", "2001:db8::1/64", "dev", "up-near", "nodad")
    near.sh("ip", "-6", "address", "add", "2001:db8::2/64", "dev", "wire0", "nodad")
    _, place = await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    server: socket.socket = place.run(lambda: socket.create_server(("::", 80), family=socket.AF_INET6))
    with server:
        assert await asyncio.to_thread(peer_of, near, server, "2001:db8::1", 8080) == "2001:db8::2"


async def test_taken_ports_are_refused_and_nothing_stays(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    before = rules()
    with pytest.raises(PortBusy, match=r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated"):
        await join(networks, wishes(PortWish(_ANY, 9999, 9999, "tcp", 81), PortWish(_ANY, 8080, 8080, "tcp", 80)))
    here.serve(8081)
    with pytest.raises(
        PortBusy, match=r"failed to bind host port for 0\.0\.0\.0:8081:.*:80/tcp: address already in use"
    ):
        await join(networks, wishes(PortWish(_ANY, 8081, 8081, "tcp", 80)))
    assert rules() == before
    assert len(networks.attachments()) == 1
    here.serve(9999)  # the port of the refused sandbox is free


async def test_what_we_publish_no_process_takes(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    attachment, _ = await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    with pytest.raises(OSError, match="in use"):
        here.serve(8080)
    before = rules()
    await networks.detach(attachment.sandbox_id)
    here.serve(8080)
    assert "8080" in before
    assert "8080" not in rules()


async def test_ranges_and_random_ports(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    here.serve(8001)
    span = PortWish(_ANY, 8001, 8003, "tcp", 80)
    first, _ = await join(networks, wishes(span))
    second, _ = await join(networks, wishes(span))
    assert [each.ports[0].host_port for each in (first, second)] == [8002, 8003]
    with pytest.raises(PortBusy):
        await join(networks, wishes(span))
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    third, _ = await join(networks, wishes(PortWish(_ANY, 0, 0, "tcp", 80), PortWish(_ANY, 0, 0, "udp", 80)))
    assert all(low <= port.host_port <= high for port in third.ports)
    assert [(port.host_ip, port.protocol) for port in third.ports] == [(ip, p) for p in ("tcp", "udp") for ip in _ANY]


async def test_ports_live_through_a_restart_and_a_flush(
    tmp_path: Path, open_networks: Open, join: Join, here: Place, near: Place
) -> None:
    networks = await open_networks()
    attachment, place = await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    place.serve(80)
    await networks.close()
    assert near.reaches("198.51.100.1", 8080), "while no daemon is there"
    sh("nft", "flush", "ruleset")
    again = Networks(tmp_path / "data", tmp_path / "run", Settings())
    await again.open()
    try:
        await again.reconcile([attachment.sandbox_id])
        assert near.reaches("198.51.100.1", 8080)
        with pytest.raises(OSError, match="in use"):
            here.serve(8080)
        sh("nft", "flush", "map", "inet", "havre", "any_port")
        await again.repair()
        assert near.reaches("198.51.100.1", 8080)
    finally:
        await again.close()


async def test_without_rules_the_relay_carries_all(open_networks: Open, join: Join, here: Place, near: Place) -> None:
    networks = await open_networks(Settings(firewall=False))
    attachment, place = await join(networks, wishes(PortWish(_ANY, 8080, 8080, "tcp", 80)))
    server = place.serve(80)
    for client, address in ((near, "198.51.100.1"), (here, "127.0.0.1"), (here, "::1")):
        assert await asyncio.to_thread(peer_of, client, server, address, 8080) == attachment.endpoints[0].gateway
    assert rules() == ""


async def test_adding_a_port_adds_no_rule(open_networks: Open, join: Join) -> None:
    networks = await open_networks()

    def chains() -> list[str]:
        return [line for line in sh("nft", "-s", "list", "table", "inet", "havre").splitlines() if "dnat" in line]

    before = chains()
    many = tuple(PortWish(_ANY, 20000 + number, 20000 + number, "tcp", 80) for number in range(50))
    attachment: Attachment
    attachment, _ = await join(networks, wishes(*many))
    assert len(attachment.ports) == 100
    assert chains() == before
