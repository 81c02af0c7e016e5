"""I-01 and I-02: what an archive may say, and what happens when it lies; nothing here needs root or snapshots."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.content.store import Content
from havre.images.archive_load import read_archive
from havre.images.candidate import Arrival, Candidate
from havre.images.platforms import parse_platform
from havre.oci.descriptor import Platform
from tests.support.archives import (
    OCI_INDEX,
    OCI_MANIFEST,
    DockerArchive,
    OciArchive,
    Special,
    config,
    digest,
    named,
    tar,
)

LAYERS = [tar({"a": b"one"}), tar({"b": b"two" * 100_000})]
ARM = Platform(architecture="arm64", os="linux")


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return Content(tmp_path / "content")


@pytest.fixture
def read(content: Content) -> Iterator[Callable[..., list[Candidate]]]:
    with content.lease() as lease:

        def run(data: bytes, platform: Platform | None = None) -> list[Candidate]:
            return read_archive(io.BytesIO(data), Arrival(content, lease), platform)

        yield run


Read = Callable[..., list[Candidate]]


def names(candidates: list[Candidate]) -> list[list[str]]:
    return [[name.familiar for name in one.names] for one in candidates]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress], ids=str)
@pytest.mark.parametrize("outer", [bytes, gzip.compress, zstd.compress, lzma.compress], ids=str)
def test_every_compression(
    read: Read, content: Content, pack: Callable[[bytes], bytes], outer: Callable[[bytes], bytes]
) -> None:
    archive = DockerArchive(LAYERS, packed=[pack(layer) for layer in LAYERS])
    (found,) = read(outer(archive.bytes()))
    assert found.id == digest(config(LAYERS))
    assert names([found]) == [["test:1"]]
    kinds = [layer["mediaType"].rpartition("tar")[2] for layer in json.loads(found.manifest_bytes)["layers"]]
    expected = {gzip.compress: "+gzip", zstd.compress: "+zstd"}.get(pack, "")
    assert kinds == [expected] * 2
    assert all(content.has(blob) for blob in found.blobs)


def test_several_images_and_names(read: Read) -> None:
    one, two = DockerArchive(LAYERS[:1], tags=["a:1", "host:5000/b:2"]), DockerArchive(LAYERS, tags=None)
    files = {**one.files(), **two.files()}
    entries = [json.loads(archive.files()["manifest.json"])[0] for archive in (one, two)]  # type: ignore[arg-type]
    files["manifest.json"] = json.dumps(entries).encode()
    assert names(read(tar(files))) == [["a:1", "host:5000/b:2"], []]


def test_the_manifest_may_come_first_and_paths_may_have_dots(read: Read) -> None:
    files = DockerArchive(LAYERS).files()
    turned = {f"./{name}": files[name] for name in reversed(files)}
    assert len(read(tar(turned))) == 1


def test_a_path_given_twice_is_what_came_last(read: Read) -> None:
    archive = DockerArchive(LAYERS[:1])
    good = archive.files()
    files = {**good, "manifest.json": b"junk"}
    assert len(read(tar(files, extra=[("manifest.json", good["manifest.json"])]))) == 1  # type: ignore[list-item]


def test_a_link_to_a_layer_in_the_archive(read: Read) -> None:
    """As Docker before 25 wrote it for a layer that comes twice."""
    archive = DockerArchive([LAYERS[0], LAYERS[0]])
    files = archive.files()
    real = f"{digest(LAYERS[0])[7:]}/layer.tar"
    files["other/layer.tar"] = Special(tarfile.SYMTYPE, f"../{real}")
    files["hard.tar"] = Special(tarfile.LNKTYPE, real)
    entry = json.loads(files["manifest.json"])[0]  # type: ignore[arg-type]
    files["manifest.json"] = json.dumps([{**entry, "Layers": ["other/layer.tar", "hard.tar"]}]).encode()
    assert len(read(tar(files))) == 1


def old_archive() -> dict[str, bytes | Special]:
    base, top = "a" * 64, "b" * 64
    return {
        "repositories": json.dumps({"old/name": {"1": top, "2": top}}).encode(),
        f"{base}/json": json.dumps({"id": base, "created": "2014-01-01T00:00:00Z", "os": "linux"}).encode(),
        f"{base}/layer.tar": LAYERS[0],
        f"{base}/VERSION": b"1.0",
        f"{top}/json": json.dumps(
            {
                "id": top,
                "parent": base,
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["sh"]},
                "container_config": {"Cmd": ["/bin/sh", "-c", "make"]},
            }
        ).encode(),
        f"{top}/layer.tar": gzip.compress(LAYERS[1]),
    }


def test_an_archive_from_before_image_configs(read: Read) -> None:
    (found,) = read(tar(old_archive()))
    assert names([found]) == [["old/name:1", "old/name:2"]]
    assert found.config.rootfs.diff_ids == [digest(layer) for layer in LAYERS]
    assert found.config.process.cmd == ["sh"]
    assert [step.created_by for step in found.config.history or ()] == ["", "/bin/sh -c make"]


def test_an_oci_layout(read: Read) -> None:
    archive = OciArchive()
    made = archive.manifest(LAYERS, compress=True)
    archive.entries = [
        {**made, **named("docker.io/library/x:1")},
        {**made, **named("y:2")},
        {**made, **named("latest")},
    ]
    (found,) = read(archive.bytes())
    assert names([found]) == [["x:1", "y:2"]]
    assert str(found.manifest.digest) == made["digest"]


def test_the_platform_is_chosen_in_nested_indexes(read: Read) -> None:
    archive = OciArchive()
    platforms = {
        "amd64": archive.manifest(LAYERS, platform={"architecture": "amd64", "os": "linux"}),
        "arm64": archive.manifest(
            LAYERS[:1], changes={"architecture": "arm64"}, platform={"architecture": "arm64", "os": "linux"}
        ),
        "none": archive.manifest([], changes={"os": "unknown"}, platform={"architecture": "unknown", "os": "unknown"}),
    }
    inner = archive.index([platforms["none"], platforms["arm64"], platforms["amd64"]])
    archive.entries = [{**archive.index([inner]), **named("x:1")}]
    (found,) = read(archive.bytes(), parse_platform("linux/amd64"))
    assert found.config.architecture == "amd64"
    (found,) = read(archive.bytes(), ARM)
    assert found.config.architecture == "arm64"
    with pytest.raises(InvalidInput, match="no image for linux/s390x"):
        read(archive.bytes(), parse_platform("linux/s390x"))


def test_one_image_of_another_platform_is_taken_unless_one_was_asked_for(read: Read) -> None:
    archive = OciArchive()
    archive.entries = [archive.manifest(LAYERS, changes={"architecture": "s390x"})]
    assert read(archive.bytes())[0].config.architecture == "s390x"
    with pytest.raises(InvalidInput, match="no image for linux/arm64"):
        read(archive.bytes(), ARM)


# -- lies


def replaced(key: str, value: Any) -> bytes:
    return DockerArchive(LAYERS, entry={key: value}).bytes()


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "nosuch", "", ".", "a/../../b", "x" * 10_000, "\udcff"]
)
@pytest.mark.parametrize("key", ["Config", "Layers"])
def test_a_path_out_of_the_archive(read: Read, key: str, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(replaced(key, path if key == "Config" else [path, path]))
    assert "invalid archive" in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "special",
    [
        Special(tarfile.SYMTYPE, "/etc/passwd"),
        Special(tarfile.SYMTYPE, "../../../../etc/passwd"),
        Special(tarfile.SYMTYPE, "trap"),
        Special(tarfile.SYMTYPE, "nosuch"),
        Special(tarfile.LNKTYPE, "/etc/passwd"),
        Special(tarfile.LNKTYPE, "../../etc/passwd"),
        Special(tarfile.FIFOTYPE),
        Special(tarfile.CHRTYPE),
        Special(tarfile.BLKTYPE),
        Special(tarfile.DIRTYPE),
    ],
    ids=lambda special: f"{special.kind!r} {special.link}",
)
@pytest.mark.parametrize("key", ["Config", "Layers", "manifest.json"])
def test_something_else_than_a_file(read: Read, key: str, special: Special) -> None:
    archive = DockerArchive(LAYERS, entry={key: "trap" if key == "Config" else ["trap", "trap"]})
    files = {**archive.files(), "trap": special}
    if key == "manifest.json":
        files["manifest.json"] = special
    with pytest.raises(InvalidInput, match="invalid archive"):
        read(tar(files))


@pytest.mark.parametrize(
    "tag", ["", "UPPER:1", "x", "x:", "x:1:2", "../x:1", "x@sha256:" + "a" * 64, "x:" + "t" * 129, "a" * 64, "x:1\n"]
)
def test_tags(read: Read, tag: str) -> None:
    with pytest.raises(InvalidInput, match="invalid tag"):
        read(replaced("RepoTags", [tag]))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[null]",
        b"[1]",
        b'[{"Config":1}]',
        b"[" * 100_000,
        b"\xff",
        b'[{"Config":"x","Layers":{}}]',
    ],
)
def test_manifests(read: Read, text: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(tar({**DockerArchive(LAYERS).files(), "manifest.json": text}))


def test_the_id_comes_from_the_bytes(read: Read) -> None:
    """CVE-2014-9358: what the file of the config is called means nothing."""
    made = config(LAYERS)
    archive = DockerArchive(LAYERS, entry={"Config": "f" * 64 + ".json"})
    files = {**archive.files(), "f" * 64 + ".json": made}
    assert read(tar(files))[0].id == digest(made)


def test_layers_that_are_others(read: Read) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(DockerArchive(LAYERS, packed=[LAYERS[0], LAYERS[0]]).bytes())
    assert caught.value.message.startswith("invalid diffID for layer ")
    assert f'expected "{digest(LAYERS[1])}", got "{digest(LAYERS[0])}"' in caught.value.message


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_count_of_layers(read: Read, count: int) -> None:
    path = f"{digest(LAYERS[0])[7:]}/layer.tar"
    with pytest.raises(InvalidInput) as caught:
        read(replaced("Layers", [path] * count))
    assert caught.value.message == f"invalid manifest, layers length mismatch: expected 2, got {count}"


def test_the_image_of_another_system(read: Read) -> None:
    with pytest.raises(NotSupported, match="cannot load windows image on linux"):
        read(DockerArchive(LAYERS, config_bytes=config(LAYERS, os="windows")).bytes())


def test_a_config_of_nine_megabytes(read: Read) -> None:
    with pytest.raises(InvalidInput, match="larger than"):
        read(DockerArchive(LAYERS, config_bytes=config(LAYERS, author="x" * (9 << 20))).bytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk" * 1000,
        bytes(10_240),
        tar({"x": b"y"}),
        gzip.compress(b"junk"),
        gzip.compress(DockerArchive(LAYERS).bytes())[:-20],
    ],
    ids=["empty", "junk", "zeros", "other", "junk.gz", "cut"],
)
def test_no_archives(read: Read, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(data)


def test_an_archive_cut_anywhere_is_refused_and_keeps_nothing_hanging(read: Read) -> None:
    whole = DockerArchive(LAYERS).bytes()
    end = len(whole.rstrip(b"\0"))
    for cut in range(0, end, end // 40):
        with pytest.raises(InvalidInput):
            read(whole[:cut])


@pytest.mark.timeout(30)
def test_a_bomb_is_refused_soon(read: Read) -> None:
    inflated = tar({"x": b""})[:512].replace(b"00000000000\x00", b"77777777777\x00", 1)
    with pytest.raises(InvalidInput):
        read(gzip.compress(inflated + bytes(100 << 20), 9) + gzip.compress(bytes(100 << 20), 9) * 20)


def test_old_archives_that_go_in_circles(read: Read) -> None:
    files = old_archive()
    files["a" * 64 + "/json"] = json.dumps({"id": "a" * 64, "parent": "b" * 64}).encode()
    with pytest.raises(InvalidInput, match="more than 1000 layers"):
        read(tar(files))


@pytest.mark.parametrize("layer", ["../x", "", "a" * 63, "/etc"])
def test_old_archives_with_other_ids(read: Read, layer: str) -> None:
    with pytest.raises(InvalidInput):
        read(tar({**old_archive(), "repositories": json.dumps({"x": {"1": layer}}).encode()}))


def broken_layouts() -> dict[str, OciArchive]:
    made: dict[str, OciArchive] = {}

    def archive(name: str) -> OciArchive:
        made[name] = OciArchive()
        return made[name]

    def entry(one: OciArchive, body: dict[str, Any], media_type: str = OCI_MANIFEST) -> None:
        one.entries = [one.blob(json.dumps(body).encode(), media_type)]

    def body(one: OciArchive, **changes: Any) -> dict[str, Any]:
        pointer = one.manifest(LAYERS)
        raw = one.files["blobs/sha256/" + pointer["digest"][7:]]
        assert isinstance(raw, bytes)
        return {**json.loads(raw), **changes}

    one = archive("layers and manifests")  # CVE-2021-41190
    entry(one, body(one, manifests=[]))
    one = archive("media type contradicts")
    entry(one, body(one, mediaType=OCI_INDEX))
    one = archive("schema version 1")
    entry(one, body(one, schemaVersion=1))
    one = archive("no schema version")
    entry(one, {key: value for key, value in body(one).items() if key != "schemaVersion"})
    one = archive("unknown type")
    entry(one, body(one), "application/vnd.example")
    one = archive("no image config")
    plain = body(one)
    entry(one, {**plain, "config": {**plain["config"], "mediaType": "application/vnd.cncf.helm.config.v1+json"}})
    one = archive("too few layers")
    entry(one, body(one, layers=[]))
    one = archive("wrong size of a layer")
    plain = body(one)
    entry(one, {**plain, "layers": [{**plain["layers"][0], "size": 5}, plain["layers"][1]]})
    one = archive("negative size")
    plain = body(one)
    entry(one, {**plain, "layers": [{**plain["layers"][0], "size": -1}, plain["layers"][1]]})
    one = archive("digest that is a path")
    plain = body(one)
    entry(one, {**plain, "config": {**plain["config"], "digest": "sha256:../../../../etc/passwd"}})
    return made


def altered_layouts() -> dict[str, OciArchive]:
    """Layouts whose blobs are not what their names say, or are not there."""
    made: dict[str, OciArchive] = {}

    def archive(name: str) -> tuple[OciArchive, list[str]]:
        one = made[name] = OciArchive()
        one.entries = [one.manifest(LAYERS)]
        manifest = one.files["blobs/sha256/" + one.entries[0]["digest"][7:]]
        assert isinstance(manifest, bytes)
        layers = [layer["digest"][7:] for layer in json.loads(manifest)["layers"]]
        return one, ["blobs/sha256/" + name for name in layers]

    one, layers = archive("missing layer")
    del one.files[layers[0]]
    one, layers = archive("layer altered")
    one.files[layers[0]] = LAYERS[0].replace(b"one", b"two")
    one, _ = archive("manifest altered")
    path = "blobs/sha256/" + one.entries[0]["digest"][7:]
    one.files[path] = b" " + bytes(one.files[path])  # type: ignore[arg-type]
    one, _ = archive("index in an index without end")
    for _ in range(8):
        one.entries = [one.index(one.entries)]
    one, _ = archive("nothing")
    one.entries = []
    one, _ = archive("another version")
    one.files["oci-layout"] = b'{"imageLayoutVersion":"2.0.0"}'
    return made


_WRONG = {**broken_layouts(), **altered_layouts()}


@pytest.mark.parametrize("name", sorted(_WRONG))
def test_broken_layouts(read: Read, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(_WRONG[name].bytes())
    assert "Traceback" not in caught.value.message


def test_a_manifest_of_five_megabytes(read: Read) -> None:
    archive = OciArchive()
    archive.entries = [archive.manifest(LAYERS)]
    archive.entries.append({**archive.entries[0], **named("x" * (5 << 20))})
    with pytest.raises(InvalidInput, match="larger than"):
        read(archive.bytes())


def test_nothing_but_our_errors_and_no_staged_file_left(read: Read, tmp_path: Path) -> None:
    whole = bytearray(DockerArchive(LAYERS).bytes())
    for at in range(0, 4096, 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        try:
            read(bytes(damaged))
        except HavreError:
            continue
    assert list((tmp_path / "content" / "ingest").iterdir()) == []
