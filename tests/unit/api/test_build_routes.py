"""POST /build: every word of its query, the archive, and failures before and after the first line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from havre.api.routes import build, build_sessions
from havre.base.errors import InvalidInput
from havre.build.cache_places import CacheKind, CachePlace
from havre.build.model import BuildWishes, CommandFailed, StepLimits
from tests.fakes import engine as fakes
from tests.fakes.served import Answer, Served, Talk


class World:
    def __init__(self, folder: Path) -> None:
        self.asked = fakes.Asked()
        self.builds = fakes.FakeBuilds(self.asked)
        routes = [*build.routes(self.builds, self.builds), *build_sessions.routes(self.builds, self.builds)]
        self.served = Served(routes, folder)

    def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        with Talk(self.served.connect()) as client:
            client.request(method, target, body)
            return client.answer()

    def build(self, query: list[tuple[str, str]], body: bytes = b"tar") -> Answer:
        return self.ask("POST", f"/build?{urlencode(query)}", body)

    @property
    def wishes(self) -> BuildWishes:
        found = self.asked.calls[-1][2]
        assert isinstance(found, BuildWishes)
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with made.served:
        yield made


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.body.splitlines()]


def test_what_docker_s_command_line_sends(world: World) -> None:
    answer = world.build(
        [("t", "b1"), ("buildargs", '{"A":"2","B":null}'), ("dockerfile", "Dockerfile"), ("version", "1")]
    )
    assert answer.status == 200
    assert lines(answer) == [{"stream": "Step 1/1 : FROM x"}]
    kind, received, _, shown, session = world.asked.calls[-1]
    assert (kind, received, shown, session) == ("build", b"tar", "ClassicLines", "")
    assert (world.wishes.names, world.wishes.args) == (("b1",), {"A": "2", "B": None})


def test_every_word(world: World) -> None:
    world.build(
        [
            ("t", "a"),
            ("t", "b:1"),
            ("dockerfile", "d/Dockerfile"),
            ("extrahosts", "x:1.2.3.4"),
            ("extrahosts", '{"y":"5.6.7.8"}'),
            ("nocache", "1"),
            ("pull", "1"),
            ("squash", "1"),
            ("q", "1"),
            ("labels", '{"l":"v"}'),
            ("networkmode", "none"),
            ("platform", "linux/amd64"),
            ("target", "t"),
            ("memory", "1000"),
            ("memswap", "-1"),
            ("cpushares", "5"),
            ("cpuperiod", "6"),
            ("cpuquota", "7"),
            ("cpusetcpus", "0"),
            ("cpusetmems", "0"),
            ("shmsize", "8"),
            ("cgroupparent", "/p"),
            ("ulimits", '[{"Name":"nofile","Hard":2,"Soft":1}]'),
            ("securityopt", '["seccomp=unconfined"]'),
            ("nocachefilter", "s"),
            ("allow", "network.host"),
            ("contexts", '{"c":"docker-image://i"}'),
            ("session", "s1"),
            ("cachefrom", '["app", "type=registry,ref=app:c"]'),
            ("cacheto", '["type=local,dest=f,mode=max"]'),
            ("buildargs", '{"SOURCE_DATE_EPOCH":"12","BUILDKIT_SANDBOX_HOSTNAME":"h"}'),
        ]
    )
    assert world.asked.calls[-1][3:] == ("QuietLines", "s1")
    app = "docker.io/library/app"
    assert world.wishes == BuildWishes(
        cache_from=(
            CachePlace(kind=CacheKind.IMAGE, name="app"),
            CachePlace(kind=CacheKind.REGISTRY, name=f"{app}:c", tag="latest"),
        ),
        cache_to=(CachePlace(kind=CacheKind.LOCAL, name="f", tag="latest", whole=True),),
        inline_cache=True,
        keep_broken=True,
        dockerfile="d/Dockerfile",
        names=("a", "b:1"),
        target="t",
        args={"SOURCE_DATE_EPOCH": "12", "BUILDKIT_SANDBOX_HOSTNAME": "h"},
        labels={"l": "v"},
        contexts={"c": "docker-image://i"},
        no_cache=True,
        no_cache_stages=("s",),
        pull=True,
        squash=True,
        network="none",
        extra_hosts=("x:1.2.3.4", "y:5.6.7.8"),
        platform="linux/amd64",
        security_options=("seccomp=unconfined",),
        allowed=frozenset({"network.host"}),
        source_date_epoch_s=12,
        hostname="h",
        limits=StepLimits(
            memory_bytes=1000,
            memory_swap_bytes=-1,
            cpu_shares=5,
            cpu_period=6,
            cpu_quota=7,
            cpuset_cpus="0",
            cpuset_mems="0",
            shm_bytes=8,
            cgroup_parent="/p",
            ulimits=(("nofile", 1, 2),),
        ),
    )


def test_the_code_of_a_command_comes_with_the_last_line(world: World) -> None:
    world.builds.failure = CommandFailed("The command 'x' returned a non-zero code: 3", 3)
    assert lines(world.build([]))[-1] == {
        "errorDetail": {"code": 3, "message": "The command 'x' returned a non-zero code: 3"},
        "error": "The command 'x' returned a non-zero code: 3",
    }
    world.builds.failure = InvalidInput("other")
    assert lines(world.build([]))[-1]["errorDetail"]["code"] == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ([("buildargs", "{")], 400),
        ([("labels", "[]")], 400),
        ([("memory", "much")], 400),
        ([("ulimits", '{"a":1}')], 400),
        ([("remote", "/etc/passwd")], 400),
        ([("remote", "file:///etc/passwd")], 400),
        ([("version", "2")], 501),
    ],
)
def test_what_is_refused_at_once(world: World, query: list[tuple[str, str]], status: int) -> None:
    assert world.build(query).status == status
    assert not world.asked.calls


def test_looking(world: World) -> None:
    answer = world.build([("call", "check")])
    assert json.loads(answer.body) == {"Text": "text", "Findings": 2}
    assert world.asked.calls[-1][3] == "check"


def test_prune(world: World) -> None:
    answer = world.ask("POST", '/build/prune?all=1&keep-storage=5&filters={"until":{"24h":true}}')
    assert json.loads(answer.body) == {"CachesDeleted": ["a"], "SpaceReclaimed": 1}
    assert world.asked.calls[-1] == ("prune", {"until": frozenset({"24h"})}, True, 5)


def test_lending(world: World) -> None:
    body = json.dumps({"Secrets": {"s": base64.b64encode(b"x").decode()}, "Agents": ["default"]}).encode()
    with Talk(world.served.connect()) as client:
        client.request("POST", "/build/sessions", body)
        answer = client.answer()
    assert (answer.status, json.loads(answer.body)) == (201, {"Id": "session"})
    assert world.asked.calls[-1] == ("create session", {"s": b"x"}, ["default"])


def test_the_files_of_an_image(world: World) -> None:
    assert world.ask("GET", "/images/a/b:1/tree").body == b"tar"
    assert world.asked.calls[-1] == ("tree", "a/b:1")


def test_a_cache_for_a_folder_of_the_client(world: World) -> None:
    answer = world.ask("POST", "/build/cache", b'{"Keys":["a","b"],"Tag":"t"}')
    assert (answer.status, answer.body) == (200, b"a layout")
    assert world.asked.calls[-1] == ("export", ["a", "b"], "t")
