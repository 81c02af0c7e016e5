"""What the writer writes, others read as it is, and so do we; the same tree gives the same bytes."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from havre.snapshots.tar import Kind, TarReader
from havre.snapshots.tar_fields import Numbers, header
from havre.snapshots.writer import WriteWishes, write_tar


def written(root: Path, wishes: WriteWishes | None = None) -> bytes:
    handle = os.open(root, os.O_RDONLY)
    try:
        return b"".join(write_tar(handle, wishes))
    finally:
        os.close(handle)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "b" / "deep").mkdir(parents=True)
    (root / "b" / "deep" / "file").write_bytes(os.urandom(600_000))
    (root / "b.txt").write_bytes(b"sorts between")
    (root / "a").write_bytes(b"")
    (root / "c").symlink_to("b/deep/" + "x" * 150)
    os.link(root / "a", root / "z-hard")
    os.mkfifo(root / "pipe", 0o600)
    (root / "ééé").mkdir()
    (root / "ééé" / ("n" * 200)).write_bytes(b"long")
    (root / "bad\udcff").write_bytes(b"bytes")
    (root / "b").chmod(0o2750)
    os.utime(root / "a", ns=(0, 1_234_567_890_987_654_321))
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(root)
        try:
            sock.bind("sock")
        finally:
            os.chdir(here)
    return root


def test_members_come_in_order_and_whole(tree: Path) -> None:
    names = [member.path for member in TarReader(io.BytesIO(written(tree)))]
    assert names == [
        b"a",
        b"b/",
        b"b/deep/",
        b"b/deep/file",
        b"b.txt",
        b"bad\xff",
        b"c",
        b"pipe",
        b"z-hard",
        "ééé/".encode(),
        "ééé/".encode() + b"n" * 200,
    ]


def test_gnu_tar_unpacks_the_same_tree(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    data = written(tree, WriteWishes(nanoseconds=True, root_entry=True))
    subprocess.run(["tar", "-xpf", "-", "-C", str(out)], input=data, check=True, capture_output=True)
    (tree / "sock").unlink()
    for folder, folders, files in os.walk(os.fsencode(tree)):
        for name in [b"", *folders, *files]:
            one = os.path.join(folder, name)
            two = os.fsencode(out) + one.removeprefix(os.fsencode(tree))
            a, b = os.lstat(one), os.lstat(two)
            if name in {b"", b"b", b"deep"} or os.path.isdir(one):
                assert a.st_mode == b.st_mode
                continue
            assert (a.st_mode, a.st_uid, a.st_gid, a.st_mtime_ns, a.st_nlink) == (
                b.st_mode,
                b.st_uid,
                b.st_gid,
                b.st_mtime_ns,
                b.st_nlink,
            )
            if os.path.islink(one):
                assert os.readlink(one) == os.readlink(two)
            elif os.path.isfile(one):
                assert Path(os.fsdecode(one)).read_bytes() == Path(os.fsdecode(two)).read_bytes()


def test_the_same_tree_gives_the_same_bytes(tree: Path) -> None:
    first = written(tree)
    (tree / "b.txt").read_bytes()  # access times do not count
    assert written(tree) == first


def test_times_are_cut_to_seconds_unless_asked(tree: Path) -> None:
    def time_of_a(data: bytes) -> int:
        return next(member.mtime_ns for member in TarReader(io.BytesIO(data)) if member.path == b"a")

    assert time_of_a(written(tree)) == 1_234_567_890_000_000_000
    assert time_of_a(written(tree, WriteWishes(nanoseconds=True))) == 1_234_567_890_987_654_321


def test_a_prefix_and_the_root(tree: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(written(tree, WriteWishes(root_entry=True, prefix=b"top")))) as tar:
        names = tar.getnames()
    assert names[0] == "top"
    assert "top/b/deep/file" in names
    assert all(name == "top" or name.startswith("top/") for name in names)


def test_pieces_are_large(tree: Path) -> None:
    handle = os.open(tree, os.O_RDONLY)
    try:
        pieces = list(write_tar(handle))
    finally:
        os.close(handle)
    assert len(pieces) <= 5


@pytest.mark.parametrize(
    ("path", "size", "owner", "time_ns"),
    [
        (b"x", 8**11 - 1, 8**7 - 1, 0),
        (b"x", 8**11, 8**7, -1),
        (b"x" * 100, 1 << 37, 2**32 - 2, -(10**9)),
        (b"d" * 155 + b"/" + b"n" * 100, 0, 0, 8**11 * 10**9),
        (b"d" * 156 + b"/" + b"n" * 100, 0, 0, 1),
        (b"n" * 101, 5, 5, 10**18),
        (b"/".join([b"p" * 90] * 40), 0, 0, 0),
        ("☃".encode() * 30, 0, 0, 0),
        (b"\xff\xfe", 0, 0, 0),
    ],
)
def test_any_numbers_and_names_survive(path: bytes, size: int, owner: int, time_ns: int) -> None:
    block = header(b"0", path, Numbers(0o7777, owner, owner, size, time_ns), xattrs={b"user.x": b"\0=\n"})
    member = TarReader(io.BytesIO(block)).next()
    assert member is not None
    assert (member.path, member.size, member.uid, member.gid) == (path, size, owner, owner)
    assert (member.mtime_ns, member.mode, member.kind) == (time_ns, 0o7777, Kind.FILE)
    assert member.xattrs == {b"user.x": b"\0=\n"}
    with tarfile.open(fileobj=io.BytesIO(block + bytes(1024)), errors="surrogateescape") as tar:
        info = tar.next()
        assert info is not None
        assert info.name.encode("utf-8", "surrogateescape") == path
        assert (info.size, info.uid) == (size, owner)
