"""Whole lives of containers, on rooms that are played in memory."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from havre.base.errors import Conflict, InternalError, InvalidInput, NotFound, NotModified, ResourceExhausted
from havre.engine.attach import Streams, parse_detach_keys
from havre.engine.containers import Containers
from havre.engine.create import WrongPlatform
from havre.engine.lives import Lives
from havre.engine.model import VolumeMount
from havre.engine.records import Records
from havre.engine.start import BadCommand, NotStarted
from havre.images.model import NoSuchImage
from havre.oci.digest import Digest
from havre.oci.image_config import Empty, ProcessConfig
from havre.oci.runtime_spec import Mount
from havre.runtime.bundle import AttachWishes, Bundle
from havre.runtime.errors import StartFailed
from havre.volumes.model import VolumeInUse
from havre.volumes.store import Store
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import FakeShim, FakeTrees, Rooms, make_image, open_rooms


@dataclass
class Asked:
    stream: bool = True
    logs: bool = False
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    detach_keys: str = ""
    mixed: bool = False


class Bench:
    """The verbs, and short words for what tests do most."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.things = Containers(rooms.parts)
        self.lives = Lives(rooms.parts)
        self.streams = Streams(rooms.parts)
        self.news = rooms.parts.events.subscribe({}, since_ns=0)

    async def make(self, name: str | None = None, host: dict[str, object] | None = None, **config: object) -> str:
        wanted = cast("CreateContainer", {"Image": "busybox", **config, "HostConfig": host or {}})
        made = await self.things.create(wanted, name, None)
        return made.get("Id") or ""

    async def started(self, name: str | None = None, host: dict[str, object] | None = None, **config: object) -> str:
        identifier = await self.make(name, host, **config)
        await self.lives.start(identifier)
        return identifier

    def shim(self, identifier: str) -> FakeShim:
        return self.rooms.runtime.shims[identifier]

    async def state(self, ref: str) -> dict[str, Any]:
        return cast("dict[str, Any]", (await self.things.inspect(ref, False))["State"])

    async def remove(self, ref: str, *, force: bool = False) -> None:
        await self.things.remove(ref, force=force, volumes=False, link=False)

    async def settled(self, identifier: str) -> None:
        container = self.rooms.parts.roster.find(identifier)
        if container is not None:
            await container.stopped.wait()
            await container.settled.wait()

    async def cleared(self, identifier: str) -> None:
        """The files of a removed container go in the background."""
        async with asyncio.timeout(20):
            while (self.rooms.folders.containers / identifier).exists():
                await asyncio.sleep(0.001)

    async def rows(self, **filters: set[str]) -> list[dict[str, Any]]:
        given = {field.replace("_", "-"): frozenset(values) for field, values in filters.items()}
        rows = await self.things.list(all=True, limit=0, size=False, filters=given)
        return cast("list[dict[str, Any]]", json.loads(rows))

    def told(self) -> list[str]:
        return [f"{message.get('Type')} {message.get('Action')}" for message in self.rooms.parts.events.kept()]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_rooms(tmp_path) as rooms:
        yield Bench(rooms)


async def test_a_whole_life(bench: Bench) -> None:
    identifier = await bench.make("web")
    assert await bench.state("web") == {
        "Status": "created",
        "Running": False,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": 0,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "0001-01-01T00:00:00Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
    }
    await bench.lives.start("web")
    running = await bench.state("web")
    assert (running["Status"], running["Running"], running["Pid"]) == ("running", True, bench.shim(identifier).pid)
    bench.shim(identifier).end(3)
    await bench.settled(identifier)
    over = await bench.state(identifier[:12])
    assert (over["Status"], over["ExitCode"], over["Pid"]) == ("exited", 3, 0)
    assert over["FinishedAt"] == "2023-11-14T22:13:23Z"
    assert bench.rooms.networks.attached == {}
    assert bench.rooms.runtime.left == set()
    await bench.lives.start("web")  # and once more
    bench.shim(identifier).end(0)
    await bench.settled(identifier)
    await bench.remove("web")
    assert bench.rooms.trees.keys() == ()
    await bench.cleared(identifier)
    assert list(bench.rooms.folders.containers.iterdir()) == []
    with pytest.raises(NotFound, match=r"^No such container: web$"):
        await bench.things.inspect("web", False)
    assert bench.told() == [
        "container create",
        *("network connect", "container start", "container die", "network disconnect") * 2,
        "container destroy",
    ]


