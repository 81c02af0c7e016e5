"""Our archives and our store, read by other people's tools, and theirs by us."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from havre.images.hello import ensure_hello
from havre.images.images import tag_target
from havre.images.import_ import ImportWishes
from havre.images.model import ContainerUse
from tests.support.archives import body, tar
from tests.support.image_world import World
from tests.support.images import busybox_tar

pytestmark = pytest.mark.root


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100, env=env)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def inspected(*reference: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("skopeo", "inspect", "--config", *reference))
    return found


class Podman:
    """Podman with a store of its own in *folder*, which must have a short name: podman takes 50 characters."""

    def __init__(self, folder: Path) -> None:
        self._places = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
        self._places += ["--tmpdir", str(folder / "tmp")]

    def __call__(self, *command: str) -> str:
        return run("podman", *self._places, *command)


@pytest.fixture
def podman() -> Iterator[Podman]:
    with tempfile.TemporaryDirectory(prefix="hv") as folder:
        yield Podman(Path(folder))


@pytest.fixture
async def busybox(world: World) -> str:
    wishes = ImportWishes(reference=tag_target("busybox"), changes=('CMD ["sh"]', "LABEL a=b"))
    return (await world.images.import_(body(busybox_tar()), wishes)).id


async def test_skopeo_reads_the_store_as_it_is(world: World, busybox: str) -> None:
    await ensure_hello(world.images)
    await world.images.tag("busybox", tag_target("localhost:5000/box:2"))
    store = f"oci:{world.root}/content"
    for name in ("busybox:latest", "localhost:5000/box:2"):
        assert inspected(f"{store}:{name}")["config"] == {"Cmd": ["sh"], "Labels": {"a": "b"}}
    assert inspected(f"{store}:hello-world:latest")["config"]["Cmd"] == ["/hello"]


async def test_skopeo_reads_both_faces_of_an_archive(world: World, busybox: str, tmp_path: Path) -> None:
    await world.images.tag("busybox", tag_target("box:2"))
    archive = tmp_path / "saved.tar"
    archive.write_bytes(await world.save("busybox", "box"))
    for reference in (
        f"docker-archive:{archive}:box:2",
        f"docker-archive:{archive}:busybox:latest",
        f"oci-archive:{archive}:2",
    ):
        target = tmp_path / "copy"
        assert inspected(reference)["config"]["Cmd"] == ["sh"]
        run("skopeo", "copy", reference, f"dir:{target}")
        assert (target / "manifest.json").is_file()


async def test_podman_loads_what_we_save(world: World, busybox: str, tmp_path: Path, podman: Podman) -> None:
    await ensure_hello(world.images)
    archive = tmp_path / "saved.tar"
    archive.write_bytes(await world.save("busybox", "hello-world"))
    podman("load", "-i", str(archive))
    listed = {image["Id"]: image["Names"][0] for image in json.loads(podman("images", "--format", "json"))}
    assert listed[busybox[7:]].endswith("busybox:latest")
    assert len(listed) == 2


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
async def test_we_load_what_podman_saves(world: World, busybox: str, tmp_path: Path, podman: Podman, kind: str) -> None:
    ours, theirs = tmp_path / "ours.tar", tmp_path / "theirs.tar"
    ours.write_bytes(await world.save("busybox"))
    podman("load", "-i", str(ours))
    podman("tag", busybox[7:], "example.org/again:3")
    podman("save", "--format", kind, "-o", str(theirs), "example.org/again:3")
    await world.images.remove("busybox", lambda _: ())
    await world.load(theirs.read_bytes())
    image = world.images.find("example.org/again:3")
    assert image.config.process.cmd == ["sh"]
    assert image.config.process.labels == {"a": "b"}
    if kind == "docker-archive":
        assert image.id == busybox


async def test_we_load_what_buildah_makes(world: World, tmp_path: Path) -> None:
    """Two layers, one with a whiteout, gzip-compressed, with a manifest of buildah's own."""
    places = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    (tmp_path / "kept").write_text("kept")

    def buildah(*command: str) -> str:
        return run("buildah", *places, *command).strip()

    first = buildah("from", "scratch")
    buildah("copy", first, str(tmp_path / "kept"), "/kept")
    buildah("config", "--env", "A=b", "--cmd", "one", first)
    base = buildah("commit", "--disable-compression=false", first)
    second = buildah("from", base)
    buildah("copy", second, str(tmp_path / "kept"), "/added")
    buildah("commit", "--disable-compression=false", second, f"oci-archive:{tmp_path}/made.tar:made:7")
    await world.load((tmp_path / "made.tar").read_bytes())
    image = world.images.find("made:7")
    assert image.config.process.env == ["A=b"]
    assert len(image.layers) == 2
    saved = tmp_path / "again.tar"
    saved.write_bytes(await world.save("made:7"))
    assert inspected(f"docker-archive:{saved}")["rootfs"] == {
        "type": "layers",
        "diff_ids": [str(layer.diff) for layer in image.layers],
    }


