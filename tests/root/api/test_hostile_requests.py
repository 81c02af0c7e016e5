"""A-04, A-05, A-06: requests that mean harm, sent to a real engine: told in the caller's words, without any effect."""

from __future__ import annotations

import http.client
import json
import os
import socket
import typing
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.wire.containers import CreateContainer, UpdateContainer
from havre.wire.exec import ExecConfig
from havre.wire.networks import ConnectNetwork, CreateNetwork
from havre.wire.volumes import CreateVolume
from tests.support.engines import Havre
from tests.support.http import Answer, UnixConnection

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

WRONG = {
    "null": b"null",
    "true": b"true",
    "text": b'"text"',
    "empty text": b'""',
    "huge": b"123456789012345678901234567890",
    "largest": b"9223372036854775807",
    "negative": b"-1",
    "smallest": b"-9223372036854775808",
    "NaN": b"NaN",
    "float": b"1.5",
    "deep": b"[" * 5000 + b"]" * 5000,
    "unicode digit": '"\u0661"'.encode(),
    "NUL": b'"a\\u0000b"',
    "newline": b'"a\\nb"',
    "way out": b'"../../../etc"',
    "list": b'["a\\nb"]',
    "list of empty": b'["", null]',
    "list of objects": b"[{}]",
    "object": b'{"a\\nb": {}}',
    "object of text": b'{"../x": "y\\nz"}',
}


def paths(shape: Any, depth: int = 0) -> Iterator[tuple[str, ...]]:
    for name, hint in typing.get_type_hints(shape).items():
        yield (name,)
        for part in typing.get_args(hint):
            if typing.is_typeddict(part) and depth < 3:
                yield from ((name, *path) for path in paths(part, depth + 1))


