"""S-08: no space and no inodes, at every amount that is too little."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from havre.base.errors import ResourceExhausted
from havre.content.store import Content
from havre.kernel.mounts import AT_FDCWD, UMOUNT_DETACH, move_mount, new_filesystem, umount
from havre.snapshots.contract import View
from havre.snapshots.overlay import Overlay
from tests.root.snapshots.conftest import chain_of
from tests.support.tars import archive, file, folder

pytestmark = pytest.mark.root

LAYER = archive(*[entry for n in range(20) for entry in (folder(f"d{n}"), file(f"d{n}/f", os.urandom(9000)))])
CHAIN = chain_of(None, LAYER)


@contextmanager
def small_disk(options: dict[str, str | None], place: Path | None = None) -> Iterator[Path]:
    """A tmpfs that is mounted at *place* or nowhere; from there, older kernels take no layers of an overlay."""
    handle = new_filesystem("tmpfs", options)
    try:
        if place is not None:
            move_mount(handle, AT_FDCWD, place)
        yield place or Path(f"/proc/self/fd/{handle}")
    finally:
        if place is not None:
            umount(place, UMOUNT_DETACH)
        os.close(handle)


def used(disk: Path) -> tuple[int, int]:
    state = os.statvfs(disk)
    return state.f_blocks - state.f_bfree, state.f_files - state.f_ffree


SIZES = [{"size": f"{pages * 4}k"} for pages in range(8, 110, 3)]
INODES = [{"size": "16m", "nr_inodes": str(count)} for count in range(12, 62, 3)]


def tried(options: dict[str, str | None]) -> bool:
    """Whether the layer fits; whatever the answer, the store is sound afterwards."""
    with small_disk(options) as disk:
        try:
            overlay = Overlay(disk / "s")
        except ResourceExhausted:
            return False
        before = used(disk)
        try:
            overlay.unpack(CHAIN, None, io.BytesIO(LAYER))
        except ResourceExhausted:
            overlay.close()
            assert used(disk) == before
            assert not overlay.has(CHAIN)
            again = Overlay(disk / "s")
            again.sweep()
            again.close()
            assert again.chains() == ()
            return False
        assert overlay.has(CHAIN)
        overlay.remove(CHAIN)
        overlay.close()
        assert used(disk) == before
        return True


@pytest.mark.parametrize("kind", [SIZES, INODES], ids=["space", "inodes"])
def test_a_layer_that_does_not_fit_leaves_the_disk_as_it_was(kind: list[dict[str, str | None]]) -> None:
    answers = [tried(options) for options in kind]
    assert answers == sorted(answers)
    assert set(answers) == {False, True}


def prepare_all(overlay: Overlay, keys: list[str]) -> None:
    for key in keys:
        overlay.prepare(key, CHAIN)


def fill(path: Path) -> None:
    filler = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(filler, bytes(4096))
    finally:
        os.close(filler)


def test_trees_in_work_on_a_full_disk() -> None:
    with small_disk({"size": "2m", "nr_inodes": "60"}) as disk:
        overlay = Overlay(disk / "s")
        overlay.unpack(CHAIN, None, io.BytesIO(LAYER))
        keys = [f"k{number}" for number in range(100)]
        with pytest.raises(ResourceExhausted):
            prepare_all(overlay, keys)
        made = overlay.keys()
        assert made == tuple(keys[: len(made)])
        for key in made:
            overlay.discard(key)
        overlay.remove(CHAIN)
        overlay.close()
        assert os.listdir(disk / "s" / "trash") == []


def test_a_full_disk_still_lets_go(tmp_path: Path) -> None:
    with small_disk({"size": "1m"}, tmp_path) as disk:
        overlay = Overlay(disk / "s")
        overlay.unpack(CHAIN, None, io.BytesIO(LAYER))
        overlay.prepare("k", CHAIN)
        with pytest.raises(OSError, match="No space"):
            fill(disk / "filler")
        with overlay.mounted("k", View.BELOW) as root:
            assert len(os.listdir(root)) == 20
        overlay.discard("k")
        overlay.remove(CHAIN)
        overlay.close()
        assert overlay.chains() == ()
        assert used(disk)[0] < 256


def test_a_blob_that_does_not_fit_leaves_nothing() -> None:
    data = os.urandom(300_000)
    answers = []
    for pages in range(2, 90, 4):
        with small_disk({"size": f"{pages * 4}k"}) as disk:
            try:
                content = Content(disk / "c")
            except ResourceExhausted:
                answers.append(False)
                continue
            before = used(disk)
            try:
                content.ingest(io.BytesIO(data))
                answers.append(True)
            except ResourceExhausted:
                answers.append(False)
                assert used(disk) == before
                assert Content(disk / "c").digests() == ()
    assert answers == sorted(answers)
    assert set(answers) == {False, True}
