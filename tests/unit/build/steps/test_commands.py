"""A command whose build is cancelled at a bad moment leaves no tree."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from havre.build.graph import RunOperation
from havre.build.layers import Workshop
from havre.build.model import BuildWishes, Tree
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
