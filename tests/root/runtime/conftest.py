"""A place for containers, checked for everything that a runtime may leave behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.runtime.runtime import Runtime
from tests.support.bundles import CGROUP_TOP, Place, busybox_tree, remove_cgroups


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_tree(tmp_path_factory.mktemp("image"))


@pytest.fixture
async def place(tmp_path: Path, image: Path) -> AsyncIterator[Place]:
    async for made in new_place(tmp_path, image, ""):
        yield made


async def new_place(tmp_path: Path, image: Path, fail_at: str) -> AsyncIterator[Place]:
    """A place whose end asserts that no process, mount, cgroup, descriptor or run folder is left."""
    mounts, fds = _mounts(), len(os.listdir("/proc/self/fd"))
    runtime = Runtime(tmp_path / "run", fail_at=fail_at)
    await runtime.open()
    cgroup = f"{CGROUP_TOP}/{os.urandom(4).hex()}"
    launcher = runtime.launcher_pid
    try:
        yield Place(tmp_path, image, runtime, cgroup)
        left = await _shims(launcher)
        folders = os.listdir(tmp_path / "run")
        groups = _groups(cgroup)
    finally:
        await runtime.close()
        remove_cgroups(cgroup)
    assert not left
    assert not folders
    assert not groups
    assert _mounts() == mounts
    assert len(os.listdir("/proc/self/fd")) == fds


async def _shims(launcher: int) -> list[int]:
    """The shims that are still there; one that is just ending is waited for."""
    for _ in range(300):
        found = _children(launcher)
        if not found:
            return []
        await asyncio.sleep(0.01)
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


def _groups(cgroup: str) -> list[str]:
    top = Path("/sys/fs/cgroup")
    roots = [found for found in (top / cgroup.strip("/"), *(one / cgroup.strip("/") for one in top.iterdir()))]
    return [str(inner) for root in roots if root.is_dir() for inner in root.iterdir() if inner.is_dir()]
