from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.client import on_demand
from havre.client.client import API_VERSION, DEFAULT_HOST, Client, json_lines
from havre.client.connection import Address, TlsFiles
from havre.client.errors import ApiError, ClientError, ConnectionFailed
from tests.fakes.scripted_daemon import Peer, ScriptedDaemon, answer, chunked
from tests.unit.client.conftest import Serve

At = Callable[[ScriptedDaemon], Client]
TOO_NEW = {"message": f"client version {API_VERSION} is too new. Maximum supported API version is 1.41"}


@pytest.fixture
def at(serve: Serve) -> Iterator[At]:
    """A client of a daemon; closed at the end of the test, before the daemon is waited for."""
    made: list[Client] = []

    def client(daemon: ScriptedDaemon) -> Client:
        made.append(Client(Address(daemon.host)))
        return made[-1]

    yield client
    for one in made:
        one.close()


def test_documents(serve: Serve, at: At) -> None:
    daemon = serve([answer(200, {"Id": "x"}), answer(201, {"Id": "y"}), answer(200, [])])
    client = at(daemon)
    assert client.get("/containers/x/json", dict) == {"Id": "x"}
    assert client.post("/containers/create", dict, {"name": "n"}, {"Image": "i"}) == {"Id": "y"}
    assert client.post("/containers/prune", list) == []
    client.close()
    daemon.end()
    assert daemon.targets == [
        f"GET /v{API_VERSION}/containers/x/json",
        f"POST /v{API_VERSION}/containers/create?name=n",
        f"POST /v{API_VERSION}/containers/prune",
    ]
    assert daemon.requests[1].body == b'{"Image": "i"}'
    assert daemon.requests[1].headers["content-type"] == "application/json"
    assert "content-type" not in daemon.requests[2].headers


def test_acts_answer_their_status(serve: Serve, at: At) -> None:
    client = at(serve([answer(204), answer(304), answer(200, b"ignored")]))
    assert [client.act("POST", "/x") for _ in range(3)] == [204, 304, 200]


