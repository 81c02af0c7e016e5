"""Connections that leave HTTP: nothing lost, nothing closed too early."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

import pytest

from tests.fakes.routes import Probe
from tests.fakes.served import Served, Talk

Serve = Callable[..., Served]
Connect = Callable[[Served], Talk]
UPGRADE = b"POST /hijack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
LEGACY = b"POST /hijack HTTP/1.1\r\nHost: x\r\n"
JSON = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("body", [b"\r\n", b"Content-Length: 0\r\n\r\n", JSON, CHUNKED])
@pytest.mark.parametrize("head", [UPGRADE, LEGACY])
def test_bytes_behind_the_request_are_the_stream(
    serve: Serve, talk: Connect, probe: Probe, head: bytes, body: bytes, *, tcp: bool
) -> None:
    client = talk(serve(probe.routes(), tcp=tcp))
    client.send(head + body + b"early")
    status, reason, headers = client.head()
    if head is UPGRADE:
        assert (status, reason) == (101, "UPGRADED")
        assert (headers["connection"], headers["upgrade"]) == ("Upgrade", "tcp")
    else:
        assert (status, reason) == (200, "OK")
    assert headers["content-type"] == "application/vnd.docker.raw-stream"
    assert "content-length" not in headers
    assert "transfer-encoding" not in headers
    said = b"{}" if body in (JSON, CHUNKED) else b""
    assert client.exactly(len(said) + 7) == b"[" + said + b"]early"
    client.send(b"\x01GET later")
    assert client.exactly(10) == b"\x01GET later"
    client.sock.shutdown(socket.SHUT_WR)
    assert client.until_closed() == b"<end>"


@pytest.mark.parametrize("tcp", [False, True])
def test_a_client_that_half_closes_at_once_hears_everything(
    serve: Serve, talk: Connect, probe: Probe, *, tcp: bool
) -> None:
    """What `docker run` without -i does."""
    client = talk(serve(probe.routes(), tcp=tcp))
    client.send(UPGRADE + b"\r\n")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.head()[0] == 101
    assert client.until_closed() == b"[]<end>"


def test_input_and_the_end_may_come_with_the_request(serve: Serve, talk: Connect, probe: Probe) -> None:
    """`printf x | docker run -i`."""
    client = talk(serve(probe.routes()))
    client.send(UPGRADE + b"\r\n" + b"x" * 300_000)
    client.sock.shutdown(socket.SHUT_WR)
    assert client.head()[0] == 101
    assert client.until_closed() == b"[]" + b"x" * 300_000 + b"<end>"


def test_a_body_that_comes_later_is_waited_for(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.send(UPGRADE + b"Content-Length: 4\r\n\r\n{")
    client.send(b'"a')
    client.send(b"}late")
    assert client.head()[0] == 101
    assert client.exactly(10) == b'[{"a}]late'


def test_the_socket_stays_open_when_the_server_forgets_it(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes())
    clients = [talk(served) for _ in range(10)]
    for client in clients:
        client.send(UPGRADE + b"\r\n")
        assert client.head()[0] == 101
    deadline = time.monotonic() + 5
    while served.server._connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not served.server._connections
    for client in clients:
        client.exactly(2)
        client.send(b"still")
        assert client.exactly(5) == b"still"


def test_the_client_goes_while_its_connection_is_given_away(serve: Serve, talk: Connect, probe: Probe) -> None:
    """A-03: whatever the moment, the descriptors come back."""
    served = serve(probe.routes())
    warm = talk(served)
    warm.request("GET", "/quick")
    warm.answer()
    before = len(os.listdir("/proc/self/fd"))
    for cut in range(0, len(UPGRADE) + 2, 7):
        with Talk(served.connect()) as client:
            client.send((UPGRADE + b"\r\n")[:cut])
    for _ in range(10):
        with Talk(served.connect()) as client:
            client.send(UPGRADE + b"\r\nearly")
    last = talk(served)  # once it is answered, all before it have been accepted
    last.request("GET", "/quick")
    last.answer()
    last.sock.close()
    deadline = time.monotonic() + 5
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_an_unknown_thing_is_told_before_the_switch(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.send(UPGRADE.replace(b"/hijack", b"/conflict") + b"\r\n")
    answer = client.answer()
    assert (answer.status, answer.body) == (409, b'{"message":"already there"}\n')
    client.request("GET", "/quick")
    assert client.answer().status == 200
