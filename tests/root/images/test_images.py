from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.base.errors import HavreError, InvalidInput, Unavailable
from havre.content.reader import Readable
from havre.images.disk import disk_use
from havre.images.hello import ensure_hello
from havre.images.images import tag_target
from havre.images.import_ import ImportWishes
from havre.images.model import (
    ContainerUse,
    Deleted,
    ImageInUse,
    LayerProgress,
    Loaded,
    NoSuchImage,
    Renamed,
    Untagged,
    message_of,
)
from havre.oci.digest import Digest
from havre.oci.reference import Reference
from havre.snapshots.contract import ParentMissing, Unpacked
from tests.support.archives import DockerArchive, OciArchive, body, config, digest, named, tar
from tests.support.image_world import World, opened

pytestmark = pytest.mark.root

LAYERS = [tar({"a": b"one"}), tar({"b": b"two" * 100_000}), tar({"c": b"3"})]


def lines(events: list[object]) -> list[str]:
    return [message_of(event) for event in events if isinstance(event, Renamed | Loaded)]


def nobody(_image: str) -> tuple[ContainerUse, ...]:
    return ()


def merged(world: World, chain: Digest | None, path: str) -> bytes:
    """A file as a container on *chain* sees it."""
    world.snapshots.prepare("look", chain)
    try:
        with world.snapshots.mounted("look") as root:
            handle = os.open(path, os.O_RDONLY, dir_fd=root)
            with os.fdopen(handle, "rb") as file:
                return file.read()
    finally:
        world.snapshots.discard("look")


async def test_a_loaded_image_is_there_with_all_its_files(world: World) -> None:
    events = await world.load(DockerArchive(LAYERS, tags=["x:1", "y:2"]).bytes())
    assert lines(list(events)) == ["Loaded image: x:1", "Loaded image: y:2"]
    image = world.images.find("x:1")
    assert image.id == digest(config(LAYERS))
    assert image.repo_tags == ("x:1", "y:2")
    assert image.size_bytes == 3 + 300_000 + 1
    assert merged(world, image.chain, "b") == b"two" * 100_000
    assert merged(world, image.chain, "a") == b"one"
    assert [step.size_bytes for step in world.images.history("x:1")] == [1, 300_000, 3]
    assert world.images.get(image.id) == image
    assert world.images.list() == (image,)


async def test_progress_is_told_for_each_new_layer(world: World) -> None:
    archive = DockerArchive(LAYERS).bytes()
    events = await world.load(archive)
    progress = [event for event in events if isinstance(event, LayerProgress)]
    assert {event.layer for event in progress} == {digest(layer)[7:19] for layer in LAYERS}
    assert all(0 < event.current <= event.total for event in progress)
    assert len(await world.load(archive)) == 1


async def test_an_image_without_a_name(world: World) -> None:
    events = await world.load(DockerArchive(LAYERS, tags=None).bytes())
    assert lines(list(events)) == [f"Loaded image ID: {digest(config(LAYERS))}"]
    assert world.images.find(digest(config(LAYERS))[7:15]).references == ()


async def test_a_name_that_moves_is_told(world: World) -> None:
    await world.load(DockerArchive(LAYERS[:1], tags=["x:1"]).bytes())
    before = world.images.find("x:1")
    events = await world.load(DockerArchive(LAYERS, tags=["x:1"]).bytes())
    assert lines(list(events)) == [
        f"The image x:1 already exists, renaming the old one with ID {before.id} to empty string",
        "Loaded image: x:1",
    ]
    assert world.images.find(before.id).references == ()


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as world:
        await world.load(DockerArchive(LAYERS, tags=["x:1"]).bytes())
        await world.images.tag("x:1", tag_target("host:5000/y"))
        before = world.images.list()
    async with opened(tmp_path / "data") as world:
        assert world.images.list() == before
        assert world.images.find("host:5000/y").last_tagged_ns > 0
        assert await world.images.sweep() == 0


