"""Wish 1: a port that the host's own input policy closes is not opened by publishing it, unless the user says so."""

from __future__ import annotations

import pytest

from havre.networks.model import OpenPorts, PortWish, Settings
from tests.root.networks.conftest import Join as JoinOne
from tests.root.networks.conftest import Open
from tests.root.networks.world import Place, rules, sh, until, wish

pytestmark = pytest.mark.root
_PORTS = tuple(PortWish((), number, number, "tcp", 80) for number in (8080, 8081, 8082))
_CLOSED = """
table inet filter {
    set friends { type ipv4_addr; flags interval; elements = { 203.0.113.0/24 }; }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname lo accept
        tcp dport { 22, 8081 } counter accept
        tcp dport 8082 jump friends
        log prefix "closed: "
        reject
    }
    chain friends { ip saddr @friends accept; }
}
"""


def close(text: str = _CLOSED) -> None:
    sh("sh", "-c", f"nft -f - <<'END'\n{text}\nEND")


async def test_the_hosts_rules_are_followed(
    open_networks: Open, join: JoinOne, here: Place, near: Place, far: Place
) -> None:
    close()
    before = rules()
    networks = await open_networks()
    attachment, place = await join(networks, wish(ports=_PORTS))
    place.serve(80)
    _, neighbour = await join(networks)
    assert not near.reaches("198.51.100.1", 8080)
    assert near.reaches("198.51.100.1", 8081)
    assert not near.reaches("198.51.100.1", 8082)
    assert far.reaches("203.0.113.1", 8082)
    for inner in (here, neighbour):
        assert inner.reaches("198.51.100.1", 8080), "only what comes from other hosts is judged"
    assert here.reaches("127.0.0.1", 8080)
    await networks.detach(attachment.sandbox_id)
    assert before in rules()


async def test_rules_that_come_later_are_followed_soon(open_networks: Open, join: JoinOne, near: Place) -> None:
    networks = await open_networks()
    _, place = await join(networks, wish(ports=_PORTS))
    place.serve(80)
    assert near.reaches("198.51.100.1", 8080)
    assert "havre_host" not in rules()
    close()
    await until(lambda: "havre_host" in rules() and not near.reaches("198.51.100.1", 8080))
    sh("nft", "insert", "rule", "inet", "filter", "input", "tcp", "dport", "8080", "accept")
    await until(lambda: near.reaches("198.51.100.1", 8080))
    sh("nft", "delete", "table", "inet", "havre_host")
    await until(lambda: "havre_host" in rules())
    sh("nft", "delete", "table", "inet", "filter")
    await until(lambda: "havre_host" not in rules() and near.reaches("198.51.100.1", 8082))


async def test_rules_of_iptables_are_followed(open_networks: Open, join: JoinOne, near: Place) -> None:
    for words in (
        ("-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"),
        ("-A", "INPUT", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"),
        ("-N", "user-input"),
        ("-A", "INPUT", "-j", "user-input"),
        ("-A", "user-input", "-p", "tcp", "-m", "multiport", "--dports", "22,8081", "-j", "ACCEPT"),
        ("-P", "INPUT", "DROP"),
    ):
        sh("iptables-nft", *words)
    networks = await open_networks()
    _, place = await join(networks, wish(ports=_PORTS))
    place.serve(80)
    assert not near.reaches("198.51.100.1", 8080)
    assert near.reaches("198.51.100.1", 8081)


async def test_what_cannot_be_followed_closes(open_networks: Open, join: JoinOne, here: Place, near: Place) -> None:
    sh("iptables-nft", "-A", "INPUT", "-m", "string", "--string", "x", "--algo", "bm", "-j", "DROP")
    networks = await open_networks()
    _, place = await join(networks, wish(ports=_PORTS))
    place.serve(80)
    assert not near.reaches("198.51.100.1", 8080)
    assert here.reaches("198.51.100.1", 8080)


@pytest.mark.parametrize(
    ("settings", "open_port", "closed_port"),
    [
        (Settings(past_firewall=True), 8080, 0),
        (Settings(open_ports=(OpenPorts("tcp", 8000, 8080),)), 8080, 8082),
    ],
)
async def test_the_user_may_open_ports(
    open_networks: Open, join: JoinOne, near: Place, settings: Settings, open_port: int, closed_port: int
) -> None:
    close()
    networks = await open_networks(settings)
    _, place = await join(networks, wish(ports=_PORTS))
    place.serve(80)
    assert near.reaches("198.51.100.1", open_port)
    if closed_port:
        assert not near.reaches("198.51.100.1", closed_port)
