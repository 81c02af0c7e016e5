"""Whiteouts (S-02), special files and attributes (S-04), and what a layer takes from the one below."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.snapshots.budget import BadArchive
from havre.snapshots.contract import ParentMissing, View
from tests.root.snapshots.conftest import Apply, Marker, Store, chain_of
from tests.support.tars import Entry, archive, file, folder, hardlink, symlink

pytestmark = pytest.mark.root

BASE = archive(
    folder("./", mode=0o751),
    folder("a", mode=0o700),
    file("a/one", b"1"),
    file("a/two", b"2"),
    folder("a/sub"),
    file("a/sub/three", b"3"),
    file("b", b"b"),
    folder("tmp", mode=0o1777),
    symlink("l", "a"),
)


def seen(store: Store, *archives: bytes) -> dict[str, str]:
    """Every path of the merged tree; files with their content."""
    chain = store.stack(*archives)
    store.overlay.prepare("look", chain)
    found: dict[str, str] = {}
    try:
        with store.overlay.mounted("look") as root:
            for folder_, folders, files, handle in os.fwalk(".", dir_fd=root):
                links = [n for n in folders if stat.S_ISLNK(os.stat(n, dir_fd=handle, follow_symlinks=False).st_mode)]
                for name in files + links:
                    path = os.path.normpath(os.path.join(folder_, name))
                    try:
                        status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                    except FileNotFoundError:  # overlayfs lists marks in folders of one layer alone
                        continue
                    if stat.S_ISREG(status.st_mode):
                        opened = os.open(name, os.O_RDONLY, dir_fd=handle)
                        found[path] = os.read(opened, 1000).decode()
                        os.close(opened)
                    else:
                        found[path] = stat.filemode(status.st_mode)[0]
                found[os.path.normpath(folder_) + "/"] = ""
    finally:
        store.overlay.discard("look")
    return found


def without(*gone: str) -> dict[str, str]:
    full = {
        "./": "",
        "a/": "",
        "a/one": "1",
        "a/two": "2",
        "a/sub/": "",
        "a/sub/three": "3",
        "b": "b",
        "tmp/": "",
        "l": "l",
    }
    return {k: v for k, v in full.items() if not any(k == g or (g.endswith("/") and k.startswith(g)) for g in gone)}


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([file("a/.wh.one")], without("a/one")),
        ([file(".wh.a")], without("a/")),
        ([file(".wh.b"), file(".wh.nothing")], without("b")),
        ([file("a/.wh..wh..opq")], without("a/one", "a/two", "a/sub/")),
        (
            [folder("a"), file("a/.wh..wh..opq"), file("a/new", b"n")],
            {**without("a/one", "a/two", "a/sub/"), "a/new": "n"},
        ),
        ([file("a/new", b"n"), file("a/.wh..wh..opq")], {**without("a/one", "a/two", "a/sub/"), "a/new": "n"}),
        # a whiteout means lower layers only, whatever the order
        ([file("a/.wh.one"), file("a/one", b"new")], {**without(), "a/one": "new"}),
        ([file("a/one", b"new"), file("a/.wh.one")], {**without(), "a/one": "new"}),
        ([file(".wh.a"), folder("a"), file("a/x", b"x")], {**without("a/one", "a/two", "a/sub/"), "a/x": "x"}),
        ([folder("a"), file("a/x", b"x"), file(".wh.a")], {**without("a/one", "a/two", "a/sub/"), "a/x": "x"}),
        ([file(".wh.a"), file("a/x", b"x")], {**without("a/one", "a/two", "a/sub/"), "a/x": "x"}),
        ([file(".wh.a"), file("a/sub/x", b"x")], {**without("a/one", "a/two", "a/sub/three"), "a/sub/x": "x"}),
        ([file(".wh.a"), symlink("a", "b")], {**without("a/"), "a": "l"}),
        ([file("a/.wh.sub"), folder("a/sub")], without("a/sub/three")),
        # everything
        ([file(".wh..wh..opq"), file("only", b"o")], {"./": "", "only": "o"}),
        # bookkeeping of aufs
        ([folder(".wh..wh.plnk"), file(".wh..wh.aufs"), file("a/.wh..wh.orph")], without()),
        # a folder that becomes a file, a file that becomes a folder
        ([file("a", b"now a file")], {**without("a/"), "a": "now a file"}),
        ([folder("b"), file("b/x", b"x")], {**without("b"), "b/": "", "b/x": "x"}),
        # a whiteout in a folder that is nowhere
        ([file("no/where/.wh.x")], {**without(), "no/": "", "no/where/": ""}),
    ],
)
def test_whiteouts(store: Store, upper: list[Entry], expected: dict[str, str]) -> None:
    found = seen(store, BASE, archive(*upper))
    assert found == expected


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", "a/.wh..."])
def test_whiteouts_of_no_name_are_refused(store: Store, name: str) -> None:
    chain = store.stack(BASE)
    with pytest.raises(InvalidInput):
        store.layer(archive(file(name)), chain)
    assert seen(store, BASE) == without()


def test_a_whiteout_through_a_link_stays_in_its_layer(store: Store, marker: Marker) -> None:
    out = str(marker.path)
    upper = archive(
        symlink("x", out), file("x/.wh.file"), file("x/.wh..wh..opq"), symlink("y", "../.."), file("y/.wh.a")
    )
    found = seen(store, BASE, upper)
    assert "a/one" not in found
    assert "b" in found


def test_a_whiteout_does_not_reach_below_its_folder_in_other_layers(store: Store) -> None:
    lower = archive(folder("a"), file("a/x", b"1"), folder("c"), file("c/x", b"2"))
    found = seen(store, lower, archive(file("a/.wh.x")), archive(file("a/y", b"y")))
    assert found == {"./": "", "a/": "", "a/y": "y", "c/": "", "c/x": "2"}


def test_hard_links_to_what_the_layer_removes_are_refused(store: Store) -> None:
    with pytest.raises(BadArchive):
        store.stack(BASE, archive(file(".wh.b"), hardlink("c", "b")))


# -- S-04


def test_special_files_are_made_and_not_opened(apply: Apply, tree: Path) -> None:
    apply(
        archive(
            Entry(b"fifo", b"6", mode=0o640, uid=5, gid=6),
            Entry(b"null", b"3", mode=0o666, device=(1, 3), uid=1),
            Entry(b"disk", b"4", mode=0o660, device=(250, 77)),
        )
    )
    for name, kind, mode, device in (
        ("fifo", stat.S_IFIFO, 0o640, 0),
        ("null", stat.S_IFCHR, 0o666, os.makedev(1, 3)),
        ("disk", stat.S_IFBLK, 0o660, os.makedev(250, 77)),
    ):
        status = (tree / name).lstat()
        assert (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)) == (kind, mode)
        assert status.st_rdev == device
        assert status.st_mtime_ns == 1_600_000_000 * 10**9
    assert ((tree / "fifo").stat().st_uid, (tree / "fifo").stat().st_gid) == (5, 6)


@pytest.mark.parametrize("device", [(4096, 0), (0, 1 << 20)])
def test_impossible_devices_are_refused(apply: Apply, device: tuple[int, int]) -> None:
    with pytest.raises(BadArchive):
        apply(archive(Entry(b"d", b"3", device=device)))


def test_attributes_come_as_they_are_said(apply: Apply, tree: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    old = os.umask(0o077)
    try:
        applied = apply(
            archive(
                folder("d", mode=0o2775, uid=10, gid=20),
                Entry(b"d/suid", b"0", b"x", mode=0o6755, uid=1000, gid=1000, pax={b"mtime": b"1234567890.123456789"}),
                Entry(b"d/cap", b"0", b"x", mode=0o755, uid=3, pax={b"SCHILY.xattr.security.capability": capability}),
                Entry(b"d/x", b"0", b"x", pax={b"SCHILY.xattr.user.a": b"b", b"SCHILY.xattr.trusted.own": b"c"}),
                Entry(b"t", b"5", mode=0o1777, pax={b"SCHILY.xattr.user.d": b"e"}),
                file("d/after", b"y", mode=0o666),
            )
        )
    finally:
        os.umask(old)
    suid = (tree / "d/suid").stat()
    assert (stat.S_IMODE(suid.st_mode), suid.st_uid, suid.st_gid) == (0o6755, 1000, 1000)
    assert suid.st_mtime_ns == 1_234_567_890_123_456_789
    assert os.getxattr(tree / "d/cap", "security.capability") == capability
    assert os.getxattr(tree / "d/x", "user.a") == b"b"
    assert os.getxattr(tree / "d/x", "trusted.own") == b"c"
    assert os.getxattr(tree / "t", "user.d") == b"e"
    assert stat.S_IMODE((tree / "t").stat().st_mode) == 0o1777
    assert stat.S_IMODE((tree / "d/after").stat().st_mode) == 0o666
    folder_ = (tree / "d").stat()
    assert (stat.S_IMODE(folder_.st_mode), folder_.st_uid, folder_.st_gid) == (0o2775, 10, 20)
    assert folder_.st_mtime_ns == 1_600_000_000 * 10**9
    assert (tree / "d/after").stat().st_gid == 0  # not the folder's, although it is set-gid
    assert applied.size == 4


def test_overlayfs_marks_are_not_taken_from_outside(apply: Apply, tree: Path) -> None:
    keys = ["trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.whiteout", "trusted.overlay.metacopy"]
    pax = {b"SCHILY.xattr." + key.encode(): b"y" for key in keys}
    apply(archive(Entry(b"d", b"5", pax=pax), Entry(b"f", b"0", b"x", pax=pax), Entry(b"l", b"2", link=b"x", pax=pax)))
    for name in ("d", "f", "l"):
        assert os.listxattr(tree / name, follow_symlinks=False) == []


def test_sparse_files_stay_sparse(apply: Apply, tree: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "s").open("wb") as out:
        out.seek(100 << 20)
        out.write(b"end")
        out.truncate(200 << 20)
    data = subprocess.run(["tar", "-C", str(source), "-cSf", "-", "s"], check=True, capture_output=True).stdout
    applied = apply(data)
    assert applied.size == 200 << 20
    status = (tree / "s").stat()
    assert status.st_size == 200 << 20
    assert status.st_blocks * 512 < 1 << 20
    subprocess.run(["cmp", str(source / "s"), str(tree / "s")], check=True)


def test_hard_links_share_one_file(apply: Apply, tree: Path) -> None:
    apply(archive(file("a", b"x"), hardlink("b", "./a"), hardlink("d/c", "/b"), symlink("s", "a"), hardlink("t", "s")))
    assert (tree / "a").stat().st_ino == (tree / "b").stat().st_ino == (tree / "d/c").stat().st_ino
    assert (tree / "t").is_symlink()


def test_later_attributes_of_a_folder_win(apply: Apply, tree: Path) -> None:
    apply(archive(folder("d", mode=0o700), file("d/x"), folder("d", mode=0o755, uid=4)))
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0o755
    assert (tree / "d").stat().st_uid == 4


def test_a_read_only_folder_can_be_filled(apply: Apply, tree: Path) -> None:
    apply(archive(folder("d", mode=0), file("d/x", b"x")))
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0
    assert (tree / "d/x").read_bytes() == b"x"


# -- from below


def test_folders_only_gone_through_look_as_below(store: Store) -> None:
    upper = archive(file("tmp/x", b"x"), file("a/sub/y", b"y"), file("new/deep/z", b"z"))
    chain = store.stack(BASE, upper)
    store.overlay.prepare("k", chain)
    with store.overlay.mounted("k") as root:
        modes = {
            path: stat.S_IMODE(os.stat(path, dir_fd=root).st_mode) for path in (".", "tmp", "a", "new", "new/deep")
        }
    assert modes == {".": 0o751, "tmp": 0o1777, "a": 0o700, "new": 0o755, "new/deep": 0o755}


def test_hard_links_to_a_lower_layer(store: Store) -> None:
    lower = archive(
        folder("d", mode=0o711, uid=3),
        Entry(b"d/f", b"0", b"content", mode=0o4755, uid=9, pax={b"SCHILY.xattr.user.a": b"b"}),
        symlink("d/s", "f"),
        Entry(b"d/null", b"3", device=(1, 3), mode=0o666),
    )
    upper = archive(hardlink("h", "d/f"), hardlink("hs", "d/s"), hardlink("hn", "d/null"), hardlink("h2", "h"))
    chain = store.stack(lower, upper)
    store.overlay.prepare("k", chain)
    with store.overlay.mounted("k") as root:
        one, two, three = (os.stat(path, dir_fd=root) for path in ("h", "d/f", "h2"))
        assert one.st_ino == two.st_ino == three.st_ino
        assert (stat.S_IMODE(one.st_mode), one.st_uid, one.st_nlink) == (0o4755, 9, 3)
        assert os.readlink("hs", dir_fd=root) == "f"
        assert os.stat("hn", dir_fd=root).st_rdev == os.makedev(1, 3)
        assert os.stat("d", dir_fd=root).st_mode & 0o7777 == 0o711
        assert os.getxattr(f"/proc/self/fd/{root}/h", "user.a") == b"b"


@pytest.mark.parametrize("target", ["nothing", "a", "a/nothing", "nothing/x", "gone"])
def test_hard_links_to_nothing_below_are_refused(store: Store, target: str) -> None:
    chain = store.stack(BASE, archive(file(".wh.gone")))
    with pytest.raises(BadArchive):
        store.layer(archive(hardlink("h", target)), chain)


def test_the_parent_may_be_missing_until_it_is_needed(store: Store) -> None:
    lower = BASE
    parent = chain_of(None, lower)
    own = archive(folder("a", mode=0o700), file("a/new", b"n"))
    store.overlay.unpack(chain_of(parent, own), parent, io.BytesIO(own))
    assert not store.overlay.has(chain_of(parent, own))
    needs = archive(hardlink("h", "b"))
    with pytest.raises(ParentMissing):
        store.overlay.unpack(chain_of(parent, needs), parent, io.BytesIO(needs))
    store.layer(lower)
    assert store.overlay.has(chain_of(parent, own))
    store.overlay.unpack(chain_of(parent, needs), parent, io.BytesIO(needs))


def test_a_layer_waits_for_a_parent_on_its_way(store: Store) -> None:
    parent = chain_of(None, BASE)
    needs = archive(hardlink("h", "b"))
    started, go = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            started.set()
            go.wait()
            return super().read(size)

    lower = threading.Thread(target=store.overlay.unpack, args=(parent, None, Slow(BASE)))
    upper = threading.Thread(target=store.overlay.unpack, args=(chain_of(parent, needs), parent, io.BytesIO(needs)))
    lower.start()
    started.wait()
    upper.start()
    go.set()
    lower.join()
    upper.join()
    assert store.overlay.has(chain_of(parent, needs))


def test_an_opaque_folder_below_hides_files_from_links_above(store: Store) -> None:
    chain = store.stack(BASE, archive(file("a/.wh..wh..opq")))
    with pytest.raises(BadArchive):
        store.layer(archive(hardlink("h", "a/one")), chain)


def test_the_upper_view_shows_the_marks(store: Store) -> None:
    chain = store.stack(BASE)
    store.overlay.prepare("k", chain)
    with store.overlay.mounted("k", View.WRITABLE) as root:
        os.unlink("b", dir_fd=root)
    with store.overlay.mounted("k", View.OWN) as own:
        assert stat.S_ISCHR(os.stat("b", dir_fd=own, follow_symlinks=False).st_mode)
    with store.overlay.mounted("k", View.BELOW) as below:
        assert stat.S_ISREG(os.stat("b", dir_fd=below).st_mode)
