"""What each route asks of its service, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from havre.api.routes import (
    attach,
    build,
    build_sessions,
    commit,
    containers,
    events,
    exec,  # noqa: A004
    files,
    images,
    logs,
    networks,
    refused,
    registries,
    stats,
    system,
    volumes,
)
from havre.api.routes.attach import AttachAsked
from havre.api.routes.images import ImportWishes, PullWishes, PushWishes
from havre.base.errors import Conflict, InvalidInput
from havre.logs.entries import LogLine
from havre.logs.follow import LogWishes
from havre.wire.stream import header
from tests.fakes import engine as fakes
from tests.fakes.engine import Asked
from tests.fakes.files import FakeCommits, FakeFiles
from tests.fakes.served import Answer, Served, Talk

GONE_S = 5
UPGRADE: Any = {"Connection": "Upgrade", "Upgrade": "tcp"}


class World:
    """All routes over fakes."""

    def __init__(self, folder: Path) -> None:
        self.asked = Asked()
        self.containers = fakes.FakeContainers(self.asked)
        self.logs = fakes.FakeLogs(self.asked)
        self.attaching = fakes.FakeAttaching(self.asked)
        self.execs = fakes.FakeExecs(self.asked)
        self.events = fakes.FakeEvents(self.asked)
        self.images = fakes.FakeImages(self.asked)
        self.builds = fakes.FakeBuilds(self.asked)
        self.system = fakes.FakeSystem()
        self.served = Served(
            [
                *containers.routes(self.containers),
                *containers.life_routes(self.containers),
                *containers.watch_routes(self.containers),
                *stats.routes(fakes.FakeStats(self.asked)),
                *logs.routes(self.logs),
                *attach.routes(self.attaching),
                *exec.routes(self.execs),
                *events.routes(self.events),
                *files.routes(FakeFiles(self.asked)),
                *commit.routes(FakeCommits(self.asked)),
                *build.routes(self.builds, self.builds),
                *build_sessions.routes(self.builds, self.builds),
                *images.archive_routes(self.images, self.images),
                *images.routes(self.images),
                *networks.routes(fakes.FakeNetworks()),
                *registries.routes(fakes.FakeRegistries(self.asked)),
                *volumes.routes(fakes.FakeVolumes()),
                *volumes.routes(fakes.FakeVolumes()),
                *system.routes(self.system),
                *refused.routes(),
            ],
            folder,
        )

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        with Talk(self.served.connect()) as client:
            client.request(method, target, body, **headers)
            return client.answer(bodiless=method == "HEAD")

    @property
    def last(self) -> tuple[object, ...]:
        return self.asked.calls[-1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with made.served:
        yield made


def test_create(world: World) -> None:
    answer = world.ask("POST", "/containers/create?name=x&platform=linux/amd64", b'{"Image":"bb","Cmd":["a"]}')
    assert (answer.status, json.loads(answer.body)) == (201, {"Id": "f" * 64, "Warnings": []})
    assert world.last == ("create", {"Image": "bb", "Cmd": ["a"]}, "x", "linux/amd64")
    world.ask("POST", "/containers/create", b'{"Image":"bb"}')
    assert world.asked.calls[1] == ("create", {"Image": "bb"}, None, None)


@pytest.mark.parametrize("body", [b"{}", b'{"HostConfig":{}}', b"null"])
def test_create_wants_a_config(world: World, body: bytes) -> None:
    answer = world.ask("POST", "/containers/create", body)
    assert answer.status == 400
    assert b"config cannot be empty" in answer.body
    assert not world.asked.calls


def test_an_old_client_gets_a_namespace_that_others_can_join(world: World) -> None:
    for version, given, wanted in (("1.39", "", "shareable"), ("1.39", "none", "none"), ("1.40", "", "")):
        body = b'{"Image":"x","HostConfig":{"IpcMode":"%s"}}' % given.encode()
        world.ask("POST", f"/v{version}/containers/create", body)
        assert world.last[1] == {"Image": "x", "HostConfig": {"IpcMode": wanted}}


def test_several_networks_need_a_new_client(world: World) -> None:
    body = b'{"Image":"x","NetworkingConfig":{"EndpointsConfig":{"a":{},"b":null}}}'
    assert world.ask("POST", "/v1.43/containers/create", body).status == 400
    assert world.ask("POST", "/v1.44/containers/create", body).status == 201


def test_list(world: World) -> None:
    filters = '{"status":{"exited":true}}'
    world.ask("GET", f"/containers/json?all=1&limit=3&size=true&filters={filters}")
    assert world.last == ("list", True, 3, True, {"status": {"exited"}})
    world.ask("GET", "/containers/json")
    assert world.last == ("list", False, 0, False, {})
    assert world.ask("GET", "/containers/json?limit=x").status == 400
    assert world.ask("GET", "/containers/json?filters=[").status == 400


def test_rows_that_are_encoded_are_sent_as_they_are(world: World) -> None:
    world.containers.rows = b'[{"Id":1 }]'
    assert world.ask("GET", "/containers/json").body == b'[{"Id":1 }]\n'


@pytest.mark.parametrize(
    ("method", "target", "status", "call"),
    [
        ("GET", "/containers/c1/json?size=1", 200, ("inspect", "c1", True)),
        ("POST", "/containers/c1/start?detachKeys=ctrl-a", 204, ("start", "c1", "ctrl-a")),
        ("POST", "/containers/c1/stop?t=3&signal=INT", 204, ("stop", "c1", 3, "INT")),
        ("POST", "/containers/c1/stop?t=-1", 204, ("stop", "c1", -1, None)),
        ("POST", "/containers/c1/stop", 204, ("stop", "c1", None, None)),
        ("POST", "/containers/c1/restart?t=0", 204, ("restart", "c1", 0, None)),
        ("POST", "/containers/c1/kill?signal=HUP", 204, ("kill", "c1", "HUP")),
        ("POST", "/containers/c1/kill", 204, ("kill", "c1", "SIGKILL")),
        ("POST", "/containers/c1/pause", 204, ("pause", "c1")),
        ("POST", "/containers/c1/unpause", 204, ("unpause", "c1")),
        ("POST", "/containers/c1/rename?name=n", 204, ("rename", "c1", "n")),
        ("POST", "/containers/c1/resize?h=40&w=100", 200, ("resize", "c1", 40, 100)),
        ("GET", "/containers/c1/top?ps_args=-o+pid,comm", 200, ("top", "c1", "-o pid,comm")),
        ("GET", "/containers/c1/top", 200, ("top", "c1", "-ef")),
        ("DELETE", "/containers/c1?force=1&v=1", 204, ("remove", "c1", True, True, False)),
        ("DELETE", "/containers/c1?link=true", 204, ("remove", "c1", False, False, True)),
        ("POST", "/containers/prune", 200, ("prune", {})),
        ("POST", "/exec/e1/resize?h=1&w=2", 200, ("resize", "e1", 1, 2)),
        ("GET", "/images/json?all=1", 200, ("list", {}, True, False)),
        ("GET", "/images/127.0.0.1:5000/a/b:1/json", 200, ("inspect", "127.0.0.1:5000/a/b:1", "")),
        ("GET", "/images/bb/history", 200, ("history", "bb", "")),
        ("POST", "/images/bb/tag?repo=127.0.0.1:5000/bb&tag=1", 201, ("tag", "bb", "127.0.0.1:5000/bb:1")),
        ("DELETE", "/images/a/b:1?force=1&noprune=1", 200, ("remove", "a/b:1", True, False, "")),
        ("DELETE", "/images/bb", 200, ("remove", "bb", False, True, "")),
        ("POST", '/images/prune?filters={"dangling":{"true":true}}', 200, ("prune", {"dangling": {"true"}})),
        ("GET", "/images/get?names=a&names=b", 200, ("save", ["a", "b"])),
        ("GET", "/images/a/b:1/get", 200, ("save", ["a/b:1"])),
    ],
)
def test_what_is_asked(world: World, method: str, target: str, status: int, call: tuple[object, ...]) -> None:
    assert world.ask(method, target).status == status
    assert world.last == call


@pytest.mark.parametrize("version", ["", "/v1.24", "/v1.50"])
def test_an_unknown_container(world: World, version: str) -> None:
    answer = world.ask("GET", f"{version}/containers/x/json")
    assert (answer.status, answer.body) == (404, b'{"message":"No such container: x"}\n')


@pytest.mark.parametrize(
    "target",
    [
        "/containers/c1/stop?t=x",
        "/containers/c1/stop?t=1_0",
        "/containers/c1/stop?t=99999999999",
        "/containers/c1/resize",
        "/containers/c1/resize?h=-1&w=1",
        "/containers/c1/resize?h=1&w=70000",
        "/containers/c1/wait?condition=never",
        "/containers/c1/stop?t=%zz",
        "/containers/c1/stop?a;b",
        "/containers/c1/start?detachKeys=%00",
    ],
)
def test_wrong_queries_have_no_effect(world: World, target: str) -> None:
    assert world.ask("POST", target).status == 400
    assert not world.asked.calls


def test_start_takes_no_body(world: World) -> None:
    assert world.ask("POST", "/containers/c1/start", b'{"Binds":[]}').status == 400
    assert world.ask("POST", "/containers/c1/start", b"{}").status == 204
    assert world.ask("POST", "/containers/c1/start?checkpoint=x").status == 501


def test_a_stopped_container(world: World) -> None:
    world.containers.stopped = True
    answer = world.ask("POST", "/containers/c1/stop")
    assert (answer.status, answer.body) == (304, b"")
    assert world.ask("POST", "/containers/c1/kill").status == 409


def test_wait_answers_its_head_before_the_end(world: World) -> None:
    with Talk(world.served.connect()) as client:
        client.request("POST", "/containers/c1/wait?condition=removed")
        assert client.head()[0] == 200
        assert world.last == ("waiter", "c1", "removed")
        world.served.loop.call_soon_threadsafe(world.containers.exit, 7)
        assert client.chunk() == b'{"StatusCode":7}\n'
        assert client.chunk() == b""
    assert world.ask("POST", "/containers/x/wait").status == 404


def test_a_waiter_whose_client_goes_is_forgotten(world: World) -> None:
    with Talk(world.served.connect()) as client:
        client.request("POST", "/containers/c1/wait")
        client.head()
    assert world.containers.ended.wait(GONE_S)


def test_events_are_streamed_from_the_first_moment(world: World) -> None:
    world.events.forever = True
    with Talk(world.served.connect()) as client:
        client.request("GET", '/events?since=1.5&until=2&filters={"type":{"container":true}}')
        _, _, headers = client.head()
        assert headers["content-type"] == "application/json"
        assert client.chunk() == b'{"Type":"container","Action":"start"}\n'
    assert world.events.closed.wait(GONE_S)
    assert world.last == ("subscribe", {"type": {"container"}}, 1_500_000_000, 2_000_000_000)


def test_events_of_a_time_that_ends_before_it_begins(world: World) -> None:
    assert world.ask("GET", "/events?since=3&until=2").status == 400
    assert world.ask("GET", "/events?since=x").status == 400


LINES = [LogLine(1, 1, b"out\n", False, {"b": "x y", "a": "1"}), LogLine(1_500_000_000, 2, b"err\n", False)]


def test_logs_are_framed(world: World) -> None:
    world.logs.lines = LINES
    answer = world.ask("GET", "/containers/c1/logs?stdout=1&stderr=1&tail=all&follow=1&since=3")
    assert answer.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert answer.body == header(1, 4) + b"out\n" + header(2, 4) + b"err\n"
    wishes = LogWishes(tail=None, since_ns=3_000_000_000, follow=True, stdout=True, stderr=True)
    assert world.last == ("logs", "c1", wishes)


def test_logs_with_times_and_details(world: World) -> None:
    world.logs.lines, world.logs.tty = LINES, True
    answer = world.ask("GET", "/containers/c1/logs?stdout=1&timestamps=1&details=1&tail=5")
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"
    assert answer.body == (b"1970-01-01T00:00:00.000000001Z a=1,b=x+y out\n1970-01-01T00:00:01.500000000Z  err\n")
    assert world.last == ("logs", "c1", LogWishes(tail=5, stdout=True, stderr=False))


def test_old_clients_hear_that_every_stream_is_raw(world: World) -> None:
    answer = world.ask("GET", "/v1.41/containers/c1/logs?stdout=1")
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"


def test_logs_of_no_stream(world: World) -> None:
    answer = world.ask("GET", "/containers/c1/logs")
    assert (answer.status, answer.body) == (400, b'{"message":"Bad parameters: you must choose at least one stream"}\n')


def test_a_follower_that_goes_is_forgotten(world: World) -> None:
    world.logs.lines, world.logs.forever = LINES, True
    with Talk(world.served.connect()) as client:
        client.request("GET", "/containers/c1/logs?stdout=1&follow=1")
        client.head()
        client.chunk()
        assert not world.logs.closed.is_set()
    assert world.logs.closed.wait(GONE_S)


def test_a_long_log_comes_in_few_pieces(world: World) -> None:
    world.logs.lines = [LogLine(1, 1, b"x" * 99 + b"\n", False)] * 20_000
    with Talk(world.served.connect()) as client:
        client.request("GET", "/containers/c1/logs?stdout=1")
        client.head()
        sizes = []
        while piece := client.chunk():
            sizes.append(len(piece))
    assert sum(sizes) == 20_000 * 108
    assert len(sizes) < 100


def test_attach(world: World) -> None:
    with Talk(world.served.connect()) as client:
        client.request("POST", "/containers/c1/attach?stream=1&stdin=1&stdout=1&stderr=1&detachKeys=ctrl-x", **UPGRADE)
        status, _, headers = client.head()
        assert (status, headers["content-type"]) == (101, "application/vnd.docker.multiplexed-stream")
        client.send(b"hello")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.until_closed() == b"<>hello<end>"
    assert world.last == ("attach", "c1", AttachAsked(True, False, True, True, True, "ctrl-x"))


def test_attach_to_what_is_not_there(world: World) -> None:
    assert world.ask("POST", "/containers/x/attach?stream=1", **UPGRADE).status == 404


def test_attach_with_what_was_said_before(world: World) -> None:
    world.attaching.lines, world.attaching.tty = LINES, True
    with Talk(world.served.connect()) as client:
        client.request("POST", "/v1.41/containers/c1/attach?logs=1&stdout=1", **UPGRADE)
        assert client.head()[2]["content-type"] == "application/vnd.docker.raw-stream"
        assert client.until_closed() == b"out\nerr\n"


def test_exec_create(world: World) -> None:
    answer = world.ask("POST", "/containers/c1/exec", b'{"Cmd":["ls"],"Tty":true}')
    assert (answer.status, answer.body) == (201, b'{"Id":"%b"}\n' % (b"e" * 64))
    assert world.ask("POST", "/containers/c1/exec", b'{"Cmd":[]}').status == 400
    assert world.ask("POST", "/containers/c1/exec", b"").status == 400
    assert world.ask("POST", "/containers/x/exec", b'{"Cmd":["ls"]}').status == 404


def test_exec_start_reads_its_body_before_the_switch(world: World) -> None:
    """llhttp ends the message at the head when there is an Upgrade, even with a Content-Length."""
    with Talk(world.served.connect()) as client:
        body = b'{"Detach":false,"Tty":true}'
        # In one piece: the session may be over before a second one is sent.
        head = [f"{name}: {value}" for name, value in UPGRADE.items()]
        lines = ["POST /exec/e1/start HTTP/1.1", "Host: docker", *head, "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}", "", ""]
        client.send("\r\n".join(lines).encode() + body + b"early")
        status, _, headers = client.head()
        assert (status, headers["content-type"]) == (101, "application/vnd.docker.raw-stream")
        rest = client.until_closed()
    assert rest in (b"<early>", b"<>")
    assert world.last[:3] == ("start", "e1", {"Detach": False, "Tty": True})


def test_exec_start_detached(world: World) -> None:
    answer = world.ask("POST", "/exec/e1/start", b'{"Detach":true}')
    assert (answer.status, answer.body) == (200, b"")


def test_exec_start_of_what_is_not_there(world: World) -> None:
    answer = world.ask("POST", "/exec/e2/start", b"{}", **UPGRADE)
    assert (answer.status, answer.body) == (404, b'{"message":"No such exec instance: e2"}\n')


def test_an_exec_that_fails_says_so_in_its_stream(world: World) -> None:
    world.execs.failure = InvalidInput("OCI runtime exec failed: no such file")
    with Talk(world.served.connect()) as client:
        client.request("POST", "/exec/e1/start", b"{}", **UPGRADE)
        client.head()
        text = b"OCI runtime exec failed: no such file\r\n"
        assert client.until_closed() == header(1, len(text)) + text


def test_load(world: World) -> None:
    answer = world.ask("POST", "/images/load?quiet=1", b"5\r\nabcde\r\n0\r\n\r\n", Transfer_Encoding="chunked")
    assert (answer.status, answer.body) == (200, b'{"stream":"Loaded image: x\\n"}\r\n')
    assert world.last == ("load", 5, True)


def test_a_load_that_fails_at_once_is_a_status(world: World) -> None:
    world.images.failure = Conflict("bad archive")
    answer = world.ask("POST", "/images/load", b"x", Content_Type="application/x-tar")
    assert (answer.status, answer.body) == (409, b'{"message":"bad archive"}\n')


def test_a_load_that_fails_later_is_a_line(world: World) -> None:
    world.images.failure, world.images.fail_after = Conflict("bad archive"), 1
    answer = world.ask("POST", "/images/load", b"x", Content_Type="application/x-tar")
    assert answer.status == 200
    assert answer.body.endswith(b'{"errorDetail":{"message":"bad archive"},"error":"bad archive"}\r\n')


def test_save(world: World) -> None:
    answer = world.ask("GET", "/images/get?names=a")
    assert (answer.body, answer.headers["content-type"]) == (b"tarball", "application/x-tar")
    assert world.ask("GET", "/images/get?names=nosuch").status == 404
    assert world.ask("GET", "/images/get").status == 400


@pytest.mark.parametrize(
    ("platform", "status"),
    [
        ('{"os":"linux","architecture":"arm64","variant":"v8"}', 200),
        ("x", 400),
        ('{"os":1}', 400),
        ("{}&platform={}", 501),
    ],
)
def test_one_platform_of_an_archive(world: World, platform: str, status: int) -> None:
    target = quote(platform, safe="&=")
    answer = world.ask("GET", f"/images/get?names=a&platform={target}")
    assert answer.status == status
    if status == 200:
        assert world.last == ("save", ["a"], "linux/arm64/v8")
    assert world.ask("POST", f"/images/load?platform={target}", b"x").status == status
    for method, path in (("GET", "/images/a/json"), ("GET", "/images/a/history"), ("DELETE", "/images/a")):
        field = "platforms" if method == "DELETE" else "platform"
        answer = world.ask(method, f"{path}?{field}={target.replace('&platform', '&' + field)}")
        assert answer.status == status
        assert status != 200 or world.last[-1] == "linux/arm64/v8"


def test_import(world: World) -> None:
    target = "/images/create?fromSrc=-&repo=imp:1&changes=CMD+sh&changes=ENV+A=1&message=m&platform=linux"
    answer = world.ask("POST", target, b"tar", Content_Type="text/plain")
    assert (answer.status, answer.body) == (200, b'{"status":"sha256:2"}\r\n')
    assert world.last == ("import", b"tar", ImportWishes("imp:1", ("CMD sh", "ENV A=1"), "m", "linux"))
    assert world.ask("POST", "/images/create?fromSrc=http://127.0.0.1:9/x.tar").status == 501


@pytest.mark.parametrize(
    ("query", "reference"),
    [("fromImage=a.b/c&tag=1", "a.b/c:1"), ("fromImage=a", "a"), ("fromImage=a&tag=sha256:0", "a@sha256:0")],
)
def test_pull(world: World, query: str, reference: str) -> None:
    auth = base64.urlsafe_b64encode(b'{"username":"u","password":"p"}').decode()
    answer = world.ask("POST", f"/images/create?{query}&platform=linux/arm64", X_Registry_Auth=auth)
    assert (answer.status, answer.body) == (200, b'{"status":"Pulling from x","id":"latest"}\r\n')
    assert world.last == ("pull", PullWishes(reference, "linux/arm64", {"username": "u", "password": "p"}))


def test_what_fails_before_its_first_line_has_a_status(world: World) -> None:
    assert world.ask("POST", "/images/create?fromImage=no/such").status == 404


@pytest.mark.parametrize("header", ["", "e30=", "e30", "eyJ1c2VybmFtZSI6Ij8_Pz8ifQ"])
def test_the_header_of_who_asks(world: World, header: str) -> None:
    assert world.ask("POST", "/images/create?fromImage=a", X_Registry_Auth=header).status == 200


@pytest.mark.parametrize("header", ["!", "e30=x", "WzFd", "eyJ1c2VybmFtZSI6MX0="])
def test_a_header_that_tells_nobody(world: World, header: str) -> None:
    answer = world.ask("POST", "/images/create?fromImage=a", X_Registry_Auth=header)
    assert (answer.status, b"invalid X-Registry-Auth header" in answer.body) == (400, True)


def test_login(world: World) -> None:
    answer = world.ask("POST", "/auth", b'{"username":"u","serveraddress":"h:1"}', Content_Type="application/json")
    assert (answer.status, b"Login Succeeded" in answer.body) == (200, True)
    assert world.last == ("login", {"username": "u", "serveraddress": "h:1"})


def test_search(world: World) -> None:
    target = "/images/search?term=h:1/x&limit=5&filters=" + quote('{"stars":["3"]}')
    assert world.ask("GET", target).status == 200
    assert world.last == ("search", "h:1/x", 5, {"stars": frozenset({"3"})}, {})


def test_what_a_name_means(world: World) -> None:
    assert world.ask("GET", "/distribution/h:1/a/b:c/json").status == 200
    assert world.last == ("distribution", "h:1/a/b:c", {})


def test_push(world: World) -> None:
    answer = world.ask("POST", "/images/localhost:5000/a/b/push?tag=1")
    assert answer.status == 200
    assert world.last == ("push", PushWishes("localhost:5000/a/b:1", "", {}))
    failed = world.ask("POST", "/images/x/push?tag=nosuch")
    assert (failed.status, b'"error":"tag does not exist: x:nosuch"' in failed.body) == (200, True)


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/networks/create", {"Name": "n", "Driver": None}, 201),
        ("/networks/x/connect", {"Container": "c", "EndpointConfig": {"Aliases": ["a"]}}, 200),
        ("/networks/x/disconnect", {"Container": "c", "Force": True}, 200),
        ("/networks/create", {"Name": 5}, 400),
        ("/networks/x/connect", {"Container": "c", "EndpointConfig": []}, 400),
    ],
)
def test_networks_are_made_and_joined(world: World, target: str, body: object, status: int) -> None:
    assert world.ask("POST", target, json.dumps(body).encode()).status == status


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/volumes", 200),
        ("GET", "/volumes/one", 200),
        ("GET", "/volumes/x", 404),
        ("DELETE", "/volumes/x", 404),
        ("DELETE", "/volumes/x?force=1", 204),
        ("PUT", "/volumes/one", 503),
        ("POST", "/volumes/prune", 200),
        ("GET", "/networks", 200),
        ("GET", "/networks/bridge", 200),
        ("GET", "/networks/x", 404),
        ("POST", "/networks/prune", 200),
        ("DELETE", "/networks/x", 204),
        ("GET", "/plugins", 200),
        ("GET", "/plugins/x/json", 404),
        ("GET", "/swarm", 503),
        ("GET", "/nodes", 503),
        ("GET", "/services/x", 503),
        ("POST", "/swarm/init", 501),
        ("POST", "/build/cancel", 501),
        ("POST", "/session", 501),
        ("POST", "/auth", 400),
        ("POST", "/system/check?repair=1", 200),
        ("GET", "/images/search?term=x", 200),
        ("GET", "/images/search?term=x&limit=y", 400),
        ("GET", "/distribution/a/b/json", 200),
        ("GET", "/containers/c1/stats", 200),
        ("GET", "/containers/c1/stats?stream=0&one-shot=1", 200),
        ("GET", "/containers/c1/stats?one-shot=1", 400),
        ("POST", "/containers/c1/update", 400),
        ("GET", "/containers/c1/attach/ws", 400),
        ("GET", "/containers/c1/checkpoints", 501),
        ("GET", "/version", 200),
        ("GET", "/info", 200),
        ("GET", "/system/df", 200),
        ("GET", "/nothing", 404),
        ("POST", "/containers/json", 404),
        ("PATCH", "/containers/c1", 404),
    ],
)
def test_every_other_door(world: World, method: str, target: str, status: int) -> None:
    answer = world.ask(method, target)
    assert answer.status == status
    if status >= 400 and method != "HEAD":
        assert json.loads(answer.body)["message"]


def test_disk_usage_of_some_kinds(world: World) -> None:
    """Up to 1.41 the whole of the cache is told too."""
    new = world.ask("GET", "/system/df?type=image&type=volume")
    assert world.system.kinds == {"image", "volume"}
    assert "BuilderSize" not in json.loads(new.body)
    assert json.loads(world.ask("GET", "/v1.41/system/df").body)["BuilderSize"] == 0
    assert world.system.kinds == frozenset()


def test_every_endpoint_of_the_api_is_known() -> None:
    """None answers 404 for want of a route."""
    from havre.api.router import Router

    listed = Path("/work/shared/spec/engine-api.json")
    if not listed.exists():
        pytest.skip("the list of endpoints is not on this machine")
    asked = Asked()
    fake = fakes.FakeContainers(asked)
    router = Router(
        [
            *containers.routes(fake),
            *containers.life_routes(fake),
            *containers.watch_routes(fake),
            *stats.routes(fakes.FakeStats(asked)),
            *logs.routes(fakes.FakeLogs(asked)),
            *attach.routes(fakes.FakeAttaching(asked)),
            *exec.routes(fakes.FakeExecs(asked)),
            *events.routes(fakes.FakeEvents(asked)),
            *files.routes(FakeFiles(asked)),
            *commit.routes(FakeCommits(asked)),
            *build.routes(fakes.FakeBuilds(asked), fakes.FakeBuilds(asked)),
            *images.archive_routes(fakes.FakeImages(asked), fakes.FakeImages(asked)),
            *images.routes(fakes.FakeImages(asked)),
            *volumes.routes(fakes.FakeVolumes()),
            *networks.routes(fakes.FakeNetworks()),
            *registries.routes(fakes.FakeRegistries(asked)),
            *system.routes(fakes.FakeSystem()),
            *refused.routes(),
        ]
    )
    missing = []
    for endpoints in json.loads(listed.read_text())["endpoints"].values():
        for endpoint in endpoints:
            path = endpoint["path"]
            for name in ("id", "name", "exec", "checkpoint"):
                path = path.replace("{" + name + "}", "x")
            too_new = endpoint["since"].lstrip("≤").split(".")[1] > "50"
            if path != "/_ping" and not too_new and router.find(endpoint["method"], path) is None:
                missing.append(f"{endpoint['method']} {endpoint['path']}")
    assert not missing


def test_ready_bytes_are_not_copied_into_json() -> None:
    from havre.api.response import as_json

    assert as_json(b'{"a":1}').body == b'{"a":1}\n'
    assert asyncio.iscoroutinefunction(fakes.FakeContainers(Asked()).list)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/v1.46/images/json?manifests=1", False),
        ("/v1.47/images/json?manifests=1", True),
        ("/v1.47/images/json", False),
        ("/v1.47/images/x/json?manifests=1", False),
        ("/v1.48/images/x/json?manifests=1", True),
    ],
)
def test_manifests_are_told_to_who_knows_them(world: World, target: str, told: bool) -> None:  # noqa: FBT001
    answer = json.loads(world.ask("GET", target).body)
    row = answer[0] if isinstance(answer, list) else answer
    assert ("Manifests" in row) == told
    assert ("manifests", "sha256:1") in world.asked.calls or not told


def test_manifests_of_one_platform_are_refused(world: World) -> None:
    query = "manifests=1&platform=%7B%22os%22%3A%22linux%22%7D"
    assert world.ask("GET", f"/v1.50/images/x/json?{query}").status == 400


def test_older_clients_see_an_image_as_they_know_it(world: World) -> None:
    newer, older = (json.loads(world.ask("GET", f"/v1.{minor}/images/bb/json").body) for minor in (44, 43))
    assert set(older) - set(newer) == {"VirtualSize"}
    assert newer["ContainerConfig"] == newer.get("Config")
