"""S-09: every kind of damage is found, and after a repair there are only good objects; a new load brings the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.images.checking import Checks, Problem
from havre.images.model import Image
from tests.support.archives import DockerArchive, digest, tar
from tests.support.image_world import World, opened
from tests.support.oci_images import image, index, write_layout

pytestmark = pytest.mark.root

LAYERS = [tar({"a": b"one", "d/e": b"deep"}), tar({"b": b"two" * 1000})]
ARCHIVE = DockerArchive(LAYERS, tags=["x:1"]).bytes()


def blob(world: World, name: str) -> Path:
    return world.root / "content/blobs/sha256" / name.removeprefix("sha256:")


def layer(world: World, image: Image, position: int = 0) -> Path:
    return world.root / "overlay2" / image.layers[position].chain.value / "diff"


def flip(path: Path) -> None:
    times = path.stat()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def remove_tree(path: Path) -> None:
    path.rename(path.with_name("gone"))


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def folder_tar(folder: Path) -> bytes:
    return tar({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()})


Damage = Callable[[World, Image], object]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "a bit of a layer's blob": (lambda world, _: flip(blob(world, digest(LAYERS[0]))), "blob"),
    "a blob that was cut": (lambda world, _: os.truncate(blob(world, digest(LAYERS[0])), 100), "blob"),
    "an empty blob": (lambda world, _: os.truncate(blob(world, digest(LAYERS[0])), 0), "blob"),
    "a missing blob": (lambda world, _: blob(world, digest(LAYERS[0])).unlink(), "image"),
    "a bit of the config": (lambda world, image: flip(blob(world, image.id)), "blob"),
    "a missing file": (lambda world, image: (layer(world, image) / "a").unlink(), "layer"),
    "a file of no bytes": (lambda world, image: os.truncate(layer(world, image) / "a", 0), "layer"),
    "a bit of a file": (lambda world, image: flip(layer(world, image, 1) / "b"), "layer"),
    "a file too many": (lambda world, image: (layer(world, image) / "new").write_bytes(b""), "layer"),
    "another mode": (lambda world, image: (layer(world, image) / "a").chmod(0o777), "layer"),
    "another kind": (lambda world, image: make_folder(layer(world, image) / "a"), "layer"),
    "no files at all": (lambda world, image: remove_tree(layer(world, image)), "layer"),
    "a blob of nobody": (lambda world, _: blob(world, digest(b"lost")).write_bytes(b"lost"), "leftover"),
}


async def problems(world: World, *, repair: bool = False) -> list[Problem]:
    return [one async for one in Checks(world.store, lambda _: False).run(repair=repair)]


async def test_an_image_outlives_its_index(tmp_path: Path) -> None:
    parts = [image(1, architecture=one) for one in ("amd64", "arm64")]
    listing = index(*parts)
    listing.blobs = [data for one in parts for data in (one.manifest, *one.blobs)]
    archive = folder_tar(write_layout(tmp_path / "layout", listing, "localhost/x:1"))
    async with opened(tmp_path / "world") as world:
        await world.load(archive)
        assert await problems(world) == []
        blob(world, listing.digest).unlink()
        assert {one.kind for one in await problems(world, repair=True)} == {"image"}
        assert await problems(world) == []
        assert len(world.images.list()) == 2
        await world.load(archive)
        assert [one.index.digest for one in world.images.list() if one.index] == [listing.digest] * 2


async def test_a_sound_store(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.load(ARCHIVE)
        assert await problems(world) == []


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage(tmp_path: Path, name: str) -> None:
    damage, kind = DAMAGES[name]
    async with opened(tmp_path) as world:
        await world.load(ARCHIVE)
        (image,) = world.images.list()
        damage(world, image)
        found = await problems(world)
        assert kind in {one.kind for one in found}
        assert not any(one.mended for one in found)
        await problems(world, repair=True)
        assert await problems(world) == []
        await world.load(ARCHIVE)
        assert await problems(world) == []
        assert await world.store.is_whole(image.id)
        assert (layer(world, image) / "a").read_bytes() == b"one"


@pytest.mark.parametrize("what", ["record", "config", "manifest"])
async def test_damage_that_only_a_new_start_sees(tmp_path: Path, what: str) -> None:
    async with opened(tmp_path) as world:
        await world.load(ARCHIVE)
        (image,) = world.images.list()
        place = {
            "record": layer(world, image).parent / "record.json",
            "config": blob(world, image.id),
            "manifest": blob(world, image.manifest.digest),
        }[what]
    flip(place)
    async with opened(tmp_path) as world:
        if what != "record":  # a layer without a record is made again at the start
            assert "image" in {one.kind for one in await problems(world)}
        await problems(world, repair=True)
        assert await problems(world) == []
        await world.load(ARCHIVE)
        assert await world.store.is_whole(image.id)


async def test_what_a_container_uses_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.load(ARCHIVE)
        (image,) = world.images.list()
        world.snapshots.prepare("work", image.chain)
        (layer(world, image) / "a").unlink()
        found = await problems(world, repair=True)
        assert [(one.kind, one.mended) for one in found] == [("layer", False)]
        assert "in use" in found[0].what
        world.snapshots.discard("work")
        await problems(world, repair=True)
        assert await problems(world) == []


async def test_a_layer_made_since_a_moment(tmp_path: Path) -> None:
    """S-10: what the start after a crash looks at."""
    async with opened(tmp_path) as world:
        await world.load(ARCHIVE)
        (image,) = world.images.list()
        record = layer(world, image).parent / "record.json"
        os.truncate(layer(world, image) / "a", 0)
        checks = Checks(world.store, lambda _: False)
        assert [one async for one in checks.layers_since(record.stat().st_mtime + 60)] == []
        (found,) = [one async for one in checks.layers_since(record.stat().st_mtime)]
        assert (found.kind, found.mended) == ("layer", True)
        assert (layer(world, image) / "a").read_bytes() == b"one"
