from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.volumes.model import NameTaken, NoSuchVolume, VolumeInUse, Wanted
from havre.volumes.volumes import Volumes


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
