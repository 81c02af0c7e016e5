"""The servers at real sockets on loopback, asked by dnspython."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from havre.networks.dns import server as serving
from havre.networks.dns.forward import Upstream
from havre.networks.dns.names import Member, Table, View, view_of
from havre.networks.dns.server import Desk, NameServers

Asked = Callable[..., dns.message.Message]
TWO = ip_address("10.0.0.2")


def desk(name: str = "web", count: int = 1, *upstreams: Upstream) -> Desk:
    table = Table()
    addresses = tuple(ip_address(int(TWO) + more) for more in range(count))
    table.put("one", Member((name,), addresses, f"{name}.front"))
    return Desk(view_of([table]), upstreams)


def pair() -> tuple[socket.socket, socket.socket]:
    """Sockets of both kinds on one port that is free for both."""
    while True:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        try:
            return datagrams, socket.create_server(datagrams.getsockname())
        except OSError:
            datagrams.close()


class World:
    def __init__(self) -> None:
        self.servers = NameServers()

    def serve(self, sandbox_id: str, what: Desk) -> int:
        datagrams, streams = pair()
        port: int = datagrams.getsockname()[1]
        self.servers.serve(sandbox_id, datagrams, streams, what)
        return port


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    try:
        yield made
    finally:
        made.servers.close()


def ask(port: int, name: str = "web", kind: str = "A", *, tcp: bool = False, edns: int = -1) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=edns, payload=1232)
    return (dns.query.tcp if tcp else dns.query.udp)(query, "127.0.0.1", port=port, timeout=20)


def addresses(message: dns.message.Message) -> set[str]:
    return {str(record) for rrset in message.answer for record in rrset}


@pytest.mark.parametrize("tcp", [False, True])
def test_neighbours_are_answered(world: World, tcp: bool) -> None:  # noqa: FBT001
    assert addresses(ask(world.serve("a", desk()), tcp=tcp)) == {"10.0.0.2"}


@pytest.mark.parametrize("tcp", [False, True])
def test_the_rest_is_asked_elsewhere(world: World, tcp: bool) -> None:  # noqa: FBT001
    other = world.serve("other", desk("else"))
    port = world.serve("a", desk("web", 1, Upstream("127.0.0.1", other)))
    assert addresses(ask(port, "else", tcp=tcp)) == {"10.0.0.2"}
    assert ask(port, "none", tcp=tcp).rcode() == dns.rcode.SERVFAIL


def test_many_addresses_need_a_stream_or_edns(world: World) -> None:
    port = world.serve("a", desk(count=60))
    cut = ask(port)
    assert cut.flags & dns.flags.TC
    assert len(addresses(ask(port, edns=0))) == 60
    assert len(addresses(ask(port, tcp=True))) == 60


def test_a_long_answer_from_elsewhere_is_cut_for_a_plain_client(world: World) -> None:
    other = world.serve("other", desk("else", 60))
    table = Desk(View(), (Upstream("127.0.0.1", other),))
    port = world.serve("a", table)
    assert ask(port, "else").flags & dns.flags.TC
    assert len(addresses(ask(port, "else", tcp=True))) == 60


def test_a_change_is_seen_at_once(world: World) -> None:
    port = world.serve("a", desk())
    world.servers.change("a", desk("db"))
    world.servers.change("unknown", desk())
    assert addresses(ask(port, "db")) == {"10.0.0.2"}
    assert ask(port, "web").rcode() == dns.rcode.SERVFAIL


def test_what_was_answered_once_is_not_believed_for_ever(world: World) -> None:
    table = Table()
    table.put("one", Member(("web",), (TWO,), "web.front"))
    port = world.serve("a", Desk(view_of([table])))
    for _ in range(2):
        assert addresses(ask(port)) == {"10.0.0.2"}
        assert ask(port, kind="AAAA").answer == []
    table.put("one", Member(("web",), (ip_address("10.0.0.9"), ip_address("fd00::9")), "web.front"))
    assert addresses(ask(port)) == {"10.0.0.9"}
    assert addresses(ask(port, kind="AAAA")) == {"fd00::9"}
    table.drop("one")
    assert ask(port).rcode() == dns.rcode.SERVFAIL


def test_addresses_of_a_shared_name_go_on_to_rotate(world: World) -> None:
    port = world.serve("a", desk(count=2))
    firsts = {str(ask(port).answer[0][0]) for _ in range(64)}
    assert firsts == {"10.0.0.2", "10.0.0.3"}


def test_a_stopped_server_gives_its_sockets_back(world: World) -> None:
    datagrams, streams = pair()
    world.servers.serve("a", datagrams, streams, desk())
    world.servers.stop("a")
    world.servers.stop("a")
    assert (datagrams.fileno(), streams.fileno()) == (-1, -1)


def test_serving_again_replaces(world: World) -> None:
    datagrams, streams = pair()
    world.servers.serve("a", datagrams, streams, desk())
    port = world.serve("a", desk("db"))
    assert datagrams.fileno() == -1
    assert addresses(ask(port, "db")) == {"10.0.0.2"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (struct.pack("!6H", 1, 0x2000, 1, 0, 0, 0), dns.rcode.NOTIMP),
        (struct.pack("!6H", 1, 0, 2, 0, 0, 0), dns.rcode.FORMERR),
    ],
)
def test_garbage_is_refused_and_the_next_is_answered(world: World, message: bytes, code: int) -> None:
    port = world.serve("a", desk())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.connect(("127.0.0.1", port))
        for silent in (b"", b"x", struct.pack("!6H", 1, 0x8000, 1, 0, 0, 0)):
            client.send(silent)
        client.send(message)
        assert dns.message.from_wire(client.recv(512)).rcode() == code
    with socket.create_connection(("127.0.0.1", port), 20) as stream:
        stream.sendall(len(message).to_bytes(2, "big") + message)
        length = int.from_bytes(stream.recv(2), "big")
        assert dns.message.from_wire(stream.recv(length)).rcode() == code
        stream.sendall(b"\0\1x")
        assert stream.recv(1) == b""
    assert addresses(ask(port)) == {"10.0.0.2"}


def test_several_questions_on_one_stream(world: World) -> None:
    port = world.serve("a", desk())
    with socket.create_connection(("127.0.0.1", port), 20) as stream:
        for _ in range(3):
            query = dns.message.make_query("web", "A")
            dns.query.send_tcp(stream, query)
            told, _ = dns.query.receive_tcp(stream)
            assert query.is_response(told)


def test_too_many_streams_are_closed(world: World) -> None:
    port = world.serve("a", desk())
    with ExitStack() as undo:
        held = [undo.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(serving._STREAMS)]
        for stream in held:
            query = dns.message.make_query("web", "A")
            dns.query.send_tcp(stream, query)
            dns.query.receive_tcp(stream)
        more = undo.enter_context(socket.create_connection(("127.0.0.1", port), 20))
        with suppress(ConnectionResetError):
            assert more.recv(1) == b""


def test_too_many_questions_for_others_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_ASKED_AT_ONCE", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = world.serve("a", Desk(View(), (Upstream("127.0.0.1", silent.getsockname()[1]),)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.connect(("127.0.0.1", port))
            for _ in range(2):
                client.send(dns.message.make_query("else", "A").to_wire())
            assert dns.message.from_wire(client.recv(512)).rcode() == dns.rcode.REFUSED


def test_closing_twice_is_no_error() -> None:
    servers = NameServers()
    servers.close()
    servers.close()
