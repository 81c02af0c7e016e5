"""The child that waits half born: it becomes the next container, holds nothing of the host, ends with its launcher."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.runtime.runtime import Runtime
from tests.root.runtime.conftest import CRADLES, new_place, waits
from tests.support.bundles import CGROUP_TOP, Place, remove_cgroups

pytestmark = [pytest.mark.root, pytest.mark.skipif(not CRADLES, reason="no child waits on this host")]


@pytest.fixture
async def place(tmp_path: Path, image: Path) -> AsyncIterator[Place]:
    async for made in new_place(tmp_path, image, "", way="ahead"):
        yield made


def cradle_of(launcher: int) -> int:
    for shim in _children(launcher):
        for child in _children(shim):
            if Path(f"/proc/{child}/comm").read_text().strip() == "havre-cradle":
                return child
    raise AssertionError("nobody waits")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _groups(cgroup: str, name: str) -> list[Path]:
    return [path for tree in Path("/sys/fs/cgroup").iterdir() for path in tree.glob(f"{cgroup.strip('/')}/{name}")]


async def test_who_waits_becomes_the_container(place: Place) -> None:
    waiting = cradle_of(place.runtime.launcher_pid)
    bundle = place.bundle("sleep", "100")
    shim, client = await place.launch(bundle)
    assert shim.pid == waiting
    assert _groups(place.cgroup, bundle.id)
    assert Path(f"/proc/{shim.pid}/cgroup").read_text().count(f"{place.cgroup}/{bundle.id}\n") >= 8
    client.close()
    await place.end(shim)


async def test_what_does_not_fit_is_born_otherwise(place: Place) -> None:
    waiting = cradle_of(place.runtime.launcher_pid)
    shim, client = await place.launch(place.bundle("sleep", "100", masked_paths=None))
    assert shim.pid != waiting
    assert not Path(f"/proc/{waiting}").exists()
    client.close()
    await place.end(shim)


async def test_what_cannot_be_made_is_told_as_ever(place: Place) -> None:
    bundle = place.bundle("true", resources=place.bundle("true").spec.linux.resources)  # type: ignore[union-attr]
    Path(bundle.spec.root.path).rmdir()  # type: ignore[union-attr]
    shim, client = await place.launch(bundle)  # a waiting child needs no folder to mount on
    assert (await shim.wait_exit()).code == 0
    client.close()
    await place.end(shim)


async def test_who_waits_holds_no_mount_of_the_host(place: Place) -> None:
    waiting = cradle_of(place.runtime.launcher_pid)
    kinds = {line.split(" - ")[1].split()[0] for line in Path(f"/proc/{waiting}/mountinfo").read_text().splitlines()}
    assert kinds <= {"tmpfs", "proc", "devpts", "mqueue", "cgroup"}


async def test_many_at_once_each_in_its_own_group(place: Place) -> None:
    for _ in range(5):
        show = "cat /proc/self/cgroup; echo end"
        done = await asyncio.gather(*(place.run("sh", "-c", show) for _ in range(8)))
        assert [(one.code, one.words[-1]) for one in done] == [(0, "end")] * 8
        await waits(place.runtime.launcher_pid)


async def test_who_waits_for_a_dead_launcher_is_swept(tmp_path: Path, image: Path) -> None:
    cgroup = f"{CGROUP_TOP}/{os.urandom(4).hex()}"
    stale = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220  it only has to be there
    for tree in {path.resolve() for path in Path("/sys/fs/cgroup").iterdir() if (path / "cgroup.procs").exists()}:
        group = tree / cgroup.strip("/") / f"spare-{2**22 - 1}"
        group.mkdir(parents=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            for folder in (group.parent.parent, group.parent, group):
                if (folder / file).exists() and not (folder / file).read_text().strip():
                    (folder / file).write_text((folder.parent / file).read_text())
        (group / "cgroup.procs").write_text(str(stale.pid))
    await _swept(tmp_path, cgroup)
    assert await asyncio.to_thread(stale.wait, 20) == -signal.SIGKILL
    remove_cgroups(cgroup)


@pytest.mark.parametrize("whom", ["launcher", "shim", "worker", "cradle"])
async def test_death_of_who_takes_part(tmp_path: Path, image: Path, whom: str) -> None:
    cgroup = f"{CGROUP_TOP}/{os.urandom(4).hex()}"
    runtime = Runtime(tmp_path / "run", cgroup_parent=cgroup)
    await runtime.open()
    place = Place(tmp_path, image, runtime, cgroup)
    launcher = runtime.launcher_pid
    await waits(launcher)
    waiting = cradle_of(launcher)
    shim = next(pid for pid in _children(launcher) if waiting in _children(pid))
    worker = next(pid for pid in _children(shim) if pid != waiting)
    os.kill({"launcher": launcher, "shim": shim, "worker": worker, "cradle": waiting}[whom], signal.SIGKILL)
    async with asyncio.timeout(20):
        while not all(map(_ended, (waiting, *([worker] if whom != "cradle" else [])))):
            await asyncio.sleep(0.01)
    outcome = await place.run("echo", "born")
    assert outcome.output == "born\n"
    await runtime.close()
    assert whom == "launcher" or not _groups(cgroup, "spare-*")
    await _swept(tmp_path, cgroup)
    remove_cgroups(cgroup)


def _ended(pid: int) -> bool:
    """Dead, and everything that it held is given back."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def _swept(tmp_path: Path, cgroup: str) -> None:
    """The next launcher takes away what the killed ones left."""
    runtime = Runtime(tmp_path / "next", cgroup_parent=cgroup)
    await runtime.open()
    await waits(runtime.launcher_pid)
    assert len({path.name for path in _groups(cgroup, "spare-*")}) == 1
    await runtime.close()
    assert not _groups(cgroup, "spare-*")
