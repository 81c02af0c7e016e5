from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.client.connection import Address, Buffered, Connection, Response, TlsFiles
from havre.client.errors import ClientError, ConnectionFailed
from tests.fakes.scripted_daemon import Peer, answer, chunked
from tests.support.handles import handles
from tests.unit.client.conftest import Connect, Serve

Asked = Callable[..., Response]

LOST_EARLY = "the daemon closed the connection before it answered"
LOST_LATER = "the daemon closed the connection in the middle of an answer"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("unix:///run/x.sock", "/run/x.sock", 0),
        ("tcp://localhost:2375", "localhost", 2375),
        ("tcp://localhost:2375/", "localhost", 2375),
        ("tcp://[::1]:65535", "::1", 65535),
        ("ssh://me@box:2222", "me@box:2222", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = Address(text)
    assert (address.host, address.port, address.text) == (host, port, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/run/x.sock",
        "unix:/run/x.sock",
        "http://localhost:2375",
        "npipe:////./pipe/docker",
        "tcp://localhost",
        "tcp://localhost:",
        "tcp://localhost:http",
        "tcp://localhost:-1",
        "tcp://localhost:65536",
        "tcp://localhost:" + "9" * 5000,
        "tcp://localhost:\u0665\u0660",
        "tcp://localhost:\u00b2",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ClientError, match="unable to parse docker host"):
        Address(text)


@pytest.mark.parametrize("name", ["missing.sock", "x" * 200, "file"])
def test_nobody_listens(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    text = f"unix://{tmp_path}/{name}"
    with pytest.raises(ConnectionFailed) as caught:
        Address(text).connect()
    assert str(caught.value) == f"Cannot connect to the Docker daemon at {text}. Is the docker daemon running?"


def test_a_socket_whose_daemon_has_died(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(ConnectionFailed, match="Is the docker daemon running"):
        Address(f"unix://{tmp_path}/dead.sock").connect()


def test_a_tcp_port_that_refuses() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        text = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match=text):
            Address(text).connect()


def test_a_socket_that_may_not_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("havre.client.connection._over_unix", refuse)
    with pytest.raises(ClientError) as caught:
        Address("unix:///run/x.sock").connect()
    assert not isinstance(caught.value, ConnectionFailed)
    assert str(caught.value) == (
        "permission denied while trying to connect to the daemon socket at unix:///run/x.sock: Permission denied"
    )


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def _address(listener: socket.socket, tls: TlsFiles | None = None) -> Address:
    return Address(f"tcp://127.0.0.1:{listener.getsockname()[1]}", tls)


def test_tcp_names_its_host(listener: socket.socket) -> None:
    connection = Connection(_address(listener))
    served, _ = listener.accept()
    with served:
        served.sendall(answer(200, b"ok"))
        assert connection.request("GET", "/x", {}, None).read() == b"ok"
        assert f"Host: 127.0.0.1:{listener.getsockname()[1]}\r\n".encode() in served.recv(4096)
    connection.close()


def test_a_socket_that_is_whole_already_is_taken_over_as_it_is(listener: socket.socket) -> None:
    connection = Connection(_address(listener))
    stream, ahead = connection.take_over()
    assert (stream.getpeername(), ahead) == (listener.getsockname(), b"")
    connection.close()
    assert stream.fileno() == -1


def test_the_host_of_ipv6_stands_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(Address, "connect", lambda _: ours)
    with ours, theirs:
        theirs.sendall(answer(200))
        Connection(Address("tcp://[::1]:2375")).request("GET", "/", {}, None)
        assert b"\r\nHost: [::1]:2375\r\n" in theirs.recv(4096)


def test_certificates_that_are_missing_are_told(listener: socket.socket, tmp_path: Path) -> None:
    files = TlsFiles(str(tmp_path / "ca.pem"), str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), verify=True)
    with pytest.raises(ClientError, match=r"cannot set up TLS with .*ca\.pem.*No such file") as caught:
        _address(listener, files).connect()
    assert not isinstance(caught.value, ConnectionFailed)


def test_certificates_that_are_none_are_told(listener: socket.socket, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate")
    files = TlsFiles("", str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), verify=False)
    with pytest.raises(ClientError, match="cannot set up TLS with"):
        _address(listener, files).connect()


def test_a_daemon_that_speaks_no_tls_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ClientError, match="error during connect: tls: "):
            TlsFiles("", "", "", verify=False).wrap(ours, "localhost")


