from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from havre.base.errors import InternalError
from havre.volumes.model import NameTaken, NoSuchVolume, Volume, VolumeInUse, Wanted
from havre.volumes.store import Store
from havre.volumes.volumes import Volumes, used


@pytest.fixture
async def volumes(tmp_path: Path) -> Volumes:
    made = Volumes(tmp_path / "volumes")
    await made.open()
    return made


async def test_making_it_twice_is_making_it_once(volumes: Volumes) -> None:
    first, fresh = await volumes.create(Wanted("one", {"a": "b"}, {}))
    again, second = await volumes.create(Wanted("one"))
    assert (first, fresh, second) == (again, True, False)
    with pytest.raises(NameTaken):
        await volumes.create(Wanted("one", {}, {"type": "tmpfs", "device": "tmpfs"}))


async def test_what_is_held_stays(volumes: Volumes) -> None:
    await volumes.create(Wanted("one"))
    volumes.hold("one", "c1")
    volumes.hold("one", "c2")
    volumes.release("one", "c1")
    with pytest.raises(VolumeInUse, match=r"remove one: volume is in use - \[c2\]"):
        await volumes.remove("one")
    volumes.release("one", "c2")
    await volumes.remove("one")
    with pytest.raises(NoSuchVolume):
        volumes.get("one")


async def test_only_an_empty_volume_is_filled(volumes: Volumes, tmp_path: Path) -> None:
    source = tmp_path / "image"
    source.mkdir()
    (source / "a").write_text("from the image")
    (source / "link").symlink_to("/etc/passwd")

    def opened() -> int:
        return os.open(source, os.O_RDONLY | os.O_DIRECTORY)

    await volumes.create(Wanted("one"))
    await volumes.fill("one", opened)
    assert (volumes.path("one") / "a").read_text() == "from the image"
    assert str((volumes.path("one") / "link").readlink()) == "/etc/passwd"
    (volumes.path("one") / "a").write_text("changed")
    await volumes.fill("one", opened)
    assert (volumes.path("one") / "a").read_text() == "changed"


async def test_half_a_copy_is_taken_back(volumes: Volumes, tmp_path: Path) -> None:
    source = tmp_path / "deep"
    source.joinpath(*["d"] * 220).mkdir(parents=True)
    await volumes.create(Wanted("one"))
    with pytest.raises(OSError, match="more than 200 levels"):
        await volumes.fill("one", lambda: os.open(source, os.O_RDONLY | os.O_DIRECTORY))
    assert os.listdir(volumes.path("one")) == []
    assert sorted(os.listdir(volumes.path("one").parent)) == ["_data", "volume.json"]


async def test_half_a_copy_of_a_process_that_died_is_gone(volumes: Volumes, tmp_path: Path) -> None:
    await volumes.create(Wanted("one"))
    half = volumes.path("one").with_name(".half")
    half.mkdir()
    (half / "file").write_text("hal")
    again = Volumes(tmp_path / "volumes")
    await again.open()
    assert not half.exists()
    assert os.listdir(again.path("one")) == []


async def test_another_name_takes_the_content_along(volumes: Volumes) -> None:
    await volumes.create(Wanted("one", {"a": "b"}, {}))
    (volumes.path("one") / "file").write_text("kept")
    await volumes.create(Wanted("two"))
    with pytest.raises(NameTaken):
        await volumes.rename("one", "two")
    volumes.hold("one", "someone")
    with pytest.raises(VolumeInUse):
        await volumes.rename("one", "three")
    volumes.release("one", "someone")
    await volumes.rename("one", "three")
    assert [volume.name for volume in volumes.list()] == ["three", "two"]
    assert volumes.get("three").labels == {"a": "b"}
    assert (volumes.path("three") / "file").read_text() == "kept"


class Gate:
    """Holds the thread that calls `pass_through` until it is opened; *reached* tells that it came."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def pass_through(self, *_: object) -> None:
        self.reached.set()
        assert self.opened.wait(60)

    async def wait_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 60)


async def test_a_creation_that_is_cancelled_leaves_nothing(volumes: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, add = Gate(), Store.add

    def slow(store: Store, volume: Volume) -> None:
        gate.pass_through()
        add(store, volume)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "add", slow)
        creation = asyncio.create_task(volumes.create(Wanted("one")))
        await gate.wait_reached()
        creation.cancel()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await creation
    assert volumes.list() == []
    assert not volumes.path("one").exists()
    assert (await volumes.create(Wanted("one")))[1]


async def test_a_removal_that_is_cancelled_is_done_all_the_same(
    volumes: Volumes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, drop = Gate(), Store.drop

    def slow(store: Store, name: str) -> None:
        gate.pass_through()
        drop(store, name)

    await volumes.create(Wanted("one"))
    with monkeypatch.context() as patched:
        patched.setattr(Store, "drop", slow)
        removal = asyncio.create_task(volumes.remove("one"))
        await gate.wait_reached()
        removal.cancel()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await removal
    assert volumes.find("one") is None
    assert (await volumes.create(Wanted("one")))[1]


async def test_what_is_being_copied_is_neither_removed_nor_renamed(volumes: Volumes) -> None:
    await volumes.create(Wanted("one"))
    async with used(volumes, "one"):
        with pytest.raises(VolumeInUse, match="remove one: volume is in use: its content is being copied"):
            await volumes.remove("one")
        with pytest.raises(VolumeInUse, match="rename one"):
            await volumes.rename("one", "two")
    await volumes.rename("one", "two")
    await volumes.remove("two")


async def test_a_dead_file_server_hinders_no_other_volume(volumes: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr("havre.volumes.backing.mount_volume", gate.pass_through)
    await volumes.create(Wanted("dead", options={"type": "nfs", "device": ":/export", "o": "addr=192.0.2.1"}))
    mounting = asyncio.create_task(volumes.mount("dead", "c1"))
    await gate.wait_reached()
    async with asyncio.timeout(60):
        await volumes.create(Wanted("one"))
        await volumes.mount("one", "c2")
        await volumes.unmount("one", "c2")
        await volumes.remove("one")
    assert not mounting.done()
    gate.opened.set()
    await mounting


async def test_a_mount_that_is_cancelled_is_taken_off(volumes: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, taken_off = Gate(), list[Path]()
    monkeypatch.setattr("havre.volumes.backing.mount_volume", gate.pass_through)
    monkeypatch.setattr("havre.volumes.backing.unmount_volume", taken_off.append)
    await volumes.create(Wanted("one", options={"type": "tmpfs", "device": "tmpfs"}))
    mounting = asyncio.create_task(volumes.mount("one", "c1"))
    await gate.wait_reached()
    mounting.cancel()
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await mounting
    assert taken_off == [volumes.path("one")]


async def test_a_volume_whose_driver_is_gone_goes_by_force_alone(volumes: Volumes, tmp_path: Path) -> None:
    Store(tmp_path / "volumes").add(Volume(name="one", created_ns=1, driver="vanished"))
    await volumes.open()
    with pytest.raises(InternalError, match="remove one: error looking up volume plugin vanished"):
        await volumes.remove("one")
    await volumes.remove("one", force=True)
    assert volumes.list() == []
    assert not volumes.path("one").parent.exists()