async def test_auto_removal_and_its_waiters(bench: Bench) -> None:
    identifier = await bench.make(None, {"AutoRemove": True, "NetworkMode": "none"})
    removed = bench.lives.waiter(identifier, "removed")
    ended = bench.lives.waiter(identifier, "next-exit")
    await bench.lives.start(identifier)
    bench.shim(identifier).end(7)
    assert await ended == {"StatusCode": 7}
    assert await removed == {"StatusCode": 7}
    with pytest.raises(NotFound):
        _ = bench.lives.waiter(identifier, "removed")
    events = [event for event in bench.told() if event.startswith("container")]
    assert events == [f"container {action}" for action in ("create", "start", "die", "destroy")]


async def test_waiting_for_what_is_so_already(bench: Bench) -> None:
    identifier = await bench.make()
    assert await bench.lives.waiter(identifier, "not-running") == {"StatusCode": 0}
    await bench.lives.start(identifier)
    waiter = bench.lives.waiter(identifier, "not-running")
    bench.shim(identifier).end(5)
    assert await waiter == {"StatusCode": 5}
    assert await bench.lives.waiter(identifier, "not-running") == {"StatusCode": 5}


async def test_removal_tells_those_who_wait_for_a_start(bench: Bench) -> None:
    identifier = await bench.make()
    waiter = bench.lives.waiter(identifier, "next-exit")
    await bench.remove(identifier)
    assert await waiter == {"StatusCode": 0}


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (StartFailed("OCI runtime create failed: not there", 127), BadCommand, 127),
        (StartFailed("OCI runtime create failed: no right", 126), BadCommand, 126),
        (StartFailed("OCI runtime create failed: no mount"), NotStarted, 128),
    ],
)
async def test_a_failed_start_leaves_nothing(
    bench: Bench, failure: StartFailed, kind: type[Exception], code: int
) -> None:
    identifier = await bench.make()
    client, ours = socket.socketpair()
    await (await bench.streams.attach(identifier, Asked())).connect(ours, b"")
    bench.rooms.runtime.fail = failure
    with pytest.raises(kind) as told:
        await bench.lives.start(identifier)
    text = f"failed to create task for container: failed to create shim task: {failure.message}"
    assert str(told.value) == text
    state = await bench.state(identifier)
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("created", code, text)
    assert bench.rooms.networks.attached == {}
    client.settimeout(5)
    assert client.recv(1) == b""  # the attached client is let go
    client.close()
    bench.rooms.runtime.fail = None
    await bench.lives.start(identifier)
    assert (await bench.state(identifier))["Error"] == ""


async def test_words_before_the_runtime_are_told_alone(bench: Bench) -> None:
    identifier = await bench.make()
    bench.rooms.runtime.fail = StartFailed("unable to find user x: no matching entries", before_runtime=True)
    with pytest.raises(InternalError, match=r"^unable to find user x: no matching entries$"):
        await bench.lives.start(identifier)


async def test_a_failed_start_of_a_container_that_removes_itself(bench: Bench) -> None:
    identifier = await bench.make(None, {"AutoRemove": True})
    removed = bench.lives.waiter(identifier, "removed")
    bench.rooms.runtime.fail = StartFailed("x", 127)
    with pytest.raises(BadCommand):
        await bench.lives.start(identifier)
    assert await removed == {"StatusCode": 127}
    assert len(bench.rooms.parts.roster) == 0


@pytest.mark.parametrize(
    ("mode", "kind", "message"),
    [
        ("nosuch", NotFound, "network nosuch not found"),
        ("container:nosuch", NotFound, "No such container: nosuch"),
        ("container:idle", Conflict, "cannot join network of a non running container: "),
    ],
)
async def test_networks_that_are_not_there(bench: Bench, mode: str, kind: type[Exception], message: str) -> None:
    await bench.make("idle")
    identifier = await bench.make(None, {"NetworkMode": mode})
    with pytest.raises(kind, match=rf"^{message}"):
        await bench.lives.start(identifier)
    state = await bench.state(identifier)
    assert (state["Status"], state["ExitCode"]) == ("created", 128)