@pytest.mark.parametrize(
    ("query", "written"),
    [
        (None, ""),
        ({}, ""),
        ({"a": None, "b": "", "c": False}, ""),
        ({"t": 0}, "?t=0"),
        ({"t": "0", "h": 24}, "?t=0&h=24"),
        ({"all": True, "no": False}, "?all=1"),
        ({"t": -1}, "?t=-1"),
        ({"filters": '{"a":["b c"]}'}, "?filters=%7B%22a%22:%5B%22b%20c%22%5D%7D"),
        ({"x": "a&b=c#d?e+f%g"}, "?x=a%26b%3Dc%23d%3Fe%2Bf%25g"),
        ({"fromImage": "host:5000/a/b"}, "?fromImage=host:5000/a/b"),
        ({"x": "\u00e9\u0665\r\n"}, "?x=%C3%A9%D9%A5%0D%0A"),
    ],
)
def test_queries(query: dict[str, str | int | None] | None, written: str) -> None:
    client = Client(Address(DEFAULT_HOST))
    assert client._target("/x", query) == f"/v{API_VERSION}/x{written}"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/images/host:5000/a@sha256:ab/json", "/images/host:5000/a@sha256:ab/json"),
        ("/images/get?names=a%3Ab&names=c", "/images/get?names=a%3Ab&names=c"),
        ("/containers/a b/json", "/containers/a%20b/json"),
        ("/containers/a\r\nHost: evil/json", "/containers/a%0D%0AHost:%20evil/json"),
        ("/containers/\u00e9\u20ac/json", "/containers/%C3%A9%E2%82%AC/json"),
        ("/containers/a#b/json", "/containers/a%23b/json"),
    ],
)
def test_paths_that_no_request_line_can_hold_are_quoted(path: str, written: str) -> None:
    assert Client(Address(DEFAULT_HOST))._target(path, None) == f"/v{API_VERSION}{written}"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"message": "No such container: x"}', "No such container: x"),
        (409, b'{"message": 7}', "7"),
        (500, b'{"error": "x"}', '{"error": "x"}'),
        (502, b"<html>Bad Gateway</html>\n", "<html>Bad Gateway</html>"),
        (404, b"404 page not found\n", "404 page not found"),
        (500, b"[1]", "[1]"),
        (500, b"", "status 500"),
        (503, b" \n", "status 503"),
        (500, b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_errors_tell_the_daemons_words(serve: Serve, at: At, status: int, body: bytes, message: str) -> None:
    client = at(serve([answer(status, body), answer(200, {})]))
    with pytest.raises(ApiError) as caught:
        client.get("/x", dict)
    assert (caught.value.status, str(caught.value)) == (status, message)
    assert client.get("/x", dict) == {}


@pytest.mark.parametrize("body", [b"", b"no json", b"{} {}"])
def test_an_answer_that_is_no_json_is_told(serve: Serve, at: At, body: bytes) -> None:
    with pytest.raises(ClientError, match="the daemon's answer"):
        at(serve([answer(200, body)])).get("/x", dict)


def test_nobody_answers(tmp_path: Path) -> None:
    client = Client(Address(f"unix://{tmp_path}/none.sock"))
    with pytest.raises(ConnectionFailed) as caught:
        client.get("/x", dict)
    assert str(caught.value) == (
        f"Cannot connect to the Docker daemon at unix://{tmp_path}/none.sock. Is the docker daemon running?"
    )
    client.close()


def test_a_client_steps_down_to_the_daemons_version(serve: Serve, at: At) -> None:
    daemon = serve([answer(400, TOO_NEW), answer(200, {"Id": "x"}), answer(204)])
    client = at(daemon)
    assert client.post("/x", dict, {"a": "b"}, {"c": 1}) == {"Id": "x"}
    assert client.act("POST", "/y") == 204
    assert (client.version, client.another().version) == ("1.41", "1.41")
    client.close()
    daemon.end()
    assert daemon.targets == [f"POST /v{API_VERSION}/x?a=b", "POST /v1.41/x?a=b", "POST /v1.41/y"]
    assert daemon.requests[1].body == b'{"c": 1}'


@pytest.mark.parametrize("offered", ["", " ", "newer", "1", f"{API_VERSION}", "1.4/../x", "\u0661.\u0662"])
def test_a_version_that_helps_nothing_is_an_error(serve: Serve, at: At, offered: str) -> None:
    client = at(serve([answer(400, {"message": f"too new. Maximum supported API version is {offered}"})]))
    with pytest.raises(ApiError, match="too new"):
        client.get("/x", dict)
    assert client.version == API_VERSION


def test_a_client_steps_down_once(serve: Serve, at: At) -> None:
    daemon = serve([answer(400, TOO_NEW), answer(400, TOO_NEW)])
    with pytest.raises(ApiError, match="too new"):
        at(daemon).get("/x", dict)


def test_a_given_version_is_kept(serve: Serve) -> None:
    client = Client(Address(serve([answer(400, TOO_NEW)]).host), version="1.49")
    with pytest.raises(ApiError, match="too new"):
        client.get("/x", dict)
    client.close()


def test_a_stream_is_sent_whole_to_an_older_daemon(serve: Serve, at: At) -> None:
    daemon = serve([answer(400, TOO_NEW), answer(200, b"OK"), answer(200, {}), answer(200, {})])
    client = at(daemon)
    client.send("POST", "/images/load", stream=iter([b"one", b"two"])).read()
    client.send("POST", "/images/load", stream=iter([b"three"]), headers={"Content-Type": "x/y"}).read()
    client.close()
    daemon.end()
    assert daemon.targets == [
        f"GET /v{API_VERSION}/_ping",
        "GET /v1.41/_ping",
        "POST /v1.41/images/load",
        "POST /v1.41/images/load",
    ]
    assert [request.body for request in daemon.requests[2:]] == [b"onetwo", b"three"]
    assert [request.headers["content-type"] for request in daemon.requests[2:]] == ["application/x-tar", "x/y"]


def test_a_stream_that_is_refused_early(serve: Serve, at: At) -> None:
    def refuse(peer: Peer) -> None:
        assert peer.head() is not None
        peer.send(answer(500, {"message": "no space left"}))

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    client = at(serve([answer(200, {}), refuse], [answer(200, {"again": True})]))
    assert client.get("/version", dict) == {}
    with pytest.raises(ApiError, match="no space left"):
        client.send("POST", "/images/load", stream=endless())
    assert client.get("/x", dict) == {"again": True}


def test_one_connection_serves_many_requests(serve: Serve, at: At) -> None:
    client = at(serve([chunked(b"[", b"]"), answer(200, []), answer(204)]))
    assert client.get("/x", list) == []
    assert client.get("/x", list) == []
    assert client.act("POST", "/x") == 204


@pytest.mark.parametrize("first", [answer(200, {}), answer(200, {}, Connection="close"), b"HTTP/1.1 200 OK\r\n\r\n{}"])
def test_a_daemon_that_hung_up_is_called_again(serve: Serve, at: At, first: bytes) -> None:
    gone = [first]
    daemon = serve(gone, [answer(200, {"again": True})])
    client = at(daemon)
    assert client.get("/x", dict) == {}
    assert client._idle is not None
    while client._idle.reusable:  # the daemon hangs up in its own time
        pass
    assert client.get("/x", dict) == {"again": True}


def test_an_answer_left_unread_does_not_mix_with_the_next(serve: Serve, at: At) -> None:
    client = at(serve([chunked(b"old", b"more")], [answer(200, {"new": True})]))
    assert next(client.send("GET", "/events").chunks()) == b"old"
    assert client.get("/x", dict) == {"new": True}


def test_a_lost_connection_is_told_and_replaced(serve: Serve, at: At) -> None:
    client = at(serve([b""], [answer(200, {})]))
    with pytest.raises(ClientError, match="closed the connection before it answered"):
        client.get("/x", dict)
    assert client.get("/x", dict) == {}


def _echo(head: bytes) -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        request = peer.request()
        assert request is not None
        assert (request.headers["connection"], request.headers["upgrade"]) == ("Upgrade", "tcp")
        assert request.body == b'{"Tty": true}'
        peer.send(head + b"first")
        peer.send(peer.read(5).upper())

    return serve


@pytest.mark.parametrize("status", ["101 UPGRADED", "200 OK"])
def test_a_hijack_gives_the_stream_and_what_came_with_the_head(serve: Serve, at: At, status: str) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n".encode()
    stream, ahead, kind = at(serve([_echo(head)])).hijack("/exec/x/start", {"a": True}, {"Tty": True})
    assert kind == "application/vnd.docker.raw-stream"
    stream.sendall(b"typed")
    received = ahead
    while piece := stream.recv(4096):
        received += piece
    stream.close()
    assert received == b"firstTYPED"


def test_a_hijack_that_is_refused(serve: Serve, at: At) -> None:
    with pytest.raises(ApiError, match="is not running") as caught:
        at(serve([answer(409, {"message": "container x is not running"})])).hijack("/containers/x/attach")
    assert caught.value.status == 409


def test_a_hijack_without_an_answer(serve: Serve, at: At) -> None:
    with pytest.raises(ClientError, match="before it answered"):
        at(serve([b""])).hijack("/containers/x/attach")


def test_a_hijack_steps_down_too(serve: Serve, at: At) -> None:
    daemon = serve([answer(400, TOO_NEW)], [answer(101)])
    client = at(daemon)
    client.hijack("/containers/x/attach", {"stream": True})[0].close()
    daemon.end()
    assert daemon.targets == [
        f"POST /v{API_VERSION}/containers/x/attach?stream=1",
        "POST /v1.41/containers/x/attach?stream=1",
    ]


def test_lines_of_progress(serve: Serve, at: At) -> None:
    client = at(serve([chunked(b'{"status": "one"}\r\n{"sta', b'tus": "two"}\r\n\r\n', b'{"error": ""}')]))
    assert list(json_lines(client.send("POST", "/x"))) == [{"status": "one"}, {"status": "two"}, {"error": ""}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"errorDetail": {"message": "no space"}, "error": "no space"}\n', "^no space$"),
        (b"[1]\n", "a line of progress is no object"),
        (b"oops\n", "no JSON"),
    ],
)
def test_progress_that_ends_badly(serve: Serve, at: At, line: bytes, message: str) -> None:
    client = at(serve([chunked(b'{"status": "one"}\n', line, b"{}")], [answer(200, {})]))
    lines = json_lines(client.send("POST", "/x"))
    assert next(lines) == {"status": "one"}
    with pytest.raises(ClientError, match=message):
        next(lines)
    assert client.get("/next", dict) == {}