async def test_compressed_layers_are_unpacked_and_saved_uncompressed(world: World) -> None:
    archive = OciArchive()
    archive.entries = [{**archive.manifest(LAYERS, compress=True), **named("x:1")}]
    await world.load(archive.bytes())
    assert world.images.find("x:1").manifest.digest == archive.entries[0]["digest"]
    assert merged(world, world.images.find("x:1").chain, "c") == b"3"
    plain = await world.save("x:1")
    await world.images.remove("x:1", nobody)
    await world.load(plain)
    assert world.images.find("x:1").id == digest(config(LAYERS))


async def test_saving_gives_the_same_bytes_each_time(world: World) -> None:
    await world.load(DockerArchive(LAYERS, tags=["x:1", "x:2", "y:1"]).bytes())
    first = await world.save("x", "y:1")
    assert await world.save("x:2", "x:1", "y:1") == first
    assert b"docker.io/library/x:1" in first
    assert b"docker.io/library/y:1" not in await world.save("x:1")


async def test_saving_what_is_not_there(world: World) -> None:
    await world.load(DockerArchive(LAYERS, tags=["x:1"]).bytes())
    for text, message in (
        ("nosuch", "No such image: nosuch"),
        ("nosuch:1", "reference does not exist"),
        ("x:2", "reference does not exist"),
        ("f" * 12, "No such image: " + "f" * 12),
        ("f" * 64, "No such image: " + "f" * 64),
    ):
        with pytest.raises(NoSuchImage) as caught:
            world.images.save([text])
        assert caught.value.message == message


async def test_removing_takes_blobs_and_layers_that_nobody_needs(world: World) -> None:
    await world.load(DockerArchive(LAYERS[:2], tags=["two:1"]).bytes())
    two = (world.blobs(), world.chains())
    await world.load(DockerArchive(LAYERS, tags=["three:1"]).bytes())
    answer = await world.images.remove("three:1", nobody)
    kinds = [(type(one), getattr(one, "image", None)) for one in answer]
    assert kinds == [(Untagged, None), (Deleted, True), (Deleted, False)]
    assert (world.blobs(), world.chains()) == two
    await world.images.remove("two:1", nobody)
    assert (world.blobs(), world.chains()) == (0, 0)
    assert world.images.list() == ()


async def test_layers_under_a_container_stay_until_it_is_gone(world: World) -> None:
    await world.load(DockerArchive(LAYERS, tags=["x:1"]).bytes())
    image = world.images.find("x:1")
    world.snapshots.prepare("container", image.chain)
    users = [ContainerUse("c" * 64, running=False)]
    answer = await world.images.remove("x:1", lambda _: users, force=True)
    assert [type(one) for one in answer] == [Untagged, Deleted]
    assert world.images.list() == ()
    await world.images.sweep()
    assert world.chains() == 3
    world.snapshots.discard("container")
    await world.images.sweep()
    assert (world.blobs(), world.chains()) == (0, 0)


async def test_import(world: World) -> None:
    wishes = ImportWishes(reference=tag_target("im"), changes=('CMD ["x"]', "ENV a=b"), message="hi")
    image = await world.images.import_(body(gzip.compress(LAYERS[1])), wishes)
    assert world.images.find("im") == image
    assert image.config.process.cmd == ["x"]
    assert image.config.comment == "hi"
    assert image.size_bytes == 300_000
    assert abs(image.created_ns - time.time_ns()) < 60 * 10**9
    assert image.last_tagged_ns > 0
    assert merged(world, image.chain, "b") == b"two" * 100_000
    unnamed = await world.images.import_(body(LAYERS[0]), ImportWishes())
    assert unnamed.config.comment == "Imported from -"
    assert unnamed.references == ()


async def test_import_of_what_is_none(world: World) -> None:
    with pytest.raises(InvalidInput, match="run is not a valid change command"):
        await world.images.import_(body(LAYERS[0]), ImportWishes(changes=("RUN x",)))
    for data in (b"junk" * 1000, LAYERS[1][:5000]):
        with pytest.raises(InvalidInput):
            await world.images.import_(body(data), ImportWishes())
    assert (world.blobs(), world.chains()) == (0, 0)
    assert world.images.list() == ()


