"""Folders watched through one descriptor: who waits for which, and what is left when nobody waits."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.kernel.inotify import IN_Q_OVERFLOW, read_events
from havre.kernel.libc import KernelError
from havre.logs import watch as module
from havre.logs.watch import FolderWatch
from tests.support.forked import descriptors

DEADLINE_S = 60


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert not module._hubs
    assert watching() == 0


def watching() -> int:
    return sum("inotify" in target for target in descriptors().values())


async def told(watch: FolderWatch) -> None:
    """Wait until *watch* is told of a change, and forget it."""
    await asyncio.wait_for(watch.event.wait(), DEADLINE_S)
    watch.event.clear()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "a", tmp_path / "b"
    for folder in made:
        folder.mkdir()
    return made


async def test_writing_making_and_moving_are_changes(folders: tuple[Path, Path]) -> None:
    log, elsewhere = folders[0] / "log", folders[1] / "log"
    elsewhere.touch()
    async with FolderWatch(folders[0]) as watch:
        assert not watch.event.is_set()
        log.touch()
        await told(watch)
        log.write_bytes(b"said")
        await told(watch)
        elsewhere.rename(log)
        await told(watch)


async def test_each_is_told_of_its_own_folder(folders: tuple[Path, Path]) -> None:
    async with FolderWatch(folders[0]) as one, FolderWatch(folders[1]) as two, FolderWatch(folders[1]) as three:
        assert watching() == 1
        (folders[0] / "log").touch()
        (folders[1] / "log").touch()
        for watch in (two, three, one):
            await told(watch)
        (folders[0] / "log").write_bytes(b"said")
        await told(one)
        assert not two.event.is_set()
        assert not three.event.is_set()


async def test_one_who_leaves_takes_nothing_from_others(folders: tuple[Path, Path]) -> None:
    async with FolderWatch(folders[0]) as staying:
        async with FolderWatch(folders[0]) as leaving, FolderWatch(folders[1]):
            pass
        (folders[0] / "log").touch()
        await told(staying)
        assert not leaving.event.is_set()


async def test_a_folder_that_goes_is_a_change_and_no_trouble(folders: tuple[Path, Path]) -> None:
    async with FolderWatch(folders[0]) as gone, FolderWatch(folders[1]) as other:
        folders[0].rmdir()
        await told(gone)
        folders[0].mkdir()
        async with FolderWatch(folders[0]) as new:
            (folders[0] / "log").touch()
            await told(new)
            (folders[1] / "log").touch()
            await told(other)


async def test_events_that_were_too_many_are_a_change_for_all(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(handle: int) -> list[tuple[int, int, bytes]]:
        assert read_events(handle)
        return [(-1, IN_Q_OVERFLOW, b"")]

    monkeypatch.setattr(module, "read_events", overflow)
    async with FolderWatch(folders[0]) as one, FolderWatch(folders[1]) as two:
        (folders[0] / "log").touch()
        await told(one)
        await told(two)


@pytest.mark.parametrize("lacking", ["inotify_open", "add_watch"])
async def test_without_a_watch_it_looks_again_and_again(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    def refuse(*_: object) -> int:
        raise KernelError.of(errno.EMFILE, lacking)

    monkeypatch.setattr(module, lacking, refuse)
    async with FolderWatch(folders[0]) as watch:
        assert watching() == 0
        for _ in range(3):
            await told(watch)
    with pytest.raises(TimeoutError):  # it has stopped to look
        await asyncio.wait_for(watch.event.wait(), 3 * module._POLL_S)


async def test_a_folder_that_is_not_there_is_looked_for(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    (tmp_path / "file").touch()
    async with FolderWatch(folders[0]) as real:
        async with FolderWatch(tmp_path / "nowhere") as missing, FolderWatch(tmp_path / "file") as file:
            await told(missing)
            await told(file)
        (folders[0] / "log").touch()
        await told(real)


def test_each_loop_has_its_own_descriptor(folders: tuple[Path, Path]) -> None:
    async def run() -> None:
        async with FolderWatch(folders[0]) as watch:
            (folders[0] / "log").write_bytes(b"said")
            await told(watch)

    for _ in range(3):
        asyncio.run(run())
        assert watching() == 0
