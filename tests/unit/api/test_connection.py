from __future__ import annotations

import gc
import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.routes import Probe
from tests.fakes.served import Served, Talk

Serve = Callable[..., Served]
Connect = Callable[[Served], Talk]
GONE_S = 5


@pytest.fixture
def probe() -> Probe:
    return Probe()


def test_answers_come_in_order_on_one_connection(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    for _ in range(3):
        client.request("GET", "/quick")
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b'{"quick":true}\n')


def test_headers_of_every_answer(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    for target in ("/quick", "/missing", "/nothing", "/v9.9/quick"):
        client.request("GET", target)
        headers = client.answer().headers
        assert headers["api-version"] == "1.50"
        assert headers["server"] == "Docker/28.2.2 (linux)"
        assert headers["ostype"] == "linux"
        assert headers["docker-experimental"] == "false"
        assert headers["content-type"] == "application/json"
        assert "date" in headers


def test_pipelined_requests_are_answered_one_after_the_other(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    echo = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    client.send(slow + echo + slow + echo)
    bodies = [client.answer().body for _ in range(4)]
    assert bodies == [b'{"slow":true}\n', b"abc", b'{"slow":true}\n', b"abc"]


def test_many_pipelined_requests_do_not_nest(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.send(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
    for _ in range(3000):
        assert client.answer().status == 200


def test_a_request_may_come_byte_by_byte(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for byte in b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
        client.send(bytes((byte,)))
    assert client.answer().body == b"abc"


def test_a_client_that_half_closes_gets_its_answer(serve: Serve, talk: Connect, probe: Probe) -> None:
    """A plain GET followed by SHUT_WR."""
    client = talk(serve(probe.routes()))
    client.request("GET", "/slow")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.answer().body == b'{"slow":true}\n'
    assert client.closed()
    assert not probe.cancelled.is_set()


@pytest.mark.parametrize("tcp", [False, True])
def test_a_stream_ends_when_its_client_goes(serve: Serve, talk: Connect, probe: Probe, *, tcp: bool) -> None:
    client = talk(serve(probe.routes(), tcp=tcp))
    client.request("GET", "/endless")
    assert client.head()[0] == 200, "the head comes before anything happens"
    assert probe.began.wait(GONE_S)
    client.sock.close()
    assert probe.cancelled.wait(GONE_S)


def test_a_half_closed_client_on_a_unix_socket_may_listen_on(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes())
    client = talk(served)
    client.request("GET", "/endless")
    client.head()
    client.sock.shutdown(socket.SHUT_WR)
    other = talk(served)
    for _ in range(50):  # the loop has certainly seen the half close after these
        other.request("GET", "/slow")
        assert other.answer().status == 200
    assert not probe.cancelled.is_set()
    client.sock.close()
    assert probe.cancelled.wait(GONE_S)


def test_a_verb_runs_to_its_end_though_its_client_is_gone(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", "/slow")
    assert probe.began.wait(GONE_S)
    client.sock.close()
    assert probe.ended.wait(GONE_S)
    assert not probe.cancelled.is_set()


def test_a_slow_reader_makes_the_stream_wait(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", "/flood")
    client.head()
    before = -1
    while probe.received != before:
        before = probe.received
        time.sleep(0.1)
    assert probe.received < 8 << 20
    client.sock.close()
    assert probe.cancelled.wait(GONE_S)


def test_a_body_of_many_megabytes_waits_for_its_reader(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes())
    client = talk(served)
    client.request("POST", "/sink", Transfer_Encoding="chunked")
    assert probe.began.wait(GONE_S)
    piece = b"%x\r\n%b\r\n" % (1 << 20, b"x" * (1 << 20))
    client.sock.settimeout(0.5)
    sent = 0
    try:
        while sent < 64:
            client.sock.sendall(piece)
            sent += 1
    except TimeoutError:
        pass
    assert sent < 8, "nobody read, and yet the server took it all"
    client.sock.close()
    assert probe.go_on is not None
    served.loop.call_soon_threadsafe(probe.go_on.set)
    while not probe.errors:
        time.sleep(0.01)
    assert type(probe.errors[0]).__name__ == "ClientGone"


def test_two_hundred_megabytes_cost_little_memory(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes())
    client = talk(served)
    client.request("POST", "/sink", Transfer_Encoding="chunked")
    assert probe.began.wait(GONE_S)
    assert probe.go_on is not None
    served.loop.call_soon_threadsafe(probe.go_on.set)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    piece = b"%x\r\n%b\r\n" % (32768, b"x" * 32768)
    for _ in range(200 * 32):
        client.send(piece)
    client.send(b"0\r\n\r\n")
    assert client.answer().body == b'{"received":%d}\n' % (200 << 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10


def test_an_answer_before_the_end_of_the_body_ends_the_connection(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("POST", "/deaf", Transfer_Encoding="chunked")
    client.send(b"3\r\nabc\r\n")
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (409, "close")
    client.send(b"3\r\nabc\r\n" * 1000)
    assert client.closed()


def test_a_body_cut_short_is_told(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.answer().status == 503
    assert client.closed()


def test_continue_is_said_when_the_body_is_wanted(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("POST", "/echo", Expect="100-continue", Content_Length="3")
    assert client.head()[0] == 100
    client.send(b"abc")
    assert client.answer().body == b"abc"


def test_http_1_0_gets_its_stream_until_the_end(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.send(b"GET /flood HTTP/1.0\r\n\r\n")
    _, _, headers = client.head()
    assert "transfer-encoding" not in headers
    assert headers["connection"] == "close"
    assert client.exactly(10) == b"x" * 10


def test_errors_are_told_by_their_meaning(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", "/missing")
    assert client.answer().body == b'{"message":"No such thing: x"}\n'
    client.request("POST", "/conflict", b"{}")
    answer = client.answer()
    assert (answer.status, answer.body) == (409, b'{"message":"already there"}\n')


def test_a_defect_tells_no_details(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", "/broken")
    answer = client.answer()
    assert answer.status == 500
    assert b"canary" not in answer.body
    assert b"Traceback" not in answer.body
    client.request("GET", "/quick")
    assert client.answer().status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nothing", 404),
        ("/quick/", 404),
        ("//quick", 301),
        ("/things/../json", 404),
        ("/things/%2e%2e/json", 404),
        ("/things/a%2fb/json", 404),
        ("/things/a%00b/json", 400),
        ("/things/%zz/json", 400),
        ("/things/%ff/json", 400),
        ("/things/%/json", 400),
        ("/things//json", 301),
        ("/images/a//json", 301),
        ("/images/a/../b/json", 404),
        ("/v1.23/quick", 400),
        ("/v1.51/quick", 400),
        ("/v1.24/quick", 200),
        ("/v1.50/quick", 200),
        ("/v1.44/quick", 200),
        ("/v1/quick", 400),
        ("/v1.4.4/quick", 400),
        ("/v1.50/nothing", 404),
        ("/v1.50", 404),
        ("/vx/quick", 404),
        ("http://docker/quick", 200),
    ],
)
def test_paths(serve: Serve, talk: Connect, probe: Probe, target: str, status: int) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", target)
    assert client.answer().status == status


def test_a_name_with_its_slash_is_found_at_another_place(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    for name in ("/web", "%2Fweb"):
        client.request("GET", f"/v1.43/things/{name}/json?size=1%2F")
        answer = client.answer()
        assert (answer.status, answer.headers["location"]) == (301, "/v1.43/things/web/json?size=1%2F")


def test_a_version_that_is_too_new_or_too_old_is_told_in_docker_s_words(
    serve: Serve, talk: Connect, probe: Probe
) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", "/v1.99/quick")
    assert client.answer().body == (
        b'{"message":"client version 1.99 is too new. Maximum supported API version is 1.50"}\n'
    )
    client.request("GET", "/v1.12/quick")
    assert client.answer().body == (
        b'{"message":"client version 1.12 is too old. Minimum supported API version is 1.24, '
        b'please upgrade your client to a newer version"}\n'
    )


def test_names_of_images_hold_slashes(serve: Serve, talk: Connect, probe: Probe) -> None:
    client = talk(serve(probe.routes()))
    client.request("GET", "/v1.43/images/127.0.0.1:5000/team/app:1/json")
    assert client.answer().body == b'{"name":"127.0.0.1:5000/team/app:1","version":[1,43]}\n'


def test_ping(serve: Serve, talk: Connect) -> None:
    client = talk(serve())
    client.request("GET", "/_ping")
    answer = client.answer()
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"OK", "text/plain; charset=utf-8")
    assert answer.headers["builder-version"] == "1"
    assert answer.headers["swarm"] == "inactive"
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert answer.headers["pragma"] == "no-cache"
    client.request("HEAD", "/_ping")
    assert client.answer(bodiless=True).status == 200
    client.request("GET", "/v1.30/_ping")
    assert client.answer().body == b"OK"


def test_pings_are_answered_while_the_rest_still_loads(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes(), opened=False)
    waiting, client = talk(served), talk(served)
    waiting.request("GET", "/things/7/json")
    client.request("GET", "/_ping")
    assert client.answer().body == b"OK"
    from havre.api.router import Router

    served.loop.call_soon_threadsafe(served.server.open, Router(probe.routes()))
    assert waiting.answer().body == b'{"id":"7","version":[1,50]}\n'


def test_half_sent_requests_do_not_hinder_others(serve: Serve, talk: Connect, probe: Probe) -> None:
    """A-02."""
    served = serve(probe.routes())
    client = talk(served)
    client.request("GET", "/quick")
    client.answer()
    before = _descriptors()
    halves = [served.connect() for _ in range(500)]
    for half in halves:
        half.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n")
    for _ in range(20):
        client.request("GET", "/quick")
        assert client.answer().status == 200
    for half in halves:
        half.close()
    deadline = time.monotonic() + GONE_S
    while _descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _descriptors() <= before


def test_over_the_limit_the_oldest_idle_connection_goes(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes(), limit=3)
    clients = [talk(served) for _ in range(3)]
    for client in clients:
        client.request("GET", "/quick")
        client.answer()
    fourth = talk(served)
    fourth.request("GET", "/quick")
    assert fourth.answer().status == 200
    assert clients[0].closed()
    clients[1].request("GET", "/quick")
    assert clients[1].answer().status == 200


def test_nothing_is_left_of_a_connection(serve: Serve, talk: Connect, probe: Probe) -> None:
    served = serve(probe.routes())
    client = talk(served)
    client.request("GET", "/quick")
    client.answer()
    before = _descriptors()
    for _ in range(20):
        with Talk(served.connect()) as other:
            other.request("GET", "/endless")
            other.head()
            other.sock.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + GONE_S
    while _descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _descriptors() <= before
    gc.collect()
    assert len(served.server._connections) == 1


def _descriptors() -> int:
    return len(os.listdir(Path("/proc/self/fd")))


def test_secrets_stay_out_of_the_log(
    serve: Serve, talk: Connect, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    """A-08."""
    caplog.set_level(logging.DEBUG)
    client = talk(serve(probe.routes()))
    canary = "canary-" + "s3cret"
    for method, target in (("GET", "/quick"), ("GET", "/missing"), ("GET", "/broken"), ("POST", "/conflict")):
        body = b'{"password":"%b"}' % canary.encode() if method == "POST" else b""
        client.request(method, f"{target}?buildargs={canary}", body, X_Registry_Auth=canary)
        assert canary.encode() not in client.answer().body
    assert "Calling GET /quick" in caplog.text
    assert canary not in caplog.text
