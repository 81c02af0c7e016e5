"""Containers outlive whoever started them: launcher, havred, even a shim's death is noticed and cleaned up."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from havre.runtime.runtime import Runtime
from tests.support.bundles import Place

pytestmark = pytest.mark.root


async def until_gone(pid: int) -> None:
    """The launcher, our child, is reaped by the runtime."""
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.005)


def keeper_of(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("PPid"))
    return int(line.split()[1])


async def until_at_rest(pid: int) -> None:
    """The shim's worker has handed over to its keeper, whose one child the container *pid* is."""
    keeper = keeper_of(pid)
    async with asyncio.timeout(60):
        while Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split() != [str(pid)]:
            await asyncio.sleep(0.02)


async def test_killed_launcher_is_replaced_and_containers_go_on(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    killed = place.runtime.launcher_pid
    os.kill(killed, signal.SIGKILL)
    await until_gone(killed)
    assert (await place.run("echo", "again")).output == "again\n"
    assert place.runtime.launcher_pid not in {0, killed}
    assert (await place.execute(shim, "echo", "old")).output == "old\n"
    client.close()
    await place.end(shim)


async def test_another_havred_adopts(place: Place, tmp_path: Path) -> None:
    shim, client = await place.launch(place.bundle("sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.02; done"))
    request = place.exec_request("sleep", "100")
    await shim.exec(request)
    await place.runtime.close()
    later = Runtime(tmp_path / "run")
    await later.open()
    try:
        found = await later.adopt(shim.id)
        assert found is not None
        assert (found.pid, found.started_ns) == (shim.pid, shim.started_ns)
        assert found.execs == {request.id}
        assert await later.adopt(shim.id) is found
        await found.signal(15)
        assert (await found.wait_exit()).code == 6
        assert await found.wait_exec(request.id) == 137
        await later.remove(shim.id)
        assert await later.adopt(shim.id) is None
    finally:
        client.close()
        await later.close()
        await place.runtime.open()


async def test_exit_while_nobody_listens(place: Place, tmp_path: Path) -> None:
    bundle = place.bundle("sh", "-c", "sleep 0.3; exit 8")
    shim, client = await place.launch(bundle)
    await place.runtime.close()
    await client.read_all()
    client.close()
    later = Runtime(tmp_path / "run")
    await later.open()
    try:
        found = await later.adopt(shim.id)
        ended = later.ended(shim.id) if found is None else await found.wait_exit()
        assert ended is not None
        assert ended.code == 8
        await later.remove(shim.id)
    finally:
        await later.close()
        await place.runtime.open()


async def test_attached_client_survives_havred(place: Place, tmp_path: Path) -> None:
    shim, client = await place.launch(place.bundle("sh", "-c", "while :; do echo x; sleep 0.01; done"))
    await place.runtime.close()
    for _ in range(3):
        await client.read_until(b"x\n")
    client.close()
    await place.runtime.open()
    found = await place.runtime.adopt(shim.id)
    assert found is not None
    await place.end(found)


async def test_exec_code_waits_for_the_next_havred(place: Place, tmp_path: Path) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    client.close()
    request = place.exec_request("sh", "-c", "sleep 0.3; exit 4")
    await shim.exec(request)
    await place.runtime.close()
    await until_at_rest(shim.pid)
    await place.runtime.open()
    found = await place.runtime.adopt(shim.id)
    assert found is not None
    assert await found.wait_exec(request.id) == 4
    await place.end(found)


async def test_exec_code_that_was_told_is_told_again(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    client.close()
    request = place.exec_request("sh", "-c", "exit 5")
    await shim.exec(request)
    assert await shim.wait_exec(request.id) == 5
    await place.runtime.close()  # as if it had been killed before it wrote the code down
    for _ in range(2):
        await place.runtime.open()
        found = await place.runtime.adopt(shim.id)
        assert found is not None
        assert await found.wait_exec(request.id) == 5
        await place.runtime.close()
        await until_at_rest(shim.pid)
    await place.runtime.open()
    found = await place.runtime.adopt(shim.id)
    assert found is not None
    await place.end(found)


async def test_killed_shim_ends_its_container(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    client.close()
    keeper = keeper_of(shim.pid)
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    os.kill(keeper, signal.SIGKILL)
    for child in children:
        if int(child) != shim.pid:
            os.kill(int(child), signal.SIGKILL)
    assert (await shim.wait_exit()).code == 137
    await place.runtime.remove(shim.id)
    async with asyncio.timeout(10):
        while Path(f"/proc/{shim.pid}").exists():
            await asyncio.sleep(0.01)


async def test_removing_twice_and_what_never_was(place: Place) -> None:
    await place.runtime.remove("never")
    assert place.runtime.ended("never") is None
    assert await place.runtime.adopt("never") is None
