"""Containers that the engine starts again, with what Compose wrote on them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from havre.engine import boot
from havre.engine.containers import Containers
from havre.engine.health import HEALTHY, Health
from havre.engine.lifecycle import State
from havre.engine.lives import Lives
from havre.engine.remove import remove
from havre.engine.roster import Container
from havre.oci.image_config import ProcessConfig
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import Rooms, make_image, open_rooms

_PREFIX = "com.docker.compose."


class Bench:
    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.parts = rooms.parts

    async def make(self, name: str, depends_on: str = "", **more: Any) -> Container:
        """One that waits for its restart."""
        labels = {f"{_PREFIX}project": "app", f"{_PREFIX}service": name, f"{_PREFIX}depends_on": depends_on}
        wanted = cast("CreateContainer", {"Image": "busybox", "Labels": labels, **more})
        await Containers(self.parts).create(wanted, name, None)
        container = self.parts.roster.get(name)
        self.parts.change(container, replace(container.record, state=State.RESTARTING, started_ns=1, finished_ns=2))
        return container

    async def well(self, container: Container) -> None:
        self.parts.change(container, replace(container.record, health=Health(status=HEALTHY)))
        self.parts.tell(container, "health_status: healthy")

    @staticmethod
    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await asyncio.sleep(0.005)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_rooms(tmp_path, make_image("busybox", ProcessConfig(cmd=["sh"]))) as rooms:
        yield Bench(rooms)


def runs(container: Container) -> bool:
    return container.record.state is State.RUNNING


async def test_a_container_waits_for_the_health_of_another(bench: Bench) -> None:
    web = await bench.make("web", "db:service_healthy:false")
    other = await bench.make("other", "db:service_started:false")
    db = await bench.make("db", Healthcheck={"Test": ["CMD", "true"]})
    boot.start_in_order(bench.parts, [web, other, db])
    await bench.until(lambda: runs(other))
    assert runs(db)
    assert web.record.state is State.RESTARTING
    await bench.well(db)
    await bench.until(lambda: runs(web))
    assert web.record.restart_count == 0


async def test_a_container_waits_for_the_end_of_another(bench: Bench) -> None:
    web = await bench.make("web", "init:service_completed_successfully:false")
    init = await bench.make("init")
    boot.start_in_order(bench.parts, [web, init])
    await bench.until(lambda: runs(init))
    assert not runs(web)
    bench.rooms.runtime.shims[init.id].end(0)
    await bench.until(lambda: runs(web))


@pytest.mark.parametrize(
    ("condition", "code", "said"),
    [
        ("service_completed_successfully", 3, "has not ended with success"),
        ("service_healthy", 0, "is not healthy"),
        ("service_started", 3, "does not run"),
    ],
)
async def test_what_will_not_be_is_not_waited_for(
    bench: Bench, caplog: pytest.LogCaptureFixture, condition: str, code: int, said: str
) -> None:
    web, db = await bench.make("web", f"db:{condition}:false"), await bench.make("db")
    bench.parts.change(db, replace(db.record, state=State.EXITED, exit_code=code))
    with caplog.at_level(logging.WARNING):
        boot.start_in_order(bench.parts, [web])
        await bench.until(lambda: runs(web))
    assert f"web starts although db {said}" in caplog.text


async def test_patience_ends(bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "PATIENCE_S", 0.01)
    web = await bench.make("web", "db:service_healthy:false")
    db = await bench.make("db", Healthcheck={"Test": ["CMD", "true"]})
    boot.start_in_order(bench.parts, [web, db])
    await bench.until(lambda: runs(web))
    assert "web starts although db is not healthy" in caplog.text
    assert bench.parts.events.listeners == 0


async def test_a_circle_is_told_and_all_come_up(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    one, two = (
        await bench.make("one", "two:service_started:false"),
        await bench.make("two", "one:service_started:false"),
    )
    boot.start_in_order(bench.parts, [one, two])
    await bench.until(lambda: runs(one) and runs(two))
    assert "containers that depend on each other: two does not wait for one" in caplog.text


async def test_stopped_or_removed_meanwhile(bench: Bench) -> None:
    web, late = (
        await bench.make("web", "db:service_healthy:false"),
        await bench.make("late", "db:service_healthy:false"),
    )
    db = await bench.make("db", Healthcheck={"Test": ["CMD", "true"]})
    boot.start_in_order(bench.parts, [web, late, db])
    await bench.until(lambda: runs(db))
    await Lives(bench.parts).stop("web", None, None)
    await remove(bench.parts, db, force=True, volumes=False)
    await bench.until(lambda: runs(late))
    assert web.record.state is State.EXITED