async def test_an_empty_import_is_an_empty_image(world: World) -> None:
    assert (await world.images.import_(body(b""), ImportWishes())).size_bytes == 0


async def test_hello(world: World) -> None:
    image = await ensure_hello(world.images)
    assert await ensure_hello(world.images) == image
    assert image.repo_tags == ("hello-world:latest",)
    assert image.config.process.cmd == ["/hello"]
    program = merged(world, image.chain, "hello")
    assert b"Hello from Havre!\n" in program
    assert b"havre image bootstrap debian:bookworm" in program
    assert len(program) < 2000


async def test_tagging(world: World) -> None:
    await world.load(DockerArchive(LAYERS, tags=["x:1"]).bytes())
    await world.images.tag("x:1", tag_target("y"))
    assert world.images.find("y:latest").repo_tags == ("x:1", "y:latest")
    with pytest.raises(NoSuchImage):
        await world.images.tag("nosuch", tag_target("z"))
    index = json.loads((world.root / "content" / "index.json").read_text())
    told = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]]
    assert sorted(told) == ["x:1", "y:latest"]


def test_tag_targets() -> None:
    assert tag_target("x") == Reference.parse("x:latest")
    assert tag_target("x:1", "2") == Reference.parse("x:2")
    for repository, tag, message in (
        ("x@sha256:" + "a" * 64, "", "refusing to create a tag with a digest reference"),
        ("sha256", "", "refusing to create an ambiguous tag using digest algorithm as name"),
        ("x", "..", "invalid tag format"),
        ("X", "", "invalid reference format: repository name (library/X) must be lowercase"),
    ):
        with pytest.raises(InvalidInput) as caught:
            tag_target(repository, tag)
        assert caught.value.message == message


async def test_a_refused_archive_leaves_nothing(world: World) -> None:
    for packed in ([LAYERS[1], LAYERS[0]], [gzip.compress(LAYERS[1]), LAYERS[0]], [gzip.compress(b"junk"), LAYERS[1]]):
        with pytest.raises(InvalidInput):
            await world.load(DockerArchive(LAYERS[:2], packed=packed).bytes())
        assert (world.blobs(), world.chains()) == (0, 0)
        assert world.images.list() == ()


async def test_one_bad_image_of_two_and_none_is_loaded(world: World) -> None:
    good, bad = (
        DockerArchive(LAYERS[:1], tags=["good:1"]),
        DockerArchive(LAYERS[1:2], tags=["bad:1"], packed=[LAYERS[0]]),
    )
    entries = [json.loads(one.files()["manifest.json"])[0] for one in (good, bad)]  # type: ignore[arg-type]
    files = {**good.files(), **bad.files(), "manifest.json": json.dumps(entries).encode()}
    with pytest.raises(InvalidInput, match="invalid diffID"):
        await world.load(tar(files))
    assert world.images.list() == ()


async def test_a_body_that_breaks_off(world: World) -> None:
    whole = DockerArchive(LAYERS).bytes()

    async def broken() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]
        raise ConnectionResetError("reset")

    with pytest.raises(Unavailable, match="reset"):
        _ = [event async for event in world.images.load(broken())]
    assert (world.blobs(), world.chains()) == (0, 0)


async def test_a_reader_that_goes_away_ends_the_load(world: World) -> None:
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield DockerArchive(LAYERS).bytes()[:2000]
        arrived.set()
        await asyncio.Event().wait()

    async def reader() -> None:
        _ = [event async for event in world.images.load(endless())]

    task = asyncio.get_running_loop().create_task(reader())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (world.blobs(), world.chains()) == (0, 0)
    await world.load(DockerArchive(LAYERS).bytes())


async def test_a_reader_that_stops_saving(world: World) -> None:
    await world.load(DockerArchive([tar({"big": bytes(5 << 20)})], tags=["x:1"]).bytes())
    pieces = world.images.save(["x:1"])
    assert await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]  # it is an async generator
    await world.images.remove("x:1", nobody)
    assert world.blobs() == 0


