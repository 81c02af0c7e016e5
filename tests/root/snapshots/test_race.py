"""S-03: a neighbour swaps folders of the tree for links while a layer is unpacked into it."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import time
from pathlib import Path

import pytest

from havre.base.errors import HavreError
from havre.snapshots.layer import apply_layer
from tests.root.snapshots.conftest import Marker
from tests.support.tars import Entry, archive, file, folder, hardlink, symlink

pytestmark = [pytest.mark.root, pytest.mark.soak, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("HAVRE_SOAK_SECONDS", "60"))


RENAME_EXCHANGE = 2
_renameat2 = ctypes.CDLL(None, use_errno=True).renameat2


def exchange(folder: int, name: str, link: str) -> None:
    _renameat2(folder, name.encode(), -100, link.encode(), RENAME_EXCHANGE)


def swap(tree: str, path: str, link: str) -> None:
    """Exchange *path* and back. The neighbour itself takes care not to go through its own links."""
    head, _, name = path.rpartition("/")
    try:
        folder = os.open(f"{tree}/{head}", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    exchange(folder, name, link)
    exchange(folder, name, link)
    os.close(folder)


def swap_for_ever(tree: str, junk: str, outside: str) -> None:
    """The neighbour: exchanges names in the tree with links that lead out, and back, in one instant each."""
    while True:
        for at, path in enumerate(("d", "d/sub", "e", "d/file", "e/file")):
            link = f"{junk}/{at}"
            if not os.path.islink(link):
                if os.path.lexists(link):
                    os.rename(link, f"{junk}/{os.urandom(8).hex()}")
                os.symlink(outside + ("/sub" if path.endswith("sub") else ""), link)
            swap(tree, path, link)


def test_nothing_leaves_while_folders_are_swapped(tmp_path: Path, marker: Marker) -> None:
    tree = tmp_path / "tree"
    junk = tmp_path / "junk"
    tree.mkdir()
    junk.mkdir()
    entries = [
        folder("d", mode=0o777),
        folder("d/sub", mode=0o777),
        folder("e"),
        *[file(f"d/sub/f{n}", b"x", mode=0o4755, uid=5) for n in range(20)],
        file("d/file", b"overwritten"),
        file("e/file", b"overwritten"),
        Entry(b"e/n", b"3", device=(1, 3), mode=0o666, uid=5),
        Entry(b"d/sub/l", b"2", link=b"x", pax={b"SCHILY.xattr.trusted.x": b"y"}),
        hardlink("d/h", "e/file"),
        file("d/.wh.file"),
        file("d/sub/.wh..wh..opq"),
        symlink("d/sub/file", "x"),
    ]
    data = archive(*entries)
    child = os.fork()
    if child == 0:
        try:
            swap_for_ever(str(tree), str(junk), str(marker.path))
        finally:
            os._exit(1)
    rounds = finished = 0
    try:
        handle = os.open(tree, os.O_RDONLY)
        below = os.open(tmp_path, os.O_RDONLY)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            rounds += 1
            try:
                apply_layer(io.BytesIO(data), handle, lambda: below)
                finished += 1
            except (HavreError, OSError):
                continue
        os.close(handle)
        os.close(below)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert rounds > 100
    assert finished > 0
