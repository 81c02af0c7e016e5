"""The services on images, with the real store below and containers that are played."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from havre.base.errors import InvalidInput
from havre.build.cache import Cache
from havre.build.mounts import CacheFolders
from havre.content.store import Content
from havre.engine.archives import Archives
from havre.engine.build_cache import BuildCache
from havre.engine.containers import Containers
from havre.engine.images import ImageService
from havre.engine.lives import Lives
from havre.engine.system import System
from havre.engine.volumes import VolumeService
from havre.images.hello import ensure_hello
from havre.images.images import Images
from havre.images.model import ImageInUse, NoSuchImage
from havre.images.names import Names
from havre.snapshots.overlay import Overlay
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import Rooms, open_rooms

pytestmark = pytest.mark.root


@dataclass
class Asked:
    reference: str = ""
    changes: tuple[str, ...] = ()
    message: str = ""
    platform: str = ""


class Bench:
    def __init__(self, rooms: Rooms, images: Images, snapshots: Overlay, cache: BuildCache) -> None:
        self.parts = replace(rooms.parts, images=images, snapshots=snapshots)
        self.snapshots = snapshots
        self.library = images
        self.images = ImageService(self.parts, images)
        self.archives = Archives(self.parts, images)
        self.system = System(self.parts, self.images, VolumeService(self.parts), cache, "ENGINE-ID")
        self.things = Containers(self.parts)
        self.rooms = rooms

    async def bring(self, *names: str) -> str:
        await ensure_hello(self.library)
        for name in names:
            await self.images.tag("hello-world", name)
        return (await self.images.inspect("hello-world")).get("Id") or ""

    async def make(self, image: str) -> str:
        return (await self.things.create(cast("CreateContainer", {"Image": image}), "cc", None)).get("Id") or ""

    async def names(self, **filters: str) -> list[str]:
        given = {field: frozenset({value}) for field, value in filters.items()}
        rows = await self.images.list(given, every=False, shared_size=False)
        return sorted(tag for row in rows for tag in row.get("RepoTags") or ())


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    snapshots = Overlay(tmp_path / "overlay2")
    images = Images(Content(tmp_path / "content"), snapshots, Names(tmp_path / "images.db"))
    await images.open()
    async with open_rooms(tmp_path / "rooms") as rooms:
        steps, folders = (
            Cache(tmp_path / "cache.db", lambda _: True),
            CacheFolders(tmp_path / "mounts", rooms.parts.volumes),
        )
        steps.open()
        folders.open()
        yield Bench(rooms, images, snapshots, BuildCache(images, steps, folders))
    await images.close()
    snapshots.close()


async def everything(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


async def test_listing_and_filters(bench: Bench) -> None:
    image_id = await bench.bring("mine:1", "other/thing:2")
    (row,) = await bench.images.list({}, every=False, shared_size=True)
    assert (row.get("Id"), row.get("Containers"), row.get("SharedSize")) == (image_id, -1, 0)
    assert await bench.names() == ["hello-world:latest", "mine:1", "other/thing:2"]
    assert await bench.names(reference="mine") == ["mine:1"]
    assert await bench.names(reference="*/*") == ["other/thing:2"]
    assert await bench.names(reference="m*:1") == ["mine:1"]
    assert await bench.names(dangling="true") == []
    assert await bench.names(label="nosuch") == []
    assert await bench.names(since="mine:1") == []
    for filters in ({"zz": "1"}, {"dangling": "zz"}):
        with pytest.raises(InvalidInput):
            await bench.names(**filters)
    with pytest.raises(NoSuchImage):
        await bench.names(before="nosuch")


async def test_inspect_and_history(bench: Bench) -> None:
    image_id = await bench.bring()
    shown = cast("dict[str, Any]", await bench.images.inspect("hello-world"))
    assert shown["RepoTags"] == ["hello-world:latest"]
    assert shown["RootFS"]["Type"] == "layers"
    assert shown["Config"]["Cmd"]
    assert shown["GraphDriver"]["Name"] == "overlay2"
    steps = await bench.images.history("hello-world")
    assert steps[0].get("Id") == image_id
    with pytest.raises(NoSuchImage, match=r"^No such image: nosuch:latest$"):
        await bench.images.inspect("nosuch")


async def test_a_container_holds_its_image(bench: Bench) -> None:
    image_id = await bench.bring()
    container = await bench.make("hello-world")
    with pytest.raises(ImageInUse, match=container[:12]):
        await bench.images.remove("hello-world", force=False, prune=True)
    assert (await bench.images.prune({"dangling": frozenset({"false"})})).get("ImagesDeleted") is None
    removed = await bench.images.remove("hello-world", force=True, prune=True)
    assert removed == [{"Untagged": "hello-world:latest"}, {"Deleted": image_id}]
    assert len(bench.snapshots.chains()) == 1  # the container stands on it
    await bench.things.remove("cc", force=False, volumes=False, link=False)
    await bench.images.prune({})
    assert bench.snapshots.chains() == ()
    assert await bench.images.list({}, every=True, shared_size=False) == []
    actions = [f"{one.get('Type')} {one.get('Action')}" for one in bench.parts.events.kept()]
    assert [one for one in actions if one.startswith("image")][-2:] == ["image untag", "image delete"]


async def test_save_and_load(bench: Bench) -> None:
    image_id = await bench.bring("mine:1")
    archive = await everything(await bench.archives.save(["mine:1", "hello-world"]))
    with pytest.raises(NoSuchImage):
        await bench.archives.save(["nosuch"])
    for name in ("mine:1", "hello-world"):
        await bench.images.remove(name, force=False, prune=True)

    async def body() -> AsyncIterator[bytes]:
        for at in range(0, len(archive), 4096):
            yield archive[at : at + 4096]

    lines = [line async for line in bench.archives.load(body(), quiet=False)]
    loaded = {line.get("stream") for line in lines if line.get("stream")}
    assert loaded == {"Loaded image: mine:1\n", "Loaded image: hello-world:latest\n"}
    assert any(line.get("status") == "Loading layer" for line in lines)
    assert (await bench.images.inspect("mine:1")).get("Id") == image_id


async def test_importing_a_tree(bench: Bench) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"\0" * 10240

    image_id = await bench.archives.import_tree(body(), Asked("tree", ("CMD sh", "LABEL a=b"), "hi"))
    shown = await bench.images.inspect("tree")
    assert (shown.get("Id"), shown.get("Comment")) == (image_id, "hi")
    assert await bench.names(label="a=b") == ["tree:latest"]
    with pytest.raises(InvalidInput):
        await bench.archives.import_tree(body(), Asked("tree", ("FLY high",)))


async def test_the_engine_about_itself(bench: Bench) -> None:
    await bench.bring()
    await bench.make("hello-world")
    await Lives(bench.parts).start("cc")
    info = await bench.system.info()
    assert (info.get("ID"), info.get("Containers"), info.get("ContainersRunning")) == ("ENGINE-ID", 1, 1)
    assert (info.get("Images"), info.get("DefaultRuntime"), info.get("CgroupVersion")) == (1, "havre", "1")
    version = await bench.system.version()
    assert (version.get("ApiVersion"), version.get("MinAPIVersion")) == ("1.50", "1.24")
    usage = await bench.system.df()
    (image,) = usage.get("Images") or []
    (container,) = usage.get("Containers") or []
    assert image.get("Containers") == 1
    assert container.get("State") == "running"
    assert container.get("SizeRw") is not None
    some = await bench.system.df(frozenset(("container", "build-cache")))
    assert (some.get("Images"), some.get("Volumes"), some.get("BuildCache")) == (None, None, [])
    assert len(some.get("Containers") or []) == 1
    with pytest.raises(InvalidInput, match="unknown object type: x"):
        await bench.system.df(frozenset(("image", "x")))


def test_a_proxys_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from havre.engine.system import _proxies

    monkeypatch.setenv("HTTP_PROXY", "http://bob:secret@proxy:80")
    monkeypatch.delenv("http_proxy", raising=False)
    assert _proxies().get("HttpProxy") == "http://xxxxx:xxxxx@proxy:80"


async def test_an_image_for_other_machines_is_none(bench: Bench) -> None:
    await bench.bring("a:1")
    here = (await bench.images.inspect("a:1")).get("Architecture") or ""
    other = "linux/s390x" if here != "s390x" else "linux/amd64"
    assert (await bench.images.inspect("a:1", f"linux/{here}")).get("Architecture") == here
    assert await bench.images.history("a:1", f"linux/{here}") == await bench.images.history("a:1")
    words = rf"image with reference a:1 was found but does not provide the specified platform \({other}\)"
    with pytest.raises(NoSuchImage, match=words):
        await bench.images.inspect("a:1", other)
    with pytest.raises(NoSuchImage, match=words):
        await bench.images.history("a:1", other)
    with pytest.raises(NoSuchImage, match=words):
        await bench.images.remove("a:1", force=True, prune=True, platform=other)
    with pytest.raises(NoSuchImage, match=words):
        await bench.archives.save(["a:1"], other)
    assert await bench.images.remove("a:1", force=False, prune=True, platform=f"linux/{here}")
