"""A disk that is too small: a clear answer, nothing left, and the store goes on (security.md, rule 25)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

_CHILD = """
import asyncio, os, sys
from pathlib import Path
from tests.support.archives import DockerArchive, tar
from tests.support.image_world import opened
from havre.base.errors import ResourceExhausted

async def main(root):
    async with opened(root) as world:
        small = DockerArchive([tar({"a": b"one"})], tags=["small:1"]).bytes()
        await world.load(small)
        for size in (1_200_000, 3_000_000):
            try:
                await world.load(DockerArchive([tar({"big": os.urandom(size)})], tags=["big:1"]).bytes())
            except ResourceExhausted as error:
                print(type(error).__name__, "No space left" in str(error))
            print(len(world.images.list()), world.blobs(), world.chains())
        await world.images.remove("small:1", lambda _: ())
        await world.load(small)

asyncio.run(main(Path(sys.argv[1])))
print("done")
"""


def test_a_load_onto_a_disk_that_is_too_small(tmp_path: Path) -> None:
    """Once the layer's files do not fit beside its blob, once not even the blob."""
    script = f'mount -t tmpfs -o size=2M tmpfs {tmp_path} && exec {sys.executable} -c "$CHILD" {tmp_path}/data'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "CHILD": _CHILD},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == [*["ResourceExhausted True", "1 3 1"] * 2, "done", ""]