async def test_the_same_image_loaded_by_six_at_once(world: World) -> None:
    archive = DockerArchive(LAYERS, tags=["x:1"]).bytes()
    await asyncio.gather(*(world.load(archive) for _ in range(6)))
    assert len(world.images.list()) == 1
    assert world.chains() == 3
    assert world.blobs() == 5
    assert await world.images.sweep() == 0


async def test_loading_and_removing_at_once_never_leaves_half_an_image(world: World) -> None:
    archive = DockerArchive(LAYERS, tags=["x:1"]).bytes()

    async def load() -> None:
        for _ in range(8):
            await world.load(archive)

    async def remove() -> None:
        for _ in range(40):
            await asyncio.sleep(0)
            try:
                await world.images.remove("x:1", nobody)
            except NoSuchImage:
                continue

    await asyncio.gather(load(), load(), remove(), remove())
    for image in world.images.list():
        assert merged(world, image.chain, "b")
        assert await world.save(image.id)
    await world.load(archive)
    assert merged(world, world.images.find("x:1").chain, "a") == b"one"
    await world.images.remove("x:1", nobody)
    await world.images.sweep()
    assert (world.blobs(), world.chains()) == (0, 0)


async def test_disk_use_counts_each_layer_once(world: World) -> None:
    await world.load(DockerArchive(LAYERS[:2], tags=["two:1"]).bytes())
    await world.load(DockerArchive(LAYERS, tags=["three:1"]).bytes())
    use = disk_use(world.images.list())
    assert use.layers_bytes == 300_004
    assert use.shared_bytes[world.images.find("three:1").id] == 300_003


async def test_a_damaged_image_is_not_listed_and_loading_heals_it(tmp_path: Path) -> None:
    archive = DockerArchive(LAYERS, tags=["x:1"]).bytes()
    async with opened(tmp_path / "data") as world:
        await world.load(archive)
        await world.load(DockerArchive(LAYERS[:1], tags=["y:1"]).bytes())
        image = world.images.find("x:1")
    blob = tmp_path / "data" / "content" / "blobs" / "sha256" / image.id[7:]
    blob.write_bytes(blob.read_bytes().replace(b"linux", b"minix"))
    async with opened(tmp_path / "data") as world:
        assert [one.repo_tags for one in world.images.list()] == [("y:1",)]
        with pytest.raises(NoSuchImage):
            world.images.find("x:1")
        await world.images.sweep()
        await world.load(archive)
        assert world.images.find("x:1").id == image.id
    async with opened(tmp_path / "data") as world:
        assert world.images.find("x:1").id == image.id


async def test_lost_layers_are_unpacked_again_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as world:
        await world.load(DockerArchive(LAYERS, tags=["x:1"]).bytes())
        chain = world.images.find("x:1").chain
        assert chain is not None
        world.snapshots.remove(chain)
    async with opened(tmp_path / "data") as world:
        assert merged(world, world.images.find("x:1").chain, "c") == b"3"


async def test_a_damaged_layer_is_found_when_it_is_saved(world: World) -> None:
    big = tar({"big": b"x" * (3 << 20)})
    await world.load(DockerArchive([big], tags=["x:1"]).bytes())
    blob = world.root / "content" / "blobs" / "sha256" / digest(big)[7:]
    data = bytearray(blob.read_bytes())
    data[1 << 20] ^= 1
    blob.write_bytes(data)
    with pytest.raises(Exception, match="damaged"):
        await world.save("x:1")


