from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from havre.base.errors import Conflict, InternalError, InvalidInput
from havre.engine.containers import Containers
from havre.engine.execs import BadExecCommand, Execs, NoSuchExec
from havre.engine.lives import Lives
from havre.runtime.errors import StartFailed
from havre.wire.containers import CreateContainer
from havre.wire.exec import ExecConfig
from tests.fakes.rooms import FakeShim, Rooms, open_rooms


class Bench:
    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.execs = Execs(rooms.parts)
        self.things = Containers(rooms.parts)
        self.lives = Lives(rooms.parts)

    async def started(self, **config: object) -> FakeShim:
        wanted = cast("CreateContainer", {"Image": "busybox", **config})
        made = await self.things.create(wanted, "web", None)
        await self.lives.start("web")
        return self.rooms.runtime.shims[made.get("Id") or ""]

    async def make(self, **config: object) -> str:
        return await self.execs.create("web", cast("ExecConfig", {"Cmd": ["sh", "-c", "x"], **config}))

    async def run(self, **config: object) -> str:
        exec_id = await self.make(**config)
        await self.execs.start(exec_id, {}, None, b"")
        return exec_id

    async def ended(self, exec_id: str) -> None:
        async with asyncio.timeout(5):
            while (await self.execs.inspect(exec_id)).get("Running"):
                await asyncio.sleep(0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_rooms(tmp_path) as rooms:
        yield Bench(rooms)


async def test_a_whole_life(bench: Bench) -> None:
    shim = await bench.started()
    exec_id = await bench.make(AttachStdout=True)
    before = await bench.execs.inspect(exec_id)
    assert (before.get("Running"), before.get("ExitCode"), before.get("Pid")) == (False, None, 0)
    client, ours = socket.socketpair()
    await bench.execs.start(exec_id, {}, ours, b"early")
    now = await bench.execs.inspect(exec_id)
    assert (now.get("Running"), now.get("ExitCode"), now.get("Pid")) == (True, None, shim.pid + 1)
    assert (await bench.things.inspect("web", False)).get("ExecIDs") == [exec_id]
    shim.end_exec(exec_id, 4)
    await bench.ended(exec_id)
    assert await bench.execs.inspect(exec_id) == {
        "ID": exec_id,
        "Running": False,
        "ExitCode": 4,
        "ProcessConfig": {"tty": False, "entrypoint": "sh", "arguments": ["-c", "x"], "privileged": False},
        "OpenStdin": False,
        "OpenStderr": False,
        "OpenStdout": True,
        "CanRemove": False,
        "ContainerID": shim.id,
        "DetachKeys": "",
        "Pid": 0,
    }
    assert (await bench.things.inspect("web", False)).get("ExecIDs") is None
    client.settimeout(5)
    assert client.recv(1) == b""
    client.close()
    actions = [message.get("Action") for message in bench.rooms.parts.events.kept()]
    assert actions[-3:] == ["exec_create: sh -c x", "exec_start: sh -c x", "exec_die"]


async def test_what_hinders_a_creation(bench: Bench) -> None:
    shim = await bench.started()
    with pytest.raises(InvalidInput, match=r"^No exec command specified$"):
        await bench.make(Cmd=[])
    with pytest.raises(InvalidInput, match=r"invalid environment variable"):
        await bench.make(Env=["=x"])
    with pytest.raises(InvalidInput, match=r"Cwd must be an absolute path"):
        await bench.make(WorkingDir="rel")
    await bench.lives.pause("web")
    with pytest.raises(Conflict, match=r"^Container web is paused, unpause the container before exec$"):
        await bench.make()
    await bench.lives.unpause("web")
    await bench.lives.kill("web", "KILL")
    with pytest.raises(Conflict, match=rf"^Container {shim.id} is not running$"):
        await bench.make()


async def test_what_hinders_a_start(bench: Bench) -> None:
    shim = await bench.started()
    with pytest.raises(NoSuchExec, match=r"^No such exec instance: nosuch$"):
        await bench.execs.start("nosuch", {}, None, b"")
    exec_id = await bench.run()
    with pytest.raises(Conflict, match=rf"^Error: Exec command {exec_id} is already running$"):
        await bench.execs.start(exec_id, {}, None, b"")
    shim.end_exec(exec_id, 0)
    await bench.ended(exec_id)
    with pytest.raises(Conflict, match=rf"^Error: Exec command {exec_id} has already run$"):
        await bench.execs.start(exec_id, {}, None, b"")


@pytest.mark.parametrize(("code", "kind"), [(127, BadExecCommand), (126, BadExecCommand), (128, InternalError)])
async def test_a_program_that_cannot_be_started(bench: Bench, code: int, kind: type[Exception]) -> None:
    shim = await bench.started()
    shim.refuse = StartFailed("OCI runtime exec failed: no", code)
    exec_id = await bench.make()
    client, ours = socket.socketpair()
    with pytest.raises(kind, match=r"^OCI runtime exec failed: no$"):
        await bench.execs.start(exec_id, {}, ours, b"")
    shown = await bench.execs.inspect(exec_id)
    assert (shown.get("Running"), shown.get("ExitCode")) == (False, code)
    client.settimeout(5)
    assert client.recv(1) == b""
    client.close()


async def test_what_the_process_gets(bench: Bench) -> None:
    shim = await bench.started(
        Env=["A=1", "B=2"],
        WorkingDir="/w",
        User="bob",
        HostConfig={"CapDrop": ["MKNOD"], "SecurityOpt": ["no-new-privileges"]},
    )
    await bench.run(Env=["B=3", "C=4"], Tty=True, ConsoleSize=[40, 100], AttachStdin=True)
    (request,) = shim.requests
    process = request.process
    assert process.env == [
        "PATH=/bin",
        f"HOSTNAME={shim.id[:12]}",
        "A=1",
        "B=3",
        "TERM=xterm",
        "C=4",
    ]
    assert (process.cwd, request.user, process.terminal) == ("/w", "bob", True)
    assert process.console_size is not None
    assert (process.console_size.height, process.console_size.width) == (40, 100)
    assert process.no_new_privileges
    assert process.capabilities is not None
    assert "CAP_MKNOD" not in (process.capabilities.bounding or ())
    assert request.stdio.stdin
    assert request.seccomp_program


async def test_privileged_once_leaves_no_residue(bench: Bench) -> None:
    shim = await bench.started()
    await bench.run(Privileged=True)
    await bench.run()
    first, second = (request.process.capabilities for request in shim.requests)
    assert first is not None
    assert second is not None
    assert "CAP_SYS_ADMIN" in (first.effective or ())
    assert "CAP_SYS_ADMIN" not in (second.effective or ())
    assert shim.requests[0].seccomp_program == shim.requests[1].seccomp_program


async def test_resizing(bench: Bench) -> None:
    shim = await bench.started()
    exec_id = await bench.make(Tty=True)
    with pytest.raises(Conflict):
        await bench.execs.resize(exec_id, 1, 2)
    await bench.execs.start(exec_id, {"ConsoleSize": [30, 90]}, None, b"")
    await bench.execs.resize(exec_id, 1, 2)
    assert shim.sizes == [(1, 2, exec_id)]
    assert shim.requests[0].stdio.console_width == 90


async def test_instances_go_with_their_container(bench: Bench) -> None:
    await bench.started()
    exec_id = await bench.run()
    await bench.things.remove("web", force=True, volumes=False, link=False)
    with pytest.raises(NoSuchExec):
        await bench.execs.inspect(exec_id)
