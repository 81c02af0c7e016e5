"""A second engine on the data of a first one that ended at some instruction."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from pathlib import Path
from typing import cast

import pytest

from havre.engine import recovery
from havre.engine.containers import Containers
from havre.engine.execs import Execs
from havre.engine.lifecycle import State
from havre.engine.lives import Lives
from havre.oci.image_config import ProcessConfig
from havre.runtime.bundle import Exit
from havre.volumes.model import Wanted
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import FakeRuntime, FakeTrees, Rooms, make_image

IMAGE = make_image("busybox", ProcessConfig(cmd=["sh"]))


class World:
    """What outlives an engine: the folder, the shims, the networks, the trees."""

    def __init__(self, root: Path) -> None:
        self.rooms = Rooms(root, IMAGE)
        self.root = root

    async def open(self) -> None:
        self.found = self.rooms.records.open()
        await self.rooms.volumes.open()
        await recovery.load(self.rooms.parts, self.found)
        self.kept = recovery.living(self.rooms.parts, self.found.damaged)
        await recovery.settle(self.rooms.parts, self.found.damaged)

    async def reopen(self) -> World:
        await self.rooms.parts.tasks.close()
        await self.rooms.records.close(clean=False)
        world = World(self.root)
        world.rooms.runtime.shims = self.rooms.runtime.shims
        world.rooms.runtime.left = self.rooms.runtime.left
        world.rooms.runtime.exits = self.rooms.runtime.exits
        world.rooms.networks.attached = self.rooms.networks.attached
        world.rooms.trees._keys = self.rooms.trees._keys
        await world.open()
        return world

    async def make(self, name: str, **host: object) -> str:
        wanted = cast("CreateContainer", {"Image": "busybox", "HostConfig": host})
        return (await Containers(self.rooms.parts).create(wanted, name, None)).get("Id") or ""

    async def started(self, name: str, **host: object) -> str:
        identifier = await self.make(name, **host)
        await Lives(self.rooms.parts).start(identifier)
        return identifier

    def state(self, name: str) -> tuple[State, int]:
        record = self.rooms.parts.roster.get(name).record
        return record.state, record.exit_code

    @property
    def runtime(self) -> FakeRuntime:
        return self.rooms.runtime


async def test_what_runs_is_adopted_and_can_end(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    identifier = await first.started("web")
    await first.make("idle")
    second = await first.reopen()
    assert second.state("web") == (State.RUNNING, 0)
    assert second.state("idle") == (State.CREATED, 0)
    assert second.kept == {identifier}
    waiter = Lives(second.rooms.parts).waiter("web", "not-running")
    second.runtime.shims[identifier].end(6)
    assert await waiter == {"StatusCode": 6}
    await second.rooms.parts.roster.get("web").settled.wait()
    assert second.rooms.networks.attached == {}
    await second.rooms.close()


async def test_a_start_whose_record_was_not_written_is_adopted(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    identifier = await first.started("web")
    await first.rooms.records.close(clean=False)
    with sqlite3.connect(tmp_path / "data" / "havre.db") as db:  # as if the last write had been lost
        before = db.execute("SELECT body FROM containers").fetchone()[0]
    assert b'"running"' in before
    lost = World(tmp_path)
    lost.rooms.runtime.shims, lost.rooms.trees._keys = first.runtime.shims, first.rooms.trees._keys
    found = lost.rooms.records.open()
    from msgspec.structs import replace

    await lost.rooms.records.save(replace(found.records[0], state=State.CREATED, pid=0))
    second = await lost.reopen()
    assert second.state("web") == (State.RUNNING, 0)
    assert second.rooms.parts.roster.get("web").record.pid == second.runtime.shims[identifier].pid
    await first.rooms.parts.tasks.close()
    await second.rooms.close()


async def test_a_frozen_container_is_paused(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    identifier = await first.started("web")
    first.runtime.shims[identifier].frozen = True
    second = await first.reopen()
    assert second.state("web")[0] is State.PAUSED
    await second.rooms.close()


async def test_what_ended_meanwhile_tells_how(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    known, unknown = await first.started("known"), await first.started("unknown")
    del first.runtime.shims[known], first.runtime.shims[unknown]
    first.runtime.exits[known] = Exit(code=42, oom_killed=True, finished_ns=5)
    second = await first.reopen()
    assert second.state("known") == (State.EXITED, 42)
    assert second.rooms.parts.roster.get("known").record.oom_killed
    assert second.state("unknown") == (State.EXITED, 255)  # as after a reboot
    assert second.runtime.left == set()
    assert second.rooms.networks.attached == {}
    actions = [message.get("Action") for message in second.rooms.parts.events.kept()]
    assert actions.count("die") == 2
    third = await second.reopen()
    assert third.state("known") == (State.EXITED, 42)
    await third.rooms.close()


async def test_containers_that_remove_themselves_are_removed(tmp_path: Path) -> None:
    """Also one whose start was cut off, or never asked for: nobody can tell, and nobody waits for either."""
    first = World(tmp_path)
    await first.open()
    identifier = await first.started("gone", AutoRemove=True)
    await first.started("lives", AutoRemove=True)
    await first.make("not-yet", AutoRemove=True)
    await first.make("kept")
    del first.runtime.shims[identifier]
    first.runtime.exits[identifier] = Exit(code=0)
    second = await first.reopen()
    assert {container.name for container in second.rooms.parts.roster} == {"lives", "kept"}
    assert identifier not in second.rooms.trees.keys()  # noqa: SIM118  a method of the store
    await second.rooms.close()


async def test_what_no_record_owns_is_swept_and_nothing_else(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    kept = await first.make("kept")
    orphan = "d" * 64
    first.rooms.trees.prepare(orphan, None)
    first.rooms.trees.prepare("build-7", None)  # somebody else's
    (first.rooms.folders.container(orphan)).mkdir()
    (first.rooms.folders.container(orphan) / "hosts").write_text("x", encoding="utf-8")
    (first.rooms.folders.containers / "notes").mkdir()
    first.rooms.folders.run(orphan).mkdir()
    first.runtime.left.add(orphan)
    second = await first.reopen()
    assert set(second.rooms.trees.keys()) == {kept, "build-7"}
    assert {entry.name for entry in second.rooms.folders.containers.iterdir()} == {kept, "notes"}
    assert second.runtime.left == set()
    await second.rooms.close()


async def test_what_a_damaged_record_owned_is_left_alone(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    hurt, sound = await first.started("hurt"), await first.started("sound")
    await first.rooms.parts.tasks.close()
    await first.rooms.records.close()
    with sqlite3.connect(tmp_path / "data" / "havre.db") as db:
        db.execute("UPDATE containers SET crc = 0 WHERE id = ?", (hurt,))
    first.rooms.folders.run(hurt).mkdir()
    again = World(tmp_path)
    again.rooms.runtime.shims, again.rooms.runtime.left = first.runtime.shims, first.runtime.left
    again.rooms.trees._keys = first.rooms.trees._keys
    await again.open()
    assert {container.id for container in again.rooms.parts.roster} == {sound}
    assert again.kept == {hurt, sound}
    assert hurt in again.rooms.trees.keys()  # noqa: SIM118  a method of the store
    assert hurt in again.runtime.left
    await again.rooms.close()


async def test_exec_sessions_go_on(tmp_path: Path) -> None:
    first = World(tmp_path)
    await first.open()
    identifier = await first.started("web")
    execs = Execs(first.rooms.parts)
    going, over = [await execs.create("web", {"Cmd": ["x"]}) for _ in range(2)]
    for exec_id in (going, over):
        await execs.start(exec_id, {}, None, b"")
    shim = first.runtime.shims[identifier]
    shim.end_exec(over, 3)
    while (await execs.inspect(over)).get("Running"):
        await asyncio.sleep(0)
    second = await first.reopen()
    again = Execs(second.rooms.parts)
    assert (await again.inspect(over)).get("ExitCode") == 3
    assert (await again.inspect(going)).get("Running") is True
    shim.end_exec(going, 4)
    while (await again.inspect(going)).get("Running"):
        await asyncio.sleep(0)
    assert (await again.inspect(going)).get("ExitCode") == 4
    await Containers(second.rooms.parts).remove("web", force=True, volumes=False, link=False)
    third = await second.reopen()
    assert third.rooms.parts.past_execs == []
    await third.rooms.close()


async def test_a_volume_stays_mounted_for_what_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two that share it ended while no engine was there."""
    told = list[str]()
    monkeypatch.setattr("havre.volumes.backing.mount_volume", lambda volume, *_: told.append(f"mount {volume.name}"))
    monkeypatch.setattr("havre.volumes.backing.unmount_volume", lambda path: told.append(f"unmount {path.parent.name}"))
    first = World(tmp_path)
    await first.open()
    await first.rooms.volumes.create(Wanted("shared", options={"type": "tmpfs", "device": "tmpfs"}))
    dead, _ = await first.started("dead", Binds=["shared:/v"]), await first.started("alive", Binds=["shared:/v"])
    del first.runtime.shims[dead]
    first.runtime.exits[dead] = Exit(code=3, finished_ns=1_700_000_009_000_000_000)
    told.clear()
    second = await first.reopen()
    assert (second.state("dead"), second.state("alive")) == ((State.EXITED, 3), (State.RUNNING, 0))
    assert told == ["mount shared"]
    await second.rooms.close()


async def test_what_cannot_be_swept_keeps_no_engine_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = World(tmp_path)
    await first.open()
    await first.started("web")
    first.rooms.trees.prepare("f" * 64, None)

    def busy(*_: object, **__: object) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(FakeTrees, "discard", busy)
    second = await first.reopen()
    assert second.state("web") == (State.RUNNING, 0)
    await second.rooms.close()
