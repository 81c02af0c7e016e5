"""Names on networks that users make: who answers what at 127.0.0.11, through connect, rename and restarts."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from havre.base.ids import new_id
from havre.networks.creation import NetworkWish
from havre.networks.model import Join, Wishes
from tests.root.networks.conftest import Join as JoinOne
from tests.root.networks.conftest import Open
from tests.root.networks.world import Place, rules, wish

pytestmark = pytest.mark.root
_SERVER = "127.0.0.11"


def ask(place: Place, name: str, kind: str = "A", *, stream: bool = False) -> tuple[int, list[str]]:
    """The code and the data of the answer to a question from *place*."""
    query = dns.message.make_query(name, kind)
    send = dns.query.tcp if stream else dns.query.udp
    reply: dns.message.Message = place.run(lambda: send(query, _SERVER, timeout=5))
    return reply.rcode(), sorted(str(each) for record in reply.answer for each in record)


@contextmanager
def stub_server(address: str) -> Iterator[None]:
    """A server that gives 192.0.2.1 for every question."""
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind((address, 53))

    def serve() -> None:
        while True:
            query, client = door.recvfrom(4096)
            if not query:
                return
            message = dns.message.from_wire(query)
            reply = dns.message.make_response(message)
            reply.answer.append(dns.rrset.from_text(message.question[0].name, 60, "IN", "A", "192.0.2.1"))
            door.sendto(reply.to_wire(), client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        door.sendto(b"", (address, 53))
        thread.join()
        door.close()


async def test_names_lead_to_neighbours(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    for name in ("red", "blue"):
        await networks.create(NetworkWish(name))
    web, _ = await join(networks, wish("red", names=("web", "shared", "0123456789ab", "*.wild")))
    other, _ = await join(networks, wish("red", names=("other", "shared")))
    hidden, _ = await join(networks, wish("blue", names=("hidden",)))
    _, place = await join(networks, wish("red", names=("me",), links=(("db", "other"),)))
    assert ask(place, "web") == (0, [web.ip_address])
    assert ask(place, "WEB.", stream=True) == (0, [web.ip_address])
    assert ask(place, "web.red") == ask(place, "0123456789ab") == ask(place, "a.b.wild") == (0, [web.ip_address])
    assert ask(place, "shared") == (0, sorted([web.ip_address, other.ip_address]))
    assert ask(place, "web", "AAAA") == (0, [])
    assert ask(place, "db") == (0, [other.ip_address])
    backwards = ".".join(reversed(web.ip_address.split(".")))
    assert ask(place, f"{backwards}.in-addr.arpa", "PTR") == (0, ["web.red."])
    assert ask(place, "hidden")[1] == []
    assert hidden.ip_address != web.ip_address


async def test_the_rest_is_asked_elsewhere_but_not_from_an_internal_network(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    await networks.create(NetworkWish("red"))
    await networks.create(NetworkWish("inner", internal=True))
    with stub_server("127.0.0.77"):
        _, place = await join(networks, Wishes((Join("red", names=("a",)),), servers=("127.0.0.77",)))
        _, inner = await join(networks, Wishes((Join("inner", names=("b",)),), servers=("127.0.0.77",)))
        assert ask(place, "example.org") == (0, ["192.0.2.1"])
        assert ask(inner, "example.org") == (dns.rcode.SERVFAIL, [])
        assert ask(inner, "b")[0] == 0


async def test_names_follow_connect_disconnect_and_rename(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    red = await networks.create(NetworkWish("red"))
    web, place = await join(networks, wish("bridge"))
    _, other = await join(networks, wish("red", names=("other",)))
    assert ask(other, "web")[1] == []
    after = await networks.connect(web.sandbox_id, wish("red", names=("web",)))
    address = after.endpoints[1].ip_address
    assert ask(other, "web") == (0, [address])
    assert ask(place, "other")[0] == 0, "it has a name server from now on"
    await networks.rename(web.sandbox_id, {red.id: ("www",)})
    assert ask(other, "www") == (0, [address])
    assert ask(other, "web")[1] == []
    await networks.disconnect(web.sandbox_id, red.id, Wishes())
    assert ask(other, "www")[1] == []


async def test_a_restart_answers_again(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    await networks.create(NetworkWish("red"))
    web, _ = await join(networks, wish("red", names=("web",)))
    _, place = await join(networks, wish("red", names=("me",)))
    living = [each.sandbox_id for each in networks.attachments()]
    await networks.close()
    again = await open_networks(reconciled_with=living)
    assert ask(place, "web") == (0, [web.ip_address])
    assert again.attachments()


async def test_a_program_of_the_sandbox_may_serve_names_itself(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    await networks.create(NetworkWish("red"))
    web, place = await join(networks, wish("red", names=("web",)))
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        place.serve(53, kind)
    assert ask(place, "web") == (0, [web.ip_address])


async def test_the_default_bridge_has_no_names(open_networks: Open, join: JoinOne) -> None:
    networks = await open_networks()
    before = rules()
    _, place = await join(networks, wish("bridge", names=("web",)))
    assert place.sh("nft", "list", "ruleset") == ""
    await networks.attach(new_id(), wish("bridge", names=("other",)))
    assert "havre_names" not in before


async def test_many_descriptors_are_no_hindrance(open_networks: Open, join: JoinOne) -> None:
    """A library that waits by select(2) would end the whole process here."""
    networks = await open_networks()
    await networks.create(NetworkWish("red"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        web, place = await join(networks, wish("red", names=("web",)))
        assert ask(place, "web") == (0, [web.ip_address])
        await networks.detach(web.sandbox_id)
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
