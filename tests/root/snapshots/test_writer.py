"""A layer that is written and unpacked again is the same tree; what changed is told as Docker tells it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from havre.snapshots.changes import changes
from havre.snapshots.contract import View
from havre.snapshots.tar import TarReader
from havre.snapshots.writer import WriteWishes, write_tar
from tests.root.snapshots.conftest import Store
from tests.support.tars import Entry, archive, file, folder, hardlink, symlink

pytestmark = pytest.mark.root

BASE = archive(
    folder("a", mode=0o711),
    file("a/one", b"1"),
    file("a/two", b"2"),
    folder("full"),
    file("full/x", b"x"),
    folder("full/y"),
    file("full/y/z", b"z"),
    file("b", b"b"),
)


def work(root: int) -> None:
    """What a container might do."""
    os.unlink("a/one", dir_fd=root)
    os.unlink("b", dir_fd=root)
    os.mkdir("b", dir_fd=root)
    handle = os.open("a/new", os.O_CREAT | os.O_WRONLY, 0o640, dir_fd=root)
    os.write(handle, b"new")
    os.setxattr(handle, "user.mine", b"value")
    os.fchown(handle, 70_000, 3_000_000)
    os.close(handle)
    os.link("a/new", "a/hard", src_dir_fd=root, dst_dir_fd=root)
    os.mkfifo("fifo", dir_fd=root)
    os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3), dir_fd=root)
    os.symlink("x" * 300, "link", dir_fd=root)
    for path in ("full/y/z", "full/x"):
        os.unlink(path, dir_fd=root)
    os.rmdir("full/y", dir_fd=root)
    os.rmdir("full", dir_fd=root)
    os.mkdir("full", dir_fd=root)
    handle = os.open("full/again", os.O_CREAT | os.O_WRONLY, dir_fd=root)
    os.close(handle)


def listing(root: int) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for where, folders, files, handle in os.fwalk(".", dir_fd=root):
        for name in [*folders, *files]:
            status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            is_folder = stat.S_ISDIR(status.st_mode)
            found[os.path.join(where, name)] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                0 if is_folder else status.st_nlink,
                0 if is_folder else status.st_size,
                status.st_rdev,
                status.st_mtime_ns,
                sorted(os.listxattr(f"/proc/self/fd/{handle}/{name}", follow_symlinks=False)),
            )
    return found


def test_a_committed_layer_is_the_same_tree(store: Store) -> None:
    base = store.stack(BASE)
    store.overlay.prepare("k", base)
    with store.overlay.mounted("k", View.WRITABLE) as root:
        work(root)
    with store.overlay.mounted("k", View.OWN) as own:
        wishes = WriteWishes(overlay=True, root_entry=True, nanoseconds=True)
        data = b"".join(write_tar(own, wishes))
        assert b"".join(write_tar(own, wishes)) == data
    names = [member.name for member in TarReader(io.BytesIO(data))]
    assert "a/.wh.one" in names
    assert "full/.wh..wh..opq" in names
    store.overlay.prepare("again", store.layer(data, base).chain)
    with store.overlay.mounted("k") as one, store.overlay.mounted("again") as two:
        assert listing(one) == listing(two)
        assert sorted(listing(one)) == sorted(
            ["./a", "./b", "./full", "./fifo", "./link", "./null", "./a/two", "./a/new", "./a/hard", "./full/again"]
        )


def test_an_export_of_the_whole_tree(store: Store) -> None:
    store.overlay.prepare("k", store.stack(BASE))
    with store.overlay.mounted("k", View.WRITABLE) as root:
        work(root)
    with store.overlay.mounted("k") as root:
        data = b"".join(write_tar(root, WriteWishes(nanoseconds=True)))
    chain = store.stack(data)
    store.overlay.prepare("flat", chain)
    with store.overlay.mounted("k") as one, store.overlay.mounted("flat") as two:
        assert listing(one) == listing(two)


def test_changes_are_told_as_docker_tells_them(store: Store) -> None:
    store.overlay.prepare("k", store.stack(BASE))
    with store.overlay.mounted("k", View.WRITABLE) as root:
        work(root)
    with store.overlay.mounted("k", View.OWN) as own, store.overlay.mounted("k", View.BELOW) as below:
        told = [f"{change.kind.value} {change.path.decode()}" for change in changes(own, below)]
    assert sorted(told) == sorted(
        [
            "C /a",
            "D /a/one",
            "A /a/new",
            "A /a/hard",
            "C /b",
            "A /fifo",
            "C /full",
            "A /full/again",
            "D /full/x",
            "D /full/y",
            "A /link",
            "A /null",
        ]
    )


def test_a_whole_distribution_survives(store: Store) -> None:
    """Written, unpacked and written again gives the same bytes."""
    debian = Path("/tmp/havre-cache/debian.tar")
    if not debian.exists():
        entries: list[Entry] = [folder("usr"), *[file(f"usr/f{n}", b"x" * n) for n in range(500)]]
        data = archive(*entries, hardlink("h", "usr/f1"), symlink("s", "usr"))
    else:
        data = debian.read_bytes()
    texts = []
    for key in ("one", "two"):
        store.overlay.prepare(key, store.layer(data).chain)
        with store.overlay.mounted(key) as root:
            data = b"".join(write_tar(root, WriteWishes(root_entry=True, nanoseconds=True)))
        texts.append(data)
    assert texts[0] == texts[1]
