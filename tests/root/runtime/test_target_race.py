"""R-09: a neighbour that shares a volume swaps folders for links while mount targets are made below that volume."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from havre.oci.runtime_spec import Mount
from havre.runtime.runtime import StartFailed
from tests.root.runtime.conftest import new_place
from tests.support.bundles import Place

pytestmark = pytest.mark.root

ROUNDS = 60
SWAP = """
import ctypes, os, sys
exchange = ctypes.CDLL(None).renameat2
volume = sys.argv[1].encode()
print("swaps", flush=True)
while True:
    for name in (b"d", b"e"):
        exchange(-100, volume + b"/" + name, -100, volume + b"/to-" + name, 2)
"""


@contextmanager
def swapping(volume: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`d` and `e` of the *volume* change places with the links `to-d` and `to-e` all the time."""
    with subprocess.Popen([sys.executable, "-c", SWAP, str(volume)], stdout=subprocess.PIPE) as neighbour:
        assert neighbour.stdout is not None
        assert neighbour.stdout.readline() == b"swaps\n"
        yield neighbour
        assert neighbour.poll() is None
        neighbour.kill()


def shared_volume(folder: Path, marker: Path) -> Path:
    volume = folder / "volume"
    for name in ("d", "e"):
        (volume / name / "old").mkdir(parents=True)
    (volume / "to-d").symlink_to(f"../../../../../../../../..{marker}")
    (volume / "to-e").symlink_to(marker)
    return volume


async def launch(place: Place, volume: Path, source: Path) -> str | None:
    """Where the things of *source* are mounted in a container that starts; None when it was refused."""
    targets = ("/vol/d/old", "/vol/d/new/deeper", "/vol/e/old", "/vol/e/file")
    mounts = [Mount(destination="/vol", type="bind", source=str(volume), options=["rbind", "rprivate"])]
    for target in targets:
        kind = source / ("file" if target.endswith("file") else "folder")
        mounts.append(Mount(destination=target, type="bind", source=str(kind), options=["rbind", "rprivate"]))
    mounts.append(Mount(destination="/vol/d/tmp", type="tmpfs", source="tmpfs", options=["mode=700"]))
    try:
        return (await place.run("cat", "/proc/self/mountinfo", mounts=mounts)).output
    except StartFailed:
        return None


async def test_targets_below_swapped_folders_stay_inside(tmp_path: Path, image: Path) -> None:
    marker, source = tmp_path / "marker", tmp_path / "source"
    (marker / "old").mkdir(parents=True)
    (marker / "old" / "kept").write_text("untouched")
    (source / "folder").mkdir(parents=True)
    (source / "file").write_text("of the host")
    volume = shared_volume(tmp_path, marker)
    started: list[str] = []
    async for place in new_place(tmp_path, image, "", way="ordinary"):
        with swapping(volume):
            for _ in range(ROUNDS):
                told = await launch(place, volume, source)
                started += [told] if told is not None else []
    assert started
    inside = {"vol", marker.parts[1]}  # a link that was met leads to a folder of that name in the container's own root
    for table in started:
        fields = [line.split() for line in table.splitlines()]
        assert {point.split("/")[1] for _, _, _, root, point, *_ in fields if root.startswith(str(source))} <= inside
    assert sorted(str(path.relative_to(marker)) for path in marker.rglob("*")) == ["old", "old/kept"]
    assert (marker / "old" / "kept").read_text() == "untouched"
