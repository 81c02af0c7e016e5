"""Asking others, played against sockets on loopback that behave and misbehave."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import dns.message
import dns.rcode
import pytest

from havre.networks.dns import forward
from havre.networks.dns.forward import Upstream, ask, receive_framed, send_framed

QUERY = dns.message.make_query("else.test", "A").to_wire()
Behaviour = Callable[[bytes], list[bytes]]


def said(query: bytes, code: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.set_rcode(code)
    return reply.to_wire()


class Servers:
    """Datagram servers of a test, each with what it sends back to a query."""

    def __init__(self, undo: ExitStack) -> None:
        self._undo = undo
        self.asked: list[int] = []

    def __call__(self, behaviour: Behaviour) -> Upstream:
        held = self._undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        held.bind(("127.0.0.1", 0))
        held.setblocking(False)
        port: int = held.getsockname()[1]

        def on_query() -> None:
            query, client = held.recvfrom(4096)
            self.asked.append(port)
            for reply in behaviour(query):
                held.sendto(reply, client)

        loop = asyncio.get_running_loop()
        loop.add_reader(held, on_query)
        self._undo.callback(loop.remove_reader, held)
        return Upstream("127.0.0.1", port)


@pytest.fixture
async def servers() -> Iterator[Servers]:  # type: ignore[misc]  # an asynchronous fixture
    with ExitStack() as undo:
        yield Servers(undo)


async def test_an_answer_comes_back_under_the_id_of_the_question(servers: Servers) -> None:
    reply = await ask(QUERY, [servers(lambda query: [said(query)])], stream=False)
    assert reply == said(QUERY)


async def test_what_fits_no_question_is_not_believed(servers: Servers) -> None:
    other = dns.message.make_query("evil.test", "A").to_wire()

    def lies(query: bytes) -> list[bytes]:
        return [said(QUERY), said(query[:2] + other[2:]), query, b"", said(query, dns.rcode.NXDOMAIN)]

    reply = await ask(QUERY, [servers(lies)], stream=False)
    assert reply is not None
    assert dns.message.from_wire(reply).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP])
async def test_a_server_that_fails_is_passed_over(servers: Servers, code: dns.rcode.Rcode) -> None:
    failing, good = servers(lambda query: [said(query, code)]), servers(lambda query: [said(query)])
    assert await ask(QUERY, [failing, good], stream=False) == said(QUERY)
    assert servers.asked == [failing.port, good.port]
    assert await ask(QUERY, [failing], stream=False) == said(QUERY, code)


async def test_a_silent_server_is_passed_over(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "PATIENCE_S", 0.05)
    silent, good = servers(lambda _: []), servers(lambda query: [said(query)])
    assert await ask(QUERY, [silent, good], stream=False) == said(QUERY)
    assert await ask(QUERY, [silent], stream=False) is None


async def test_nobody_listens(servers: Servers) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    assert await ask(QUERY, [Upstream("127.0.0.1", port)], stream=False) is None
    assert await ask(QUERY, [Upstream("127.0.0.1", port)], stream=True) is None
    assert await ask(QUERY, [], stream=False) is None


async def test_no_more_than_three_are_asked(servers: Servers) -> None:
    failing = [servers(lambda query: [said(query, dns.rcode.SERVFAIL)]) for _ in range(4)]
    await ask(QUERY, failing, stream=False)
    assert servers.asked == [each.port for each in failing[:3]]


@pytest.mark.parametrize(("garbled", "good"), [(False, True), (True, False)])
async def test_over_a_stream(garbled: bool, good: bool) -> None:  # noqa: FBT001
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        reply = said(QUERY if garbled else query)
        writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        reply = await ask(QUERY, [Upstream("127.0.0.1", server.sockets[0].getsockname()[1])], stream=True)
    assert (reply == said(QUERY)) is good


async def test_a_stream_that_ends_in_a_message() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for each in (ours, theirs):
            each.setblocking(False)
        await send_framed(theirs, b"whole")
        theirs.send(b"\0\x09cut")
        theirs.shutdown(socket.SHUT_WR)
        assert await receive_framed(ours) == b"whole"
        with pytest.raises(EOFError):
            await receive_framed(ours)


@pytest.mark.parametrize(("address", "family"), [("10.0.0.2", socket.AF_INET), ("fe80::1%eth0", socket.AF_INET6)])
def test_an_upstream_knows_its_family(address: str, family: int) -> None:
    assert Upstream(address).family == family