@pytest.mark.parametrize(
    ("host", "environment", "address", "ours"),
    [
        ("", {}, DEFAULT_HOST, True),
        ("tcp://a:1", {"HAVRE_HOST": "tcp://b:2"}, "tcp://a:1", False),
        ("", {"HAVRE_HOST": "tcp://b:2", "DOCKER_HOST": "tcp://c:3"}, "tcp://b:2", False),
        ("", {"HAVRE_HOST": "", "DOCKER_HOST": "tcp://c:3"}, "tcp://c:3", False),
    ],
)
def test_where_the_daemon_is(
    monkeypatch: pytest.MonkeyPatch, host: str, environment: dict[str, str], address: str, *, ours: bool
) -> None:
    for name in ("HAVRE_HOST", "DOCKER_HOST", "DOCKER_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    tls = TlsFiles("ca", "cert", "key", verify=True)
    client = Client.at(host, tls)
    assert (client.address.text, client.address.tls, client._on_demand) == (address, tls, ours)
    assert client.version == API_VERSION
    monkeypatch.setenv("DOCKER_API_VERSION", "1.30")
    assert Client.at().version == "1.30"


def test_our_own_daemon_is_started_when_nobody_answers(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = Address(f"unix://{tmp_path}/daemon.sock")
    started: list[Address] = []

    def start(wanted: Address) -> None:
        started.append(wanted)
        serve([answer(200, {})])

    monkeypatch.setattr(on_demand, "start_daemon", start)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    client = Client(address, on_demand=True)
    assert client.another()._on_demand
    assert client.get("/x", dict) == {}
    assert started == [address]
    client.close()


@pytest.mark.parametrize(("user", "wanted"), [(1000, True), (0, False)])
def test_what_is_not_ours_to_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, *, wanted: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(ConnectionFailed):
        Client(Address(f"unix://{tmp_path}/none.sock"), on_demand=wanted).get("/x", dict)