async def test_only_an_image_is_ever_not_found_at_creation(bench: Bench) -> None:
    with pytest.raises(NoSuchImage, match=r"^No such image: nosuch:latest$"):
        await bench.make(Image="nosuch")
    with pytest.raises(InvalidInput, match=r"^No such container: nosuch$"):
        await bench.make(None, {"PidMode": "container:nosuch"})
    with pytest.raises(InvalidInput, match=r"^No such container: nosuch$"):
        await bench.make(None, {"IpcMode": "container:nosuch"})
    wanted = cast("CreateContainer", {"Image": "busybox"})
    with pytest.raises(WrongPlatform) as wrong:
        await bench.things.create(wanted, None, "linux/arm64")
    assert str(wrong.value) == (
        "image with reference busybox was found but does not match the specified platform: "
        "wanted linux/arm64, actual: linux/amd64"
    )
    assert len(bench.rooms.parts.roster) == 0
    assert bench.rooms.parts.roster.names == {}


async def test_names_are_unique(bench: Bench) -> None:
    first = await bench.make("web")
    with pytest.raises(Conflict) as taken:
        await bench.make("/web")
    assert str(taken.value) == (
        f'Conflict. The container name "/web" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    results = await asyncio.gather(*(bench.make("db") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1


async def test_renaming(bench: Bench) -> None:
    await bench.make("one")
    await bench.make("two")
    for name, message in (
        ("", "Neither old nor new names may be empty"),
        ("one", "Renaming a container with the same name as its current name"),
        (
            "-",
            "Error when allocating new name: Invalid container name (/-), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
    ):
        with pytest.raises(InvalidInput) as wrong:
            await bench.things.rename("one", name)
        assert str(wrong.value) == message
    with pytest.raises(Conflict, match=r"^Error when allocating new name: Conflict. The container name"):
        await bench.things.rename("one", "two")
    await bench.things.rename("one", "three")
    assert (await bench.things.inspect("three", False))["Name"] == "/three"
    await bench.make("one")  # the old name is free


async def test_the_same_renaming_twice_at_once(bench: Bench) -> None:
    await bench.make("one")
    both = (bench.things.rename("one", "two") for _ in range(2))
    results = await asyncio.gather(*both, return_exceptions=True)
    assert results.count(None) == 1
    with pytest.raises(Conflict):
        await bench.make("two")


async def test_an_end_during_a_renaming_stays_an_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = await bench.started("web")
    rename = bench.rooms.networks.rename

    async def after_the_end(sandbox_id: str, names: dict[str, tuple[str, ...]]) -> object:
        bench.shim(identifier).end(3)
        await bench.rooms.parts.roster.get(identifier).stopped.wait()
        return await rename(sandbox_id, names)

    monkeypatch.setattr(bench.rooms.networks, "rename", after_the_end)
    await bench.things.rename("web", "other")
    await bench.settled(identifier)
    assert (await bench.state("other"))["Status"] == "exited"


async def test_finding_by_prefix(bench: Bench) -> None:
    made = [await bench.make(f"n{number}") for number in range(40)]
    with pytest.raises(NotFound, match=r"^No such container: zz$"):
        await bench.state("zz")
    with pytest.raises(NotFound):
        await bench.state("g")
    firsts = [identifier[0] for identifier in made]
    shared = next(first for first in firsts if firsts.count(first) > 1)
    with pytest.raises(InvalidInput, match=rf"^Multiple IDs found with provided prefix: {shared}$"):
        await bench.state(shared)
    for identifier in made:
        assert (await bench.things.inspect(identifier[:20], False))["Id"] == identifier


async def test_a_name_goes_before_the_beginning_of_an_id(bench: Bench) -> None:
    first = await bench.make()
    named = await bench.make(first[:12])
    assert (await bench.things.inspect(first[:12], False))["Id"] == named
    assert (await bench.things.inspect(first, False))["Id"] == first


async def test_removing_what_runs(bench: Bench) -> None:
    identifier = await bench.started("web")
    with pytest.raises(Conflict) as refused:
        await bench.remove("web")
    assert str(refused.value) == (
        'cannot remove container "/web": container is running: stop the container before removing or force remove'
    )
    shim = bench.shim(identifier)
    await bench.remove("web", force=True)
    assert shim.signals == [9]
    assert bench.rooms.networks.attached == {}
    other = await bench.make()
    with pytest.raises(InvalidInput, match=r"cannot remove the default link name"):
        await bench.things.remove(other, force=True, volumes=False, link=True)


async def test_many_removals_at_once_remove_it_once(bench: Bench) -> None:
    identifier = await bench.started()
    results = await asyncio.gather(*(bench.remove(identifier, force=True) for _ in range(6)), return_exceptions=True)
    assert results.count(None) == 1
    assert all(isinstance(result, NotFound | Conflict) for result in results if result is not None)
    assert bench.told().count("container destroy") == 1


async def test_stopping(bench: Bench) -> None:
    identifier = await bench.started(StopSignal="SIGUSR1")
    shim = bench.shim(identifier)
    shim.ends_on = {10}
    await bench.lives.stop(identifier, None, None)
    assert shim.signals == [10]
    assert (await bench.state(identifier))["ExitCode"] == 138
    with pytest.raises(NotModified):
        await bench.lives.stop(identifier, None, None)
    actions = [event for event in bench.told() if event.startswith("container")]
    assert actions[-3:] == ["container kill", "container die", "container stop"]


async def test_stopping_loses_patience(bench: Bench) -> None:
    identifier = await bench.started()
    shim = bench.shim(identifier)
    shim.ends_on = {9}
    await bench.lives.stop(identifier, 0, None)
    assert shim.signals == [15, 9]
    assert (await bench.state(identifier))["ExitCode"] == 137


async def test_a_kill_gets_through_a_stop_that_waits(bench: Bench) -> None:
    identifier = await bench.started()
    bench.shim(identifier).ends_on = {9}
    stopping = asyncio.ensure_future(bench.lives.stop(identifier, -1, None))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await bench.lives.kill(identifier, "KILL")
        await stopping


async def test_killing(bench: Bench) -> None:
    identifier = await bench.make("web")
    with pytest.raises(Conflict) as idle:
        await bench.lives.kill("web", "KILL")
    assert str(idle.value) == f"Cannot kill container: web: Container {identifier} is not running"
    await bench.lives.start("web")
    for signal, message in (
        ("zz", "Invalid signal: zz"),
        ("0", "Invalid signal: 0"),
        ("99", "Cannot kill container: web: The linux daemon does not support signal 99"),
        ("\u0661", "Invalid signal: \u0661"),
    ):
        with pytest.raises(InvalidInput) as wrong:
            await bench.lives.kill("web", signal)
        assert str(wrong.value) == message
    await bench.lives.kill("web", "hup")
    assert bench.shim(identifier).signals == [1]
    await bench.lives.kill("web", "SIGRTMIN+3")
    assert bench.shim(identifier).signals == [1, 37]
    await bench.lives.kill("web", "9")
    assert (await bench.state("web"))["Status"] == "exited"


async def test_restarting(bench: Bench) -> None:
    identifier = await bench.started("web")
    first = bench.shim(identifier)
    await bench.lives.restart("web", None, None)
    assert bench.shim(identifier) is not first
    assert (await bench.state("web"))["Status"] == "running"
    assert bench.told()[-1] == "container restart"
    await bench.lives.stop("web", 0, None)
    await bench.lives.restart("web", None, None)


@pytest.mark.parametrize("verb", ["stop", "kill"])
async def test_what_comes_in_the_middle_of_a_restart_ends_it_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    identifier = await bench.started("web", {"RestartPolicy": {"Name": "always"}})
    runtime = bench.rooms.runtime
    launch, launching, go_on = runtime.launch, asyncio.Event(), asyncio.Event()

    async def slow(bundle: Bundle, attachments: Sequence[tuple[socket.socket, AttachWishes]] = ()) -> FakeShim:
        launching.set()
        await go_on.wait()
        return await launch(bundle, attachments)

    monkeypatch.setattr(runtime, "launch", slow)
    bench.shim(identifier).end(1)
    async with asyncio.timeout(20):
        await launching.wait()
        ending = asyncio.create_task(
            bench.lives.stop("web", 5, None) if verb == "stop" else bench.lives.kill("web", "9")
        )
        for _ in range(20):  # it says what it wants while the start is under way
            await asyncio.sleep(0)
        go_on.set()
        await ending
        async with bench.rooms.parts.roster.get(identifier).lock:  # the start is over, if it went on at all
            assert (await bench.state("web"))["Status"] == "exited"


async def test_starting_twice(bench: Bench) -> None:
    identifier = await bench.started()
    with pytest.raises(NotModified):
        await bench.lives.start(identifier)
    await bench.lives.pause(identifier)
    with pytest.raises(Conflict, match=r"^cannot start a paused container, try unpause instead$"):
        await bench.lives.start(identifier)


async def test_pausing(bench: Bench) -> None:
    identifier = await bench.make("web")
    with pytest.raises(Conflict, match=rf"^Container {identifier} is not running$"):
        await bench.lives.pause("web")
    await bench.lives.start("web")
    with pytest.raises(Conflict, match=rf"^Container {identifier} is not paused$"):
        await bench.lives.unpause("web")
    await bench.lives.pause("web")
    assert bench.shim(identifier).frozen
    state = await bench.state("web")
    assert (state["Status"], state["Running"], state["Paused"]) == ("paused", True, True)
    with pytest.raises(Conflict, match=rf"^Container {identifier} is already paused$"):
        await bench.lives.pause("web")
    with pytest.raises(Conflict, match=r"^container web is paused, unpause the container before attach$"):
        await bench.streams.attach("web", Asked())
    with pytest.raises(Conflict, match=r"unpause and then stop"):
        await bench.remove("web")
    await bench.lives.unpause("web")
    assert not bench.shim(identifier).frozen
    await bench.lives.pause("web")
    await bench.lives.stop("web", 5, None)  # a frozen process is woken to hear it
    assert (await bench.state("web"))["ExitCode"] == 143


async def test_a_signal_that_ends_a_frozen_process(bench: Bench) -> None:
    identifier = await bench.started()
    await bench.lives.pause(identifier)
    await bench.lives.kill(identifier, "KILL")
    await bench.settled(identifier)
    assert (await bench.state(identifier))["ExitCode"] == 137
    assert "container kill" in bench.told()


async def test_resizing(bench: Bench) -> None:
    identifier = await bench.make()
    with pytest.raises(Conflict):
        await bench.lives.resize(identifier, 1, 2)
    await bench.lives.start(identifier)
    await bench.lives.resize(identifier, 40, 100)
    assert bench.shim(identifier).sizes == [(40, 100, "")]


async def test_out_of_memory_is_told(bench: Bench) -> None:
    identifier = await bench.started()
    bench.shim(identifier).end(137, oom=True)
    await bench.settled(identifier)
    assert (await bench.state(identifier))["OOMKilled"] is True
    assert bench.told()[-3:-1] == ["container oom", "container die"]


async def test_clients_that_attach_before_the_start(bench: Bench) -> None:
    identifier = await bench.make(None, None, OpenStdin=True)
    client, ours = socket.socketpair()
    await (await bench.streams.attach(identifier, Asked(stdin=True))).connect(ours, b"early")
    await bench.lives.start(identifier)
    assert len(bench.shim(identifier).attachments) == 1
    assert bench.told()[1] == "container attach"
    later, theirs = socket.socketpair()
    await (await bench.streams.attach(identifier, Asked())).connect(theirs, b"")
    await asyncio.sleep(0)
    ((_, wishes),) = bench.shim(identifier).clients
    assert (wishes.framed, wishes.stdin, wishes.detach_keys) == (True, False, b"")
    bench.shim(identifier).end()
    await bench.settled(identifier)
    for one in (client, later):
        one.settimeout(5)
        assert one.recv(1) == b""
        one.close()


async def test_a_client_that_vanishes_before_the_start_is_forgotten(bench: Bench) -> None:
    identifier = await bench.make()
    client, ours = socket.socketpair()
    await (await bench.streams.attach(identifier, Asked())).connect(ours, b"")
    client.shutdown(socket.SHUT_WR)  # as every client without input does at once: it is still there
    await asyncio.sleep(0.05)
    assert ours.fileno() >= 0
    client.close()
    async with asyncio.timeout(5):
        while ours.fileno() >= 0:
            await asyncio.sleep(0.01)
    await bench.lives.start(identifier)
    assert bench.shim(identifier).attachments == ()


async def test_removal_lets_waiting_clients_go(bench: Bench) -> None:
    identifier = await bench.make()
    client, ours = socket.socketpair()
    await (await bench.streams.attach(identifier, Asked())).connect(ours, b"")
    await bench.remove(identifier)
    client.settimeout(5)
    assert client.recv(1) == b""
    client.close()


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", b"\x10\x11"), ("ctrl-a", b"\x01"), ("a,b", b"ab"), ("ctrl-@,ctrl-_", b"\x00\x1f"), ("ctrl-]", b"\x1d")],
)
def test_detach_keys(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-ä", "ab", "ctrl-A", ",", "a,,b", ",".join("a" * 17)])
def test_bad_detach_keys(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"Invalid detach keys"):
        parse_detach_keys(text)


async def test_pruning(bench: Bench) -> None:
    idle = await bench.make("idle", None, Labels={"keep": "no"})
    kept = await bench.make("kept", None, Labels={"keep": "yes"})
    running = await bench.started("running")
    with pytest.raises(InvalidInput, match=r"^Invalid filter 'zz'$"):
        await bench.things.prune({"zz": frozenset({"1"})})
    nothing = await bench.things.prune({"until": frozenset({"1h"})})
    assert nothing == {"ContainersDeleted": None, "SpaceReclaimed": 0}
    report = await bench.things.prune({"label!": frozenset({"keep=yes"})})
    assert report == {"ContainersDeleted": [idle], "SpaceReclaimed": 12}
    assert {row["Id"] for row in await bench.rows()} == {kept, running}


async def test_inspect_has_every_field_of_docker_28(bench: Bench) -> None:
    identifier = await bench.started("web", None, Cmd=["sleep", "100"], Env=["A=b"])
    shown = cast("dict[str, Any]", await bench.things.inspect("web", True))
    assert list(shown) == [
        "Id",
        "Created",
        "Path",
        "Args",
        "State",
        "Image",
        "ResolvConfPath",
        "HostnamePath",
        "HostsPath",
        "LogPath",
        "Name",
        "RestartCount",
        "Driver",
        "Platform",
        "MountLabel",
        "ProcessLabel",
        "AppArmorProfile",
        "ExecIDs",
        "HostConfig",
        "GraphDriver",
        "Mounts",
        "Config",
        "NetworkSettings",
        "SizeRw",
        "SizeRootFs",
    ]
    assert (shown["Path"], shown["Args"]) == ("sleep", ["100"])
    assert shown["Config"] == {
        "Hostname": identifier[:12],
        "Domainname": "",
        "User": "",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": ["A=b", "PATH=/bin"],
        "Cmd": ["sleep", "100"],
        "Image": "busybox",
        "Volumes": None,
        "WorkingDir": "",
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": {},
    }
    host = shown["HostConfig"]
    assert host["ShmSize"] == 67108864
    assert host["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert host["PortBindings"] == {}
    assert host["MemorySwappiness"] is None
    assert "Init" not in host
    assert shown["LogPath"].endswith(f"/{identifier}/{identifier}-json.log")
    network = shown["NetworkSettings"]
    assert (network["IPAddress"], network["Gateway"]) == ("172.17.0.2", "172.17.0.1")
    assert network["Networks"]["bridge"]["IPPrefixLen"] == 16
    assert set(shown["GraphDriver"]["Data"]) == {"LowerDir", "MergedDir", "UpperDir", "WorkDir"}
    assert (shown["SizeRw"], shown["SizeRootFs"]) == (12, 112)
    bench.shim(identifier).end()
    await bench.settled(identifier)
    after = cast("dict[str, Any]", (await bench.things.inspect("web", False))["NetworkSettings"])
    assert (after["IPAddress"], after["SandboxID"]) == ("", "")
    assert after["Networks"]["bridge"]["NetworkID"]


async def test_the_engines_own_files(bench: Bench) -> None:
    identifier = await bench.started("web", {"ExtraHosts": ["db:10.0.0.9", "gw:host-gateway"], "Dns": ["9.9.9.9"]})
    folder = bench.rooms.folders.container(identifier)
    hosts = (folder / "hosts").read_text(encoding="utf-8")
    assert "10.0.0.9\tdb\n" in hosts
    assert "172.17.0.1\tgw\n" in hosts
    assert f"172.17.0.2\t{identifier[:12]}\n" in hosts
    assert (folder / "hostname").read_text(encoding="utf-8") == f"{identifier[:12]}\n"
    assert "nameserver 9.9.9.9\n" in (folder / "resolv.conf").read_text(encoding="utf-8")


async def test_sharing_namespaces(bench: Bench) -> None:
    donor = await bench.started("donor", {"IpcMode": "private"})
    guest = await bench.make(None, {"NetworkMode": "container:donor", "PidMode": "container:donor"})
    await bench.lives.start(guest)
    spec = bench.shim(guest).bundle.spec
    pid = bench.shim(donor).pid
    paths = {one.type: one.path for one in (spec.linux.namespaces if spec.linux else None) or ()}
    assert paths["network"] == f"/proc/{pid}/ns/net"
    assert paths["pid"] == f"/proc/{pid}/ns/pid"
    assert spec.hostname == donor[:12]
    hosts = next(mount for mount in spec.mounts or () if mount.destination == "/etc/hosts")
    assert donor in hosts.source
    other = await bench.make(None, {"IpcMode": "container:donor"})
    with pytest.raises(InvalidInput, match=r"non-shareable IPC"):
        await bench.lives.start(other)


async def test_missing_sources_of_binds_are_made_at_the_start(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "not" / "there"
    identifier = await bench.make(None, {"Binds": [f"{source}:/x"]})
    assert not source.exists()
    await bench.lives.start(identifier)
    assert source.is_dir()
    shown = await bench.things.inspect(identifier, False)
    assert shown["Mounts"] == [
        {
            "Type": "bind",
            "Source": str(source),
            "Destination": "/x",
            "Mode": "",
            "RW": True,
            "Propagation": "rprivate",
        }
    ]


async def test_volumes_of_images_come_and_go_with_the_container(tmp_path: Path) -> None:
    process = ProcessConfig(cmd=["x"], volumes={"/data": Empty()})
    async with open_rooms(tmp_path, make_image("db", process)) as rooms:
        things = Containers(rooms.parts)
        made = await things.create(cast("CreateContainer", {"Image": "db"}), None, None)
        (volume,) = rooms.volumes.list()
        assert volume.anonymous
        assert rooms.volumes.holders(volume.name) == {made["Id"]}
        (mount,) = rooms.parts.roster.get(made["Id"] or "").record.mounts
        source = str(rooms.volumes.path(volume.name))
        assert mount == VolumeMount(
            destination="/data", name=volume.name, source=source, anonymous=True, driver="local"
        )
        with pytest.raises(VolumeInUse):
            await rooms.volumes.remove(volume.name)
        await things.remove(made["Id"] or "", force=False, volumes=True, link=False)
        assert rooms.volumes.list() == []


async def test_a_volume_that_does_not_go_keeps_no_container(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    identifier = await bench.make("web", {"Mounts": [{"Type": "volume", "Target": "/data"}]})
    (volume,) = bench.rooms.volumes.list()

    def busy(_store: Store, name: str) -> None:
        raise OSError(errno.EBUSY, "busy", name)

    monkeypatch.setattr(Store, "drop", busy)
    await bench.things.remove(identifier, force=False, volumes=True, link=False)
    with pytest.raises(NotFound):
        bench.rooms.parts.roster.get(identifier)
    assert bench.rooms.volumes.list() == [volume]
    assert f"volume {volume.name} stays" in caplog.text
    assert await bench.make("web")
    await bench.cleared(identifier)


async def test_a_start_that_cannot_be_written_down_is_a_start(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = await bench.make("web", {"RestartPolicy": {"Name": "always"}})

    def full(*_: object, **__: object) -> asyncio.Future[None]:
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(ResourceExhausted("no space left on device"))
        return failed

    with monkeypatch.context() as patched:
        patched.setattr(Records, "save", full)
        await bench.lives.start(identifier)
    state = await bench.state(identifier)
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("running", 0, "")


async def test_a_creation_that_is_cancelled_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, opened, made = threading.Event(), threading.Event(), threading.Event()
    prepare = FakeTrees.prepare

    def slow(trees: FakeTrees, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        reached.set()
        assert opened.wait(60)
        try:
            return prepare(trees, key, chain)
        finally:
            made.set()

    monkeypatch.setattr(FakeTrees, "prepare", slow)
    creation = asyncio.create_task(bench.make("web"))
    assert await asyncio.to_thread(reached.wait, 60)
    creation.cancel()
    await asyncio.wait({creation}, timeout=0.1)  # whoever does not wait for the thread would be gone by now
    opened.set()
    with pytest.raises(asyncio.CancelledError):
        await creation
    assert await asyncio.to_thread(made.wait, 60)
    assert bench.rooms.trees.keys() == ()
    assert list(bench.rooms.folders.containers.iterdir()) == []
    assert await bench.make("web")
