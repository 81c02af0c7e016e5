"""A process killed at each of its steps: what it was loading is there as a whole, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archives import DockerArchive, digest, tar
from tests.support.image_world import opened

pytestmark = pytest.mark.root

LAYERS = [tar({"a": b"one"}), tar({"b": b"x" * 300_000})]
_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.support.archives import body
from tests.support.image_world import opened
import havre.content.ingest, havre.images.names, havre.snapshots.sealing

fuse = int(sys.argv[3])

def step():
    global fuse
    fuse -= 1
    if fuse == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def armed(owner, name):
    real = getattr(owner, name)
    def stand_in(*args, **kwargs):
        step()
        result = real(*args, **kwargs)
        step()
        return result
    setattr(owner, name, stand_in)

async def main():
    async with opened(Path(sys.argv[1])) as world:
        armed(os, "fsync")
        armed(os, "rename")
        armed(Path, "unlink")
        armed(havre.snapshots.sealing, "syncfs")
        for verb in ("add", "tag", "remove"):
            armed(havre.images.names.Names, verb)
        if sys.argv[4] == "load":
            await world.load(Path(sys.argv[2]).read_bytes())
        else:
            await world.images.remove("x:1", lambda _: ())

asyncio.run(main())
print("done")
"""


def run_child(root: Path, archive: Path, fuse: int, verb: str) -> bool:
    """Whether it came to its end before the fuse burnt down."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, root, archive, str(fuse), verb],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.stdout == "done\n"


@pytest.mark.timeout(300)
async def test_a_load_that_is_killed(tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_bytes(DockerArchive(LAYERS, tags=["x:1"]).bytes())
    fuse, whole = 0, False
    seen = set()
    while not whole:
        fuse += 2
        root = tmp_path / f"data{fuse}"
        whole = run_child(root, archive, fuse, "load")
        async with opened(root) as world:
            there = [image.repo_tags for image in world.images.list()]
            assert there in ([], [("x:1",)])
            seen.add(len(there))
            if there:
                assert await world.save("x:1")
                assert world.snapshots.has(world.images.find("x:1").layers[-1].chain)
            await world.images.sweep()
            assert world.chains() == 2 * len(there)
            assert world.blobs() == 4 * len(there)
            assert not list((root / "content" / "ingest").iterdir())
            await world.load(archive.read_bytes())
            assert world.images.find("x:1").layers[-1].diff.value == digest(LAYERS[1])[7:]
    assert fuse > 10
    assert seen == {0, 1}


@pytest.mark.timeout(300)
async def test_a_removal_that_is_killed(tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_bytes(DockerArchive(LAYERS, tags=["x:1"]).bytes())
    fuse, whole = 0, False
    while not whole:
        fuse += 1
        root = tmp_path / f"data{fuse}"
        async with opened(root) as world:
            await world.load(archive.read_bytes())
        whole = run_child(root, archive, fuse, "remove")
        async with opened(root) as world:
            if world.images.list():
                assert await world.save("x:1"), "not removed: then it is whole"
            else:
                await world.images.sweep()
                assert (world.blobs(), world.chains()) == (0, 0)
    assert fuse > 4