def test_tls_keeps_the_name_for_the_daemon(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    seen: list[object] = []

    def wrap(context: ssl.SSLContext, plain: socket.socket, *, server_hostname: str) -> socket.socket:
        seen.extend([context.check_hostname, server_hostname])
        return plain

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    _address(listener, TlsFiles("", "", "", verify=False)).connect().close()
    assert seen == [False, "127.0.0.1"]


def test_ssh_carries_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\necho "$@"\nexec cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    spawn, pids = os.posix_spawnp, []
    monkeypatch.setattr(os, "posix_spawnp", lambda *words, **more: pids.append(spawn(*words, **more)))
    stream = Buffered(Address("ssh://me@box:2222").connect())
    stream.socket.sendall(b"hello\n")
    assert stream.until(b"\n") == b"-T -p 2222 -l me -- box docker system dial-stdio"
    assert stream.until(b"\n") == b"hello"
    stream.socket.close()
    assert os.waitpid(pids[0], 0)[1] == 0


def test_ssh_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = handles()
    with pytest.raises(ConnectionFailed):
        Address("ssh://box").connect()
    assert handles() <= before


def test_a_request_as_it_goes_out(serve: Serve, connect: Connect) -> None:
    daemon = serve([answer(200), answer(200), answer(200)])
    connection = connect(daemon)
    connection.request("GET", "/one", {"X-Own": "1"}, None)
    connection.request("POST", "/two", {}, None)
    connection.request("POST", "/three", {"Content-Type": "text/plain"}, b"body")
    connection.close()
    daemon.end()
    first, second, third = daemon.requests
    assert (first.method, first.target, first.headers["x-own"]) == ("GET", "/one", "1")
    assert first.headers["host"] == "api.moby.localhost"
    assert "content-length" not in first.headers
    assert second.headers["content-length"] == "0"
    assert (third.body, third.headers["content-length"]) == (b"body", "4")


def test_an_iterable_goes_out_in_chunks(serve: Serve, connect: Connect) -> None:
    daemon = serve([answer(200, b"taken"), answer(204)])
    connection = connect(daemon)
    assert connection.request("POST", "/load", {}, iter([b"one", b"", b"x" * 100_000])).read() == b"taken"
    assert connection.reusable
    connection.request("POST", "/load", {}, [])
    connection.close()
    daemon.end()
    assert [request.body for request in daemon.requests] == [b"one" + b"x" * 100_000, b""]


def _refuse_early(peer: Peer) -> None:
    assert peer.head() is not None
    peer.send(answer(413, {"message": "too much"}))


def _endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65536


def test_a_stream_that_is_refused_early_still_gives_the_answer(serve: Serve, connect: Connect) -> None:
    connection = connect(serve([_refuse_early]))
    response = connection.request("POST", "/load", {}, _endless())
    assert (response.status, response.read()) == (413, b'{"message": "too much"}')
    assert not connection.reusable


def test_a_large_body_that_is_refused_early_still_gives_the_answer(serve: Serve, connect: Connect) -> None:
    connection = connect(serve([_refuse_early]))
    assert connection.request("POST", "/load", {}, b"x" * (8 << 20)).status == 413
    assert not connection.reusable


def _take(peer: Peer) -> None:
    assert peer.head() is not None
    assert peer.read(100) == b"3\r\none\r\n"


def test_a_stream_that_breaks_leaves_no_usable_connection(serve: Serve, connect: Connect) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise FileNotFoundError("layer.tar")

    connection = connect(serve([_take]))
    with pytest.raises(FileNotFoundError):
        connection.request("POST", "/load", {}, broken())
    assert not connection.reusable
    connection.close()


@pytest.fixture
def asked(serve: Serve, connect: Connect) -> Asked:
    def ask(data: bytes, method: str = "GET") -> Response:
        return connect(serve([data])).request(method, "/", {}, None)

    return ask


@contextlib.contextmanager
def _pieces(first: bytes) -> Iterator[tuple[Response, socket.socket]]:
    """An answer in chunks that begins with *first*, and the daemon's end of its stream."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(first)
        yield Response(200, {"transfer-encoding": "chunked"}, Buffered(ours)), theirs


def test_a_body_with_a_length(asked: Asked) -> None:
    response = asked(answer(200, b"x" * 200_000, X_Own="a: b"))
    assert response.headers["x-own"] == "a: b"
    assert not response.complete
    assert response.read() == b"x" * 200_000
    assert response.complete


def test_a_body_in_chunks(asked: Asked) -> None:
    response = asked(chunked(b"one", b"two" * 50_000, b"x", trailer=b"X-Sum: 7\r\n"))
    assert response.read() == b"one" + b"two" * 50_000 + b"x"
    assert response.complete
    assert response.read() == b""


def test_chunks_with_extensions_and_spaces(asked: Asked) -> None:
    head = b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n"
    assert asked(head + b"3;name=x\r\none\r\n003 \r\ntwo\r\n0\r\n\r\n").read() == b"onetwo"


def test_a_body_to_the_end_of_the_connection(asked: Asked) -> None:
    response = asked(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
    assert response.read() == b"x" * 100_000


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(asked: Asked, status: int, method: str) -> None:
    assert asked(f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n".encode(), method).read() == b""


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_head_has_no_body_whatever_the_fields_say(serve: Serve, connect: Connect, field: bytes) -> None:
    daemon = serve([b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n", answer(200, b"next")])
    connection = connect(daemon)
    assert connection.request("HEAD", "/", {}, None).read() == b""
    assert connection.reusable
    assert connection.request("GET", "/", {}, None).read() == b"next"


@pytest.mark.parametrize("ahead", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
def test_interim_answers_are_passed_over(asked: Asked, ahead: bytes) -> None:
    response = asked(ahead * 2 + answer(200, b"ok"))
    assert (response.status, response.read()) == (200, b"ok")
    assert "link" not in response.headers


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"])
def test_an_answer_cut_off_in_its_head(asked: Asked, data: bytes) -> None:
    with pytest.raises(ClientError, match=LOST_EARLY):
        asked(data)


@pytest.mark.parametrize(
    "data",
    [
        answer(200, b"body")[:-1],
        answer(200, b"body")[:-4],
        *(chunked(b"one", b"two")[:-cut] for cut in (1, 2, 4, 5, 6, 8, 9, 10, 12, 16)),
    ],
)
def test_an_answer_cut_off_in_its_body(asked: Asked, data: bytes) -> None:
    response = asked(data)
    with pytest.raises(ClientError, match=LOST_LATER):
        response.read()
    assert not response.complete


def _reset(peer: Peer) -> None:
    """Close with the request unread: the other side's next read is reset."""
    peer.socket.recv(1, socket.MSG_PEEK)


def test_a_connection_that_is_reset_before_the_answer(serve: Serve, connect: Connect) -> None:
    connection = connect(serve([_reset]))
    with pytest.raises(ClientError, match=LOST_EARLY):
        connection.request("POST", "/", {}, b"x" * 1000)


def test_a_connection_that_is_reset_in_a_body(serve: Serve, connect: Connect) -> None:
    def begin(peer: Peer) -> None:
        peer.socket.recv(1, socket.MSG_PEEK)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nbegin")

    connection = connect(serve([begin]))
    response = connection.request("POST", "/", {}, b"x" * 1000)
    with pytest.raises(ClientError, match=LOST_LATER):
        response.read()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 -10 OK\r\n\r\n",
        b"\r\n\r\n",
        *(
            b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n"
            for length in (b"-1", b"+1", b"1_0", b"x", b"0x1", b"9" * 5000, b"1, 1")
        ),
    ],
)
def test_what_is_no_http(serve: Serve, connect: Connect, data: bytes) -> None:
    connection = connect(serve([data]))
    with pytest.raises(ClientError, match="the daemon's answer is no HTTP") as caught:
        connection.request("GET", "/", {}, None)
    assert len(str(caught.value)) < 1000


