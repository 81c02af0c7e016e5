"""A place for containers, checked for everything that a runtime may leave behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.kernel.overlay_options import takes_layers
from havre.runtime.runtime import Runtime
from tests.support.bundles import CGROUP_TOP, Place, busybox_tree, remove_cgroups
from tests.support.handles import handles


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_tree(tmp_path_factory.mktemp("image"))


CRADLES = not Path("/sys/fs/cgroup/cgroup.controllers").exists() and takes_layers(os.uname().release)
"""Whether a child ever waits on this host: not in a cgroup v2 tree, nor with a kernel before 6.7."""

WAYS = ("ahead", "ordinary") if CRADLES else ("ordinary",)
"""How a container is born: by a child that waited for it, or by one that is made for it."""


@pytest.fixture(params=WAYS)
async def place(tmp_path: Path, image: Path, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async for made in new_place(tmp_path, image, "", way=request.param):
        yield made


async def new_place(tmp_path: Path, image: Path, fail_at: str, *, way: str) -> AsyncIterator[Place]:
    """A place whose end asserts that no process, mount, cgroup, descriptor or run folder is left."""
    mounts, fds = _mounts(tmp_path), handles()
    cgroup = f"{CGROUP_TOP}/{os.urandom(4).hex()}"
    runtime = Runtime(tmp_path / "run", cgroup_parent=cgroup if way == "ahead" else "", fail_at=fail_at)
    await runtime.open()
    launcher = runtime.launcher_pid
    if way == "ahead":
        await waits(launcher)
    try:
        yield Place(tmp_path, image, runtime, cgroup)
        left = await _shims(launcher)
        folders = os.listdir(tmp_path / "run")
        groups = [group for group in _groups(cgroup) if "/spare-" not in group]
    finally:
        shims = _children(launcher)
        await runtime.close()
        living = [pid for pid in shims if _name(pid) == "havre-shim"]
        spares = _groups(cgroup)
        remove_cgroups(cgroup)
    assert not left
    assert not folders
    assert not groups
    assert not spares
    assert not living
    assert _mounts(tmp_path) == mounts
    assert handles() <= fds


async def _shims(launcher: int) -> list[int]:
    """The shims that are still there; one that is just ending is waited for."""
    found = _busy(launcher)
    for _ in range(300):
        if not found:
            break
        await asyncio.sleep(0.01)
        found = _busy(launcher)
    return found


def _busy(launcher: int) -> list[int]:
    """Without the one that is forked ahead."""
    return [pid for pid in _children(launcher) if not _ahead([_name(child) for child in _children(pid)])]


def _ahead(names: list[str]) -> bool:
    return "havre-spare" in names and set(names) <= {"havre-spare", "havre-cradle"}


async def waits(launcher: int) -> None:
    """Return once a child waits half born."""
    async with asyncio.timeout(20):
        while not any("havre-cradle" in map(_name, _children(pid)) for pid in _children(launcher)):
            await asyncio.sleep(0.01)


async def another_waits(pid: int) -> bool:
    """Whether a process for the next exec session of the container with first process *pid* comes to wait."""
    keeper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for _ in range(100):
        if any(_children(worker) for worker in _children(keeper) if worker != pid):
            return True
        await asyncio.sleep(0.005)
    return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _mounts(folder: Path) -> list[str]:
    """Those below *folder*: other tests may run on this machine."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


def _groups(cgroup: str) -> list[str]:
    top = Path("/sys/fs/cgroup")
    roots = [top / cgroup.strip("/"), *(one / cgroup.strip("/") for one in top.iterdir())]
    return [str(inner) for root in roots if root.is_dir() for inner in root.iterdir() if inner.is_dir()]