def bodies(shape: Any, base: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    """*base* with one field changed to one wrong value."""
    for path in paths(shape):
        for name, wrong in WRONG.items():
            field = wrong
            for key in reversed(path[1:]):
                field = b'{"%b":%b}' % (key.encode(), field)
            rest = b"".join(
                b"%b:%b," % (json.dumps(key).encode(), json.dumps(value).encode())
                for key, value in base.items()
                if key != path[0]
            )
            yield f"{'.'.join(path)} = {name}", b'{%b"%b":%b}' % (rest, path[0].encode(), field)


class Line:
    """One connection that is made again when the engine ended it."""

    def __init__(self, engine: Havre) -> None:
        self.path = engine.socket
        self.connection = UnixConnection(self.path)

    def call(self, method: str, path: str, body: bytes = b"") -> Answer:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            self.connection.request(method, f"/v1.50{path}", body or None, headers)
            answer = self.connection.getresponse()
        except (http.client.HTTPException, OSError):
            self.connection.close()
            self.connection = UnixConnection(self.path)
            self.connection.request(method, f"/v1.50{path}", body or None, headers)
            answer = self.connection.getresponse()
        return Answer(answer.status, {}, answer.read())

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def line(havre: Havre) -> Iterator[Line]:
    with closing(Line(havre)) as made:
        yield made


def told(answer: Answer) -> bool:
    """Whether this is an answer that the caller can read: a success, or its own fault with a message.

    One refusal has 500 as Docker's own status.
    """
    if answer.status < 300:
        return True
    words = str(answer.json["message"])
    return (
        (400 <= answer.status < 500 or answer.status == 501 or words.startswith("--storage-opt is supported only"))
        and bool(words)
        and "Traceback" not in words
        and len(words) < 2000
    )


def test_every_field_of_a_container(havre: Havre, line: Line) -> None:
    """A-04: what is refused has made nothing; what is taken is there and can be removed."""
    bad, refused = [], 0
    for words, body in bodies(CreateContainer, {"Image": "busybox", "Cmd": ["true"]}):
        answer = line.call("POST", "/containers/create", body)
        if not told(answer):
            bad.append((words, answer.status, answer.body[:200]))
        if answer.status == 201:
            assert line.call("DELETE", f"/containers/{answer.json['Id']}?force=1&v=1").status == 204
        else:
            refused += 1
    assert not bad, "\n".join(map(str, bad))
    assert refused > 300
    assert json.loads(line.call("GET", "/containers/json?all=1").body) == []
    assert json.loads(line.call("GET", "/volumes").body)["Volumes"] in ([], None)
    assert havre.out("network", "ls", "--format", "{{.Name}}").split() == ["bridge", "host", "none"]


def test_every_field_of_what_runs(havre: Havre, line: Line) -> None:
    """A-04: update, exec and the settings of an endpoint."""
    name = havre.out("run", "-d", "busybox", "sleep", "1000")
    before = line.call("GET", f"/containers/{name}/json").json["HostConfig"]
    bad = []
    for words, body in bodies(UpdateContainer, {}):
        answer = line.call("POST", f"/containers/{name}/update", body)
        by_the_kernel = answer.status == 500 and b"Cannot update container" in answer.body  # as Docker tells it
        if not told(answer) and not by_the_kernel:
            bad.append(("update", words, answer.status, answer.body[:200]))
        if answer.status != 200:
            assert line.call("GET", f"/containers/{name}/json").json["HostConfig"] == before, words
        before = line.call("GET", f"/containers/{name}/json").json["HostConfig"]
    for words, body in bodies(ExecConfig, {"Cmd": ["true"]}):
        answer = line.call("POST", f"/containers/{name}/exec", body)
        if not told(answer):
            bad.append(("exec", words, answer.status, answer.body[:200]))
    havre.docker("network", "create", "mesh", check=True)
    for words, body in bodies(ConnectNetwork, {"Container": name}):
        answer = line.call("POST", "/networks/mesh/connect", body)
        if not told(answer):
            bad.append(("connect", words, answer.status, answer.body[:200]))
        if answer.status == 200:
            havre.docker("network", "disconnect", "mesh", name, check=True)
    havre.docker("rm", "-f", name, check=True)
    havre.docker("network", "rm", "mesh", check=True)
    assert not bad, "\n".join(map(str, bad))


def test_every_field_of_networks_and_volumes(havre: Havre, line: Line) -> None:
    """A-04."""
    bad = []
    for kind, shape, base in (
        ("networks", CreateNetwork, {"Name": "tried"}),
        ("volumes", CreateVolume, {"Name": "tried"}),
    ):
        for words, body in bodies(shape, base):
            answer = line.call("POST", f"/{kind}/create", body)
            if not told(answer):
                bad.append((kind, words, answer.status, answer.body[:200]))
            if answer.status == 201:
                made = answer.json.get("Id") or answer.json["Name"]
                assert line.call("DELETE", f"/{kind}/{made}").status == 204
    assert not bad, "\n".join(map(str, bad))
    assert json.loads(line.call("GET", "/volumes").body)["Volumes"] in ([], None)
    assert havre.out("network", "ls", "--format", "{{.Name}}").split() == ["bridge", "host", "none"]


HUGE = {
    "cpus": {"CpusetCpus": "0-2147483647"},
    "memory nodes": {"CpusetMems": "0-4294967295"},
    "ports": {"PortBindings": {"1-65535/tcp": [{"HostPort": "1-65535"}]}},
    "port": {"PortBindings": {"80/tcp": [{"HostPort": "99999999999999999999"}]}},
    "handles": {"Ulimits": [{"Name": "nofile", "Soft": 2**63 - 1, "Hard": 2**63 - 1}]},
    "memory": {"Memory": 2**63 - 1},
    "nano cpus": {"NanoCpus": 2**63 - 1},
    "shared memory": {"ShmSize": 2**63 - 1},
    "processes": {"PidsLimit": 2**63 - 1},
    "mask": {"MaskedPaths": ["/x"] * 100_000},
}


@pytest.mark.parametrize("what", HUGE)
def test_huge_values_cost_nothing(havre: Havre, line: Line, what: str) -> None:
    """A-05, CVE-2018-20699: neither time nor memory goes with the number."""
    line.call("GET", "/containers/json?all=1")
    before = peak_kb(havre.pid)
    answer = line.call(
        "POST",
        "/containers/create",
        json.dumps({"Image": "busybox", "Cmd": ["true"], "HostConfig": HUGE[what]}).encode(),
    )
    if answer.status == 201:
        started = line.call("POST", f"/containers/{answer.json['Id']}/start")
        assert started.status == 204 or started.message
        assert line.call("DELETE", f"/containers/{answer.json['Id']}?force=1").status == 204
    else:
        assert answer.status == 400
    assert peak_kb(havre.pid) - before < 64 << 10
    assert line.call("GET", "/_ping").status == 200


def peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM"))


ODD = [
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "a%00b",
    "%00",
    "a%0ab",
    ".",
    "%2f",
    "%c0%ae",
    "a" * 5000,
    "%",
    "-",
    "%ff",
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_names_that_are_paths(havre: Havre, line: Line, odd: str) -> None:
    """A-06: each parameter of each kind of route."""
    for method, path in (
        ("GET", f"/containers/{odd}/json"),
        ("POST", f"/containers/{odd}/start"),
        ("DELETE", f"/containers/{odd}"),
        ("POST", f"/containers/create?name={odd}"),
        ("GET", f"/containers/{odd}/logs?stdout=1"),
        ("GET", f"/containers/{odd}/archive?path=/"),
        ("GET", f"/images/{odd}/json"),
        ("GET", f"/images/{odd}/get"),
        ("DELETE", f"/images/{odd}"),
        ("POST", f"/images/busybox/tag?repo={odd}"),
        ("GET", f"/volumes/{odd}"),
        ("DELETE", f"/volumes/{odd}"),
        ("GET", f"/networks/{odd}"),
        ("DELETE", f"/networks/{odd}"),
        ("GET", f"/exec/{odd}/json"),
        ("POST", f"/exec/{odd}/start"),
    ):
        body = b'{"Image":"busybox","Cmd":["true"]}' if "create" in path else b""
        answer = line.call(method, path, body)
        assert 300 <= answer.status < 500, (method, path, answer.status, answer.body[:200])
    assert json.loads(line.call("GET", "/containers/json?all=1").body) == []
    assert (Path("/etc/passwd")).exists()
    assert sorted(os.listdir(havre.data_root))


SEGMENTS = st.sampled_from(
    [
        *("containers", "images", "volumes", "networks", "exec", "build", "json", "create", "prune", "v1.41", "v9.99"),
        *("x", "..", "", "%2e", "%00", "busybox", "start", "logs", "archive", "get", "load", "session", "grpc"),
    ]
)
KEYS = st.sampled_from(["all", "filters", "limit", "since", "path", "name", "t", "signal", "stdout", "tail", "x"])
VALUES = st.sampled_from(["", "1", "-1", "{", '{"a":1}', "null", "9" * 40, "%00", "..", "%ff", "nan", "\u0661"])


@given(st.lists(SEGMENTS, max_size=5), st.lists(st.tuples(KEYS, VALUES), max_size=4), st.sampled_from(["GET", "HEAD"]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_target_is_a_route_or_refused(
    havre: Havre, segments: list[str], query: list[tuple[str, str]], method: str
) -> None:
    """A-06: what is read alone can be asked with anything."""
    if {"events", "session", "grpc"} & set(segments):
        return
    target = "/" + "/".join(segments) + "?" + "&".join(f"{key}={value}" for key, value in query)
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(30)
        plain.connect(str(havre.socket))
        plain.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = int(plain.recv(65536).split()[1])
    assert status < 500 or status == 501, target


def test_the_engine_has_the_handles_it_had(havre: Havre, line: Line) -> None:
    before = len(os.listdir(f"/proc/{havre.pid}/fd"))
    for _ in range(50):
        line.call("POST", "/containers/create", b'{"Image": "busybox", "HostConfig": {"Memory": -1}}')
        line.call("GET", "/containers/%2e%2e/json")
    assert len(os.listdir(f"/proc/{havre.pid}/fd")) <= before + 2