def test_a_head_without_an_end(serve: Serve, connect: Connect) -> None:
    def flood(peer: Peer) -> None:
        assert peer.head() is not None
        with contextlib.suppress(BrokenPipeError):
            while True:
                peer.send(b"X: y\r\n" * 10_000)

    connection = connect(serve([flood]))
    with pytest.raises(ClientError, match="its head does not end"):
        connection.request("GET", "/", {}, None)


@pytest.mark.parametrize(
    "chunk", [b"-3\r\none\r\n", b"0x3\r\none\r\n", b"+3\r\none\r\n", b"\r\n", b"2\r\none\r\n", b"zz\r\n"]
)
def test_chunks_that_are_none(chunk: bytes) -> None:
    with _pieces(chunk + b"0\r\n\r\n") as (response, _), pytest.raises(ClientError, match="is no HTTP"):
        response.read()


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_chunks_are_read_however_they_arrive(parts: list[bytes], sizes: list[int]) -> None:
    data = chunked(*parts).partition(b"\r\n\r\n")[2]

    class Dripping:
        at, turn = 0, 0

        def recv(self, limit: int) -> bytes:
            size = min(limit, sizes[self.turn % len(sizes)])
            self.at, self.turn = self.at + size, self.turn + 1
            return data[self.at - size : self.at]

    response = Response(200, {"transfer-encoding": "chunked"}, Buffered(Dripping()))  # type: ignore[arg-type]  # it reads only
    assert response.read() == b"".join(parts)


