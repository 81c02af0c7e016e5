"""Folders of cache mounts: whole when a step sees them, and nothing else is kept."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from havre.build.mounts import CacheFolders, CacheWish
from havre.kernel.copying import copy_tree
from havre.volumes.volumes import Volumes

WISH = CacheWish(id="deps", mode=0o750, uid=7, gid=8)


@pytest.fixture
def initial(tmp_path: Path) -> Path:
    folder = tmp_path / "initial"
    folder.mkdir()
    (folder / "a").write_text("first content")
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> CacheFolders:
    made = CacheFolders(tmp_path / "caches", Volumes(tmp_path / "volumes"))
    made.open()
    return made


async def test_who_comes_second_sees_it_whole(
    folders: CacheFolders, initial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, opened = threading.Event(), threading.Event()

    def slow(source: int, into: int) -> None:
        reached.set()
        assert opened.wait(60)
        copy_tree(source, into)

    monkeypatch.setattr("havre.build.mounts.copy_tree", slow)
    handle = os.open(initial, os.O_RDONLY | os.O_DIRECTORY)

    async def seen() -> tuple[list[str], int, int]:
        async with folders.used(WISH, handle) as folder:
            status = folder.stat()
            return os.listdir(folder), status.st_mode & 0o7777, status.st_uid

    first = asyncio.create_task(seen())
    assert await asyncio.to_thread(reached.wait, 60)
    second = asyncio.create_task(seen())
    await asyncio.sleep(0)
    assert folders.kept() == {}
    opened.set()
    assert await first == await second == (["a"], 0o750, 7)
    os.close(handle)


async def test_half_of_a_folder_is_none(
    folders: CacheFolders, initial: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(_source: int, into: int) -> None:
        os.mkdir("half", dir_fd=into)
        raise OSError("no space left on device")

    handle = os.open(initial, os.O_RDONLY | os.O_DIRECTORY)
    with monkeypatch.context() as patched:
        patched.setattr("havre.build.mounts.copy_tree", full)
        with pytest.raises(OSError, match="no space"):
            async with folders.used(WISH, handle):
                pass
    assert list((tmp_path / "caches").iterdir()) == []
    async with folders.used(WISH, handle) as folder:
        assert os.listdir(folder) == ["a"]
    os.close(handle)


async def test_what_a_dead_process_began_goes(folders: CacheFolders, tmp_path: Path) -> None:
    (tmp_path / "caches" / ".half-deps" / "x").mkdir(parents=True)
    async with folders.used(WISH) as folder:
        name = folder.name
    folders.open()
    assert os.listdir(tmp_path / "caches") == [name]


async def test_what_a_step_uses_is_not_removed(folders: CacheFolders) -> None:
    async with folders.used(WISH) as folder:
        (folder / "a").write_text("needed")
        assert not await folders.remove(folder.name)
        assert (folder / "a").read_text() == "needed"
    assert await folders.remove(folder.name)
    assert not folder.exists()
