"""A command whose build is cancelled at a bad moment leaves no tree."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from havre.build.dockerfile.instructions import Mount as Mounted
from havre.build.dockerfile.instructions import MountKind, Sharing
from havre.build.dockerfile.origins import EmptyOrigin
from havre.build.graph import MountOperation, RunOperation
from havre.build.layers import Workshop
from havre.build.model import BuildWishes, CommandFailed, Tree
from havre.build.mounts import CacheFolders
from havre.build.seams import Output, Runner, RunWishes
from havre.build.steps.commands import Running
from havre.oci.digest import Digest
from havre.oci.runtime_spec import Mount
from havre.volumes.volumes import Volumes
from tests.fakes.rooms import FakeTrees


class SlowTrees(FakeTrees):
    """Its trees take until the test lets them be."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.made = threading.Event()

    def prepare(self, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        self.reached.set()
        assert self.opened.wait(60)
        try:
            return super().prepare(key, chain)
        finally:
            self.made.set()


class NoRunner(Runner):
    async def run(self, wishes: RunWishes, output: Output) -> int:
        raise AssertionError((wishes, output))


async def _silent(_data: bytes, _is_error: bool) -> None:  # noqa: FBT001  the shape of seams.Output
    """Nobody listens."""


async def test_a_tree_that_was_being_made_goes(tmp_path: Path) -> None:
    trees = SlowTrees(tmp_path / "trees")
    folders = CacheFolders(tmp_path / "caches", Volumes(tmp_path / "volumes"))
    workshop = cast("Workshop", SimpleNamespace(trees=trees))
    operation = RunOperation(argv=("true",), env=(), user="", working_dir="/")
    running = Running(workshop, NoRunner(), folders, BuildWishes(), operation, ())
    making = asyncio.create_task(running.make("key", Tree(), _silent, None))
    assert await asyncio.to_thread(trees.reached.wait, 60)
    making.cancel()
    await asyncio.sleep(0)
    trees.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert await asyncio.to_thread(trees.made.wait, 60)
    assert trees.keys() == ()


class Meeting(Runner):
    """Runs nothing, and notes where caches are."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []

    async def run(self, wishes: RunWishes, output: Output) -> int:
        await output(b"", False)
        self.seen.append({mount.destination: mount.source or "" for mount in wishes.mounts})
        return 1


def locked(identifier: str, target: str) -> MountOperation:
    mount = Mounted(kind=MountKind.CACHE, id=identifier, target=target, sharing=Sharing.LOCKED, read_only=False)
    return MountOperation(mount=mount, origin=EmptyOrigin())


async def test_steps_that_lock_the_same_caches_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """In whatever order they name them, and though one names the same twice."""
    folders = CacheFolders(tmp_path / "caches", Volumes(tmp_path / "volumes"))
    folders.open()
    runner = Meeting()
    workshop = cast("Workshop", SimpleNamespace(trees=FakeTrees(tmp_path / "trees")))
    orders = [("x", "y"), ("y", "x"), ("y", "y", "x")] * 4

    async def step(number: int, order: tuple[str, ...]) -> None:
        mounts = tuple(locked(name, f"/{place}") for place, name in enumerate(order))
        operation = RunOperation(argv=("false",), env=(), user="", working_dir="/", mounts=mounts)
        running = Running(workshop, runner, folders, BuildWishes(), operation, (None,) * len(mounts))
        with pytest.raises(CommandFailed):
            await running.make(f"step{number}", Tree(), _silent, None)

    async with asyncio.timeout(60):
        await asyncio.gather(*(step(number, order) for number, order in enumerate(orders)))
    assert len(runner.seen) == len(orders)
    assert all(seen["/0"] == seen["/1"] for seen in runner.seen if len(seen) == 3)
    assert {len(set(seen.values())) for seen in runner.seen} == {2}