def test_lines_come_as_soon_as_they_are_whole() -> None:
    with _pieces(b"5\r\none\nt\r\n") as (response, theirs):
        lines = response.lines()
        assert next(lines) == b"one"
        theirs.sendall(b"9\r\nwo\n\r\n\n \nl\r\n3\r\nast\r\n0\r\n\r\n")
        assert list(lines) == [b"two", b"last"]


def test_the_last_line_needs_no_end(asked: Asked) -> None:
    assert list(asked(answer(200, b"one\n\n")).lines()) == [b"one"]


@pytest.mark.parametrize(
    "data",
    [
        answer(200, b"ok", Connection="close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        answer(200, b"ok") + b"HTTP/1.1 408 Request Timeout\r\n\r\n",
    ],
)
def test_what_cannot_be_used_again(serve: Serve, connect: Connect, data: bytes) -> None:
    connection = connect(serve([data]))
    assert connection.request("GET", "/", {}, None).read() == b"ok"
    assert not connection.reusable


def test_a_connection_is_not_reusable_before_the_answer_is_read(serve: Serve, connect: Connect) -> None:
    def hold(peer: Peer) -> None:
        assert peer.request() is not None
        peer.send(answer(200, b"body"))
        assert peer.head() is None

    connection = connect(serve([hold]))
    assert not connection.reusable
    response = connection.request("GET", "/", {}, None)
    assert not connection.reusable
    response.read()
    assert connection.reusable


def test_a_hijacked_stream_keeps_its_first_bytes(serve: Serve, connect: Connect) -> None:
    def echo(peer: Peer) -> None:
        assert peer.request() is not None
        peer.send(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst bytes")
        peer.send(peer.read(5).upper())

    connection = connect(serve([echo]))
    response = connection.request("POST", "/attach", {"Connection": "Upgrade", "Upgrade": "tcp"}, None)
    assert response.status == 101
    stream, received = connection.take_over()
    with stream:
        stream.sendall(b"typed")
        while piece := stream.recv(4096):
            received += piece
    assert received == b"first bytesTYPED"
    assert not connection.reusable
