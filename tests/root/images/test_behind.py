"""Layers that come after their image: whoever wants them waits, and whatever happens in between, they come."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from pathlib import Path

import pytest

from havre.content.errors import NoSuchBlob
from havre.images.candidate import Candidate, make_manifest
from havre.images.model import Image, Layer
from havre.oci import image_config
from havre.oci.descriptor import OCI_LAYER, OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest, chain_id
from havre.oci.reference import Reference
from havre.snapshots.contract import View
from havre.snapshots.overlay import Overlay
from tests.support.archives import DockerArchive, config, tar
from tests.support.image_world import World, opened

BASE, TOP = tar({"base": b"below"}), tar({"top": b"above"})


async def published(world: World) -> Image:
    """An image on another one, whose topmost layer is told of and not unpacked, as a commit makes it."""
    await world.load(DockerArchive([BASE], tags=["base:1"]).bytes())
    base = world.images.find("base:1")
    raw = config([BASE, TOP])
    async with world.images.arriving() as arrival:
        stored = await asyncio.to_thread(arrival.ingest, io.BytesIO(TOP))
        assert await asyncio.to_thread(arrival.has, Digest.of(BASE))
        layers = [Descriptor(media_type=OCI_LAYER, digest=str(Digest.of(one)), size=len(one)) for one in (BASE, TOP)]
        candidate = Candidate(
            config=image_config.decode(raw),
            config_bytes=raw,
            manifest_bytes=make_manifest(raw, layers),
            manifest_type=OCI_MANIFEST,
            blobs=(Digest.of(BASE), stored.digest),
            names=(Reference.parse("made:1"),),
            parent=base.id,
        )
        chain = chain_id((Digest.of(BASE), Digest.of(TOP)))
        assert chain is not None
        return await world.images.add(
            arrival, candidate, Layer(chain=chain, diff=stored.digest, size_bytes=5, tar_bytes=stored.size)
        )


async def lost(world: World) -> Digest:
    """The chain of such an image, whose topmost layer was unpacked and is gone."""
    image = await published(world)
    await world.images.behind.settled()
    assert image.chain is not None
    world.snapshots.remove(image.chain)
    return image.chain


def held(snapshots: Overlay, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Let no unpacking go on: the events tell that one begins, and let it go."""
    begun, go = threading.Event(), threading.Event()
    real = snapshots.unpack

    def slow(*args: object, **wishes: object) -> object:
        begun.set()
        assert go.wait(60)
        return real(*args, **wishes)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshots, "unpack", slow)
    return begun, go


def content(world: World, key: str) -> bytes:
    with world.snapshots.mounted(key, View.WHOLE) as root:
        handle = os.open("top", os.O_RDONLY, dir_fd=root)
        try:
            return os.read(handle, 100)
        finally:
            os.close(handle)


async def test_who_wants_a_tree_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as world:
        begun, go = held(world.snapshots, monkeypatch)
        go.set()
        await world.load(DockerArchive([BASE], tags=["base:1"]).bytes())
        begun.clear()
        go.clear()
        image = await published(world)
        assert [layer.size_bytes for layer in image.layers] == [5, 5]
        preparing = asyncio.create_task(asyncio.to_thread(world.snapshots.prepare, "key", image.chain))
        assert await asyncio.to_thread(begun.wait, 60)
        assert not preparing.done()
        go.set()
        await preparing
        assert content(world, "key") == b"above"
        await world.images.behind.settled()
        assert world.chains() == 2


async def test_a_layer_that_went_comes_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        chain = await lost(world)
        await asyncio.to_thread(world.snapshots.prepare, "key", chain)
        assert content(world, "key") == b"above"


async def test_what_cannot_come_is_told_and_leaves_no_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        chain = await lost(world)
        world.content.set_aside(Digest.of(TOP))
        with pytest.raises(NoSuchBlob):
            await asyncio.to_thread(world.snapshots.prepare, "key", chain)
        assert world.snapshots.keys() == ()


async def test_the_next_process_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as world:
        await world.load(DockerArchive([BASE], tags=["base:1"]).bytes())
        begun, go = held(world.snapshots, monkeypatch)
        image = await published(world)
        assert await asyncio.to_thread(begun.wait, 60)
        asyncio.get_running_loop().call_later(0.1, go.set)
        await world.images.behind.close()
        assert image.chain is not None
    async with opened(tmp_path) as world:
        assert world.snapshots.has(image.chain)
        await asyncio.to_thread(world.snapshots.prepare, "key", image.chain)
        assert content(world, "key") == b"above"


async def test_an_image_that_goes_meanwhile_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as world:
        await world.load(DockerArchive([BASE], tags=["base:1"]).bytes())
        begun, go = held(world.snapshots, monkeypatch)
        await published(world)
        assert await asyncio.to_thread(begun.wait, 60)
        removing = asyncio.create_task(world.images.remove("made:1", lambda _: ()))
        go.set()
        assert len(await removing) == 3  # its name, the image and the layer
        assert world.chains() == 1
        assert not world.content.has(Digest.of(TOP))