@pytest.mark.parametrize("form", ["dir-of-zstd", "docker-archive"])
async def test_we_load_what_skopeo_copies(world: World, busybox: str, tmp_path: Path, form: str) -> None:
    store = f"oci:{world.root}/content:busybox:latest"
    made = tmp_path / "made.tar"
    if form == "docker-archive":
        run("skopeo", "copy", store, f"docker-archive:{made}:x:1")
    else:
        run("skopeo", "copy", "--dest-compress", "--dest-compress-format", "zstd", store, f"oci-archive:{made}:x:1")
    await world.images.remove("busybox", lambda _: ())
    assert world.chains() == 0
    await world.load(made.read_bytes())
    image = world.images.find("x:1")
    assert image.config.process.cmd == ["sh"]
    assert image.size_bytes > 1_000_000


@pytest.mark.reference
async def test_dockerd_loads_what_we_save_and_we_what_it_saves(world: World, busybox: str, reference: Any) -> None:
    for name in ("ours:1", "ours:2"):
        await world.images.tag("busybox", tag_target(name))
    loaded = reference.docker("load", stdin=await world.save("ours"), check=True).stdout.decode()
    assert loaded == "Loaded image: ours:1\nLoaded image: ours:2\n"
    with closing(reference.api()) as api:
        assert api.get("/images/ours:1/json").json["Id"] == busybox
        theirs = api.get("/images/get?names=ours").body
        api.delete("/images/ours:1")
        api.delete("/images/ours:2")
    await world.images.remove(busybox, lambda _: (), force=True)
    await world.load(theirs)
    assert world.images.find("ours:1").id == busybox
    assert world.images.find("ours:1").repo_tags == ("ours:1", "ours:2")


@pytest.mark.reference
async def test_the_same_lines_change_an_image_in_the_same_way(world: World, reference: Any) -> None:
    changes = (
        'ENV a=1 b=$a c="x y"',
        "LABEL k=$a l='$a'",
        "EXPOSE 80-82 53/udp",
        "VOLUME /x $a",
        "WORKDIR q",
        "CMD a b",
    )
    data = tar({"x": b"y"})
    line = [part for change in changes for part in ("--change", change)]
    reference.docker("import", *line, "-", "same:1", stdin=data, check=True)
    with closing(reference.api()) as api:
        theirs = api.get("/images/same:1/json").json["Config"]
        api.delete("/images/same:1")
    ours = (await world.images.import_(body(data), ImportWishes(changes=changes))).config.process
    assert ours.env == theirs["Env"]
    assert ours.labels == theirs["Labels"]
    assert set(ours.exposed_ports or ()) == set(theirs["ExposedPorts"])
    assert set(ours.volumes or ()) == set(theirs["Volumes"])
    assert ours.working_dir == theirs["WorkingDir"]
    assert ours.cmd == theirs["Cmd"]


async def test_a_use_is_what_the_engine_tells(world: World, busybox: str) -> None:
    users = {busybox: [ContainerUse("c" * 64, running=True)]}
    with pytest.raises(Exception, match="must force"):
        await world.images.remove("busybox", lambda one: users.get(one, []))
