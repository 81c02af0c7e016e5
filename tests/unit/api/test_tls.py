from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from havre.api.tls import server_context
from tests.fakes.certificates import Authority
from tests.fakes.routes import Probe
from tests.fakes.served import Served, Talk

Serve = Callable[..., Served]
UPGRADE = b"POST /hijack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@dataclass
class World:
    ours: Authority
    foreign: Authority
    server: ssl.SSLContext
    lax: ssl.SSLContext

    def client(self, *, foreign: bool = False, expired: bool = False, client_auth: bool = True) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ours.certificate))
        signer = self.foreign if foreign else self.ours
        certificate, key = signer.issue("client", client=True, expired=expired, client_auth=client_auth)
        context.load_cert_chain(certificate, key)
        return context


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("tls")
    ours, foreign = Authority(folder / "ours"), Authority(folder / "foreign")
    certificate, key = ours.issue("localhost", client=False)
    return World(
        ours,
        foreign,
        server_context(certificate=certificate, key=key, authority=ours.certificate),
        server_context(certificate=certificate, key=key, authority=None),
    )


def connect(served: Served, context: ssl.SSLContext) -> Talk:
    return Talk(context.wrap_socket(served.connect(), server_hostname="localhost", suppress_ragged_eofs=False))


def test_requests_over_tls(serve: Serve, world: World) -> None:
    served = serve(Probe().routes(), tcp=True, context=world.server)
    with connect(served, world.client()) as client:
        for _ in range(3):
            client.request("GET", "/quick")
            assert client.answer().body == b'{"quick":true}\n'
        client.request("POST", "/echo", b"x" * 3_000_000)
        assert client.answer().body == b"x" * 3_000_000


def test_a_client_without_certificate_is_let_in_only_where_nobody_asks(serve: Serve, world: World) -> None:
    served = serve(Probe().routes(), tcp=True, context=world.lax)
    plain = ssl.create_default_context(cafile=str(world.ours.certificate))
    with connect(served, plain) as client:
        client.request("GET", "/quick")
        assert client.answer().status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
@pytest.mark.parametrize("kind", ["none", "foreign", "expired", "server's", "plain HTTP", "old TLS"])
def test_others_stay_outside(serve: Serve, world: World, kind: str) -> None:
    """A-07."""
    served = serve(Probe().routes(), tcp=True, context=world.server)
    if kind == "plain HTTP":
        with Talk(served.connect()) as client:
            client.request("GET", "/quick")
            assert b"quick" not in client.until_closed()
        return
    context = (
        ssl.create_default_context(cafile=str(world.ours.certificate))
        if kind == "none"
        else world.client(foreign=kind == "foreign", expired=kind == "expired", client_auth=kind != "server's")
    )
    if kind == "old TLS":
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        _ask_quickly(served, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_half_closed_tls_client_hears_everything(serve: Serve, world: World, version: ssl.TLSVersion) -> None:
    """Over the usual TLS of event loops every attached `docker run` prints nothing."""
    probe = Probe()
    served = serve(probe.routes(), tcp=True, context=world.server)
    context = world.client()
    context.maximum_version = version
    with HalfClosing(served, context) as client:
        client.send(UPGRADE + b"early")
        assert client.read_until(b"[]early").startswith(b"HTTP/1.1 101 UPGRADED\r\n")
        client.send(b"x" * 500_000)
        client.read_until(b"x" * 500_000)
        client.half_close()
        client.read_until(b"<end>")
        assert client.read_end()
    assert probe.ended.wait(5)


def test_a_client_that_half_closes_tls_at_once(serve: Serve, world: World) -> None:
    served = serve(Probe().routes(), tcp=True, context=world.server)
    with HalfClosing(served, world.client()) as client:
        client.send(UPGRADE, together=True)
        client.half_close()
        client.read_until(b"[]<end>")


def test_a_client_that_half_closes_tls_a_little_later(serve: Serve, world: World) -> None:
    served = serve(Probe().routes(), tcp=True, context=world.server)
    with HalfClosing(served, world.client()) as client:
        client.send(UPGRADE)
        client.half_close()
        client.read_until(b"[]<end>")


def test_the_engine_learns_that_a_tls_client_is_gone(serve: Serve, world: World) -> None:
    probe = Probe()
    served = serve(probe.routes(), tcp=True, context=world.server)
    with HalfClosing(served, world.client()) as client:
        client.send(UPGRADE)
        client.read_until(b"[]")
    assert probe.ended.wait(5)


def test_a_slow_tls_reader_makes_the_stream_wait(serve: Serve, world: World) -> None:
    probe = Probe()
    served = serve(probe.routes(), tcp=True, context=world.server)
    with connect(served, world.client()) as client:
        client.request("GET", "/flood")
        client.head()
        assert len(client.exactly(20 << 20)) == 20 << 20
    assert probe.cancelled.wait(5)


def _ask_quickly(served: Served, context: ssl.SSLContext) -> None:
    with connect(served, context) as client:
        client.request("GET", "/quick")
        client.answer()


class HalfClosing:
    """A TLS client that can end its own half and go on reading, as Go's can and Python's ssl.SSLSocket cannot."""

    def __init__(self, served: Served, context: ssl.SSLContext) -> None:
        self.sock: socket.socket = served.connect()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._seen = b""

    def __enter__(self) -> Self:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
            else:
                self._flush()
                return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes, *, together: bool = False) -> None:
        """With `together`, in one segment with what is sent next."""
        self._tls.write(data)
        if not together:
            self._flush()

    def half_close(self) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()

    def read_until(self, what: bytes) -> bytes:
        while what not in self._seen:
            self._seen += self._read() or self._fail()
        before, _, self._seen = self._seen.partition(what)
        return before

    def read_end(self) -> bool:
        return self._read() == b""

    def _read(self) -> bytes:
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._receive()
            except ssl.SSLZeroReturnError:
                return b""

    def _fail(self) -> bytes:
        raise EOFError(f"ended after {self._seen[-100:]!r}")

    def _flush(self) -> None:
        self.sock.sendall(self._outgoing.read())

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