async def test_a_layer_that_links_to_the_layer_below(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("linked")
        member.type, member.linkname = tarfile.LNKTYPE, "a"
        archive.addfile(member)
    layers = [LAYERS[0], buffer.getvalue()]
    await world.load(DockerArchive(layers, tags=["x:1"]).bytes())
    assert merged(world, world.images.find("x:1").chain, "linked") == b"one"
    await world.images.remove("x:1", nobody)

    real = world.snapshots.unpack
    early = 1

    def too_early(chain: Digest, parent: Digest | None, stream: Readable, *, durable: bool = False) -> Unpacked:
        nonlocal early
        if parent is not None and early:
            early -= 1
            raise ParentMissing("not yet")
        return real(chain, parent, stream, durable=durable)

    monkeypatch.setattr(world.snapshots, "unpack", too_early)
    await world.load(DockerArchive(layers, tags=["x:1"]).bytes())
    assert merged(world, world.images.find("x:1").chain, "linked") == b"one"
    assert early == 0


async def test_a_parent_is_believed_only_when_it_can_be_one(world: World) -> None:
    steps = [{"created_by": "one"}, {"created_by": "two"}]
    base = config(LAYERS[:1], history=steps[:1])
    child = config(LAYERS[:2], history=steps)
    stranger = config(LAYERS[1:], history=steps)
    await world.load(DockerArchive(LAYERS[:1], tags=None, config_bytes=base).bytes())
    claim = {"Parent": digest(base)}
    await world.load(DockerArchive(LAYERS[:2], tags=["child:1"], config_bytes=child, entry=claim).bytes())
    await world.load(DockerArchive(LAYERS[1:], tags=["stranger:1"], config_bytes=stranger, entry=claim).bytes())
    assert world.images.find("child:1").parent == digest(base)
    assert world.images.find("stranger:1").parent == ""
    assert [step.id for step in world.images.history("child:1")] == [digest(child), digest(base)]
    with pytest.raises(ImageInUse, match="image has dependent child images"):
        await world.images.remove(digest(base), nobody)
    await world.images.remove("child:1", nobody)
    assert [image.repo_tags for image in world.images.list()] == [("stranger:1",)]


async def test_a_layout_may_leave_out_a_layer_that_is_here(world: World) -> None:
    archive = OciArchive()
    archive.entries = [{**archive.manifest(LAYERS), **named("x:1")}]
    await world.load(archive.bytes())
    more = OciArchive()
    more.entries = [{**more.manifest(LAYERS, changes={"author": "another"}), **named("y:1")}]
    for layer in LAYERS:
        del more.files["blobs/sha256/" + digest(layer)[7:]]
    await world.load(more.bytes())
    assert world.images.find("y:1").chain == world.images.find("x:1").chain
    await world.images.remove("x:1", nobody)
    assert await world.save("y:1")


async def test_sha512_digests(world: World) -> None:
    archive = OciArchive()
    pointer = archive.manifest(LAYERS[:1])
    raw = archive.files["blobs/sha256/" + pointer["digest"][7:]]
    assert isinstance(raw, bytes)
    document = json.loads(raw)
    name = hashlib.sha512(LAYERS[0]).hexdigest()
    document["layers"][0]["digest"] = f"sha512:{name}"
    archive.files[f"blobs/sha512/{name}"] = LAYERS[0]
    archive.entries = [{**archive.blob(json.dumps(document).encode(), pointer["mediaType"]), **named("x:1")}]
    await world.load(archive.bytes())
    assert merged(world, world.images.find("x:1").chain, "a") == b"one"
    saved = await world.save("x:1")
    archive.files[f"blobs/sha512/{name}"] = LAYERS[2]
    with pytest.raises(InvalidInput):
        await world.load(archive.bytes())
    await world.images.remove("x:1", nobody)
    assert (world.blobs(), world.chains()) == (0, 0)
    await world.load(saved)


async def test_a_length_that_was_never_counted_is_measured(tmp_path: Path) -> None:
    archive = OciArchive()
    archive.entries = [{**archive.manifest(LAYERS, compress=True), **named("x:1")}]
    async with opened(tmp_path / "data") as world:
        await world.load(archive.bytes())
        saved = await world.save("x:1")
    with sqlite3.connect(tmp_path / "data" / "images.db") as record:
        record.execute("UPDATE layers SET tar_bytes = 0")
    record.close()
    async with opened(tmp_path / "data") as world:
        assert await world.save("x:1") == saved
    async with opened(tmp_path / "data") as world:
        layer = world.images.find("x:1").layers[0]
    with sqlite3.connect(tmp_path / "data" / "images.db") as record:
        record.execute("UPDATE layers SET tar_bytes = 512 WHERE chain = ?", (str(layer.chain),))
    record.close()
    async with opened(tmp_path / "data") as world:
        with pytest.raises(HavreError):
            await world.save("x:1")
