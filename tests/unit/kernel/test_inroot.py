"""K-01, as far as no rights are needed, and K-02."""

import ctypes
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.kernel.inroot import (
    make_file_in_root,
    make_folders_in_root,
    open_in_root,
    open_parent_in_root,
    read_in_root,
)
from havre.kernel.libc import KernelError
from tests.support.forked import descriptors

RENAME_EXCHANGE = 2


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """The canary: it must stay unread and unchanged."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("canary")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Iterator[int]:
    top = tmp_path / "root"
    (top / "etc/deep").mkdir(parents=True)
    (top / "secret").write_text("inside")
    (top / "etc/secret").write_text("inside etc")
    (top / "run").mkdir()
    (top / "var").mkdir()
    (top / "var/run").symlink_to("/run")
    (top / "absolute").symlink_to(f"{outside}/secret")
    (top / "climbing").symlink_to("../outside/secret")
    (top / "climbing_far").symlink_to("../" * 20 + "secret")
    (top / "up").symlink_to("..")
    (top / "slash").symlink_to("/")
    (top / "loop").symlink_to("loop")
    (top / "ping").symlink_to("pong")
    (top / "pong").symlink_to("ping")
    (top / "dangling").symlink_to("/made/by/link")
    (top / "etc/dangling_file").symlink_to("../new/file")
    os.mkfifo(top / "fifo")
    handle = os.open(top, os.O_PATH | os.O_DIRECTORY)
    yield handle
    os.close(handle)


def is_inside(handle: int, root: int) -> bool:
    path, top = os.readlink(f"/proc/self/fd/{handle}"), os.readlink(f"/proc/self/fd/{root}")
    return path == top or path.startswith(f"{top}/")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("secret", "inside"),
        ("/secret", "inside"),
        ("//secret", "inside"),
        ("../secret", "inside"),
        ("../../../../../../secret", "inside"),
        ("/../secret", "inside"),
        ("etc/../secret", "inside"),
        ("etc/deep/../../secret", "inside"),
        ("./etc/./secret", "inside etc"),
        ("climbing_far", "inside"),
        ("up/up/secret", "inside"),
        ("slash/slash/etc/secret", "inside etc"),
    ],
)
def test_names_lead_inside(root: int, path: str, content: str) -> None:
    assert read_in_root(root, path, 100) == content.encode()


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("absolute", errno.ENOENT),
        ("climbing", errno.ENOENT),
        ("loop", errno.ELOOP),
        ("ping", errno.ELOOP),
        ("", errno.ENOENT),
        ("secret/", errno.ENOTDIR),
        ("secret/x", errno.ENOTDIR),
        ("n" * 256, errno.ENAMETOOLONG),
        ("x/" * 2048 + "x", errno.ENAMETOOLONG),
        ("nul\0", errno.EINVAL),
        ("dangling", errno.ENOENT),
    ],
)
def test_names_lead_to_an_error(root: int, path: str, number: int) -> None:
    with pytest.raises(KernelError) as caught:
        open_in_root(root, path, os.O_RDONLY)
    assert caught.value.errno == number


@pytest.mark.parametrize("path", [".", "/", "..", "../..", "etc/..", "up", "slash", "up/..", "etc/deep/"])
def test_folders_lead_inside(root: int, path: str) -> None:
    handle = open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
    try:
        assert is_inside(handle, root)
    finally:
        os.close(handle)


def test_magic_links_are_refused() -> None:
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        for path in (f"{os.getpid()}/root", f"{os.getpid()}/cwd", f"{os.getpid()}/fd/0", f"{os.getpid()}/exe"):
            with pytest.raises(KernelError) as caught:
                open_in_root(proc, path, os.O_RDONLY)
            assert caught.value.errno == errno.ELOOP
    finally:
        os.close(proc)


def test_handles_are_close_on_exec(root: int) -> None:
    handles = [
        open_in_root(root, "secret", os.O_RDONLY),
        make_folders_in_root(root, "etc"),
        make_folders_in_root(root, "new/folder"),
        make_folders_in_root(root, "/"),
        make_file_in_root(root, "new/file2"),
        make_file_in_root(root, "new/file2"),
        open_parent_in_root(root, "new/x")[0],
    ]
    try:
        assert not any(os.get_inheritable(handle) for handle in handles)
    finally:
        for handle in handles:
            os.close(handle)


def test_creating_never_follows(root: int, outside: Path) -> None:
    with pytest.raises(KernelError) as caught:
        open_in_root(root, "climbing", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    assert caught.value.errno == errno.EEXIST
    assert os.listdir(outside) == ["secret"]


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("a/b/c", "a/b/c"),
        ("/a//b/./c/", "a/b/c"),
        ("../../a/b", "a/b"),
        ("var/run/lock/x", "run/lock/x"),
        ("dangling/more", "made/by/link/more"),
        ("up/a", "a"),
        ("etc/../../b", "b"),
        ("a/../b/../../c", "c"),
    ],
)
def test_folders_are_made_inside(root: int, tmp_path: Path, path: str, made: str) -> None:
    handle = make_folders_in_root(root, path, 0o751)
    try:
        assert os.readlink(f"/proc/self/fd/{handle}") == str(tmp_path / "root" / made)
        assert sorted(os.listdir(tmp_path)) == ["outside", "root"]
    finally:
        os.close(handle)


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("a/b/file", "a/b/file"),
        ("dangling", "made/by/link"),
        ("etc/dangling_file", "new/file"),
        ("var/run/file", "run/file"),
        ("etc/../../file", "file"),
        ("fifo", "fifo"),
    ],
)
def test_files_are_made_inside(root: int, tmp_path: Path, path: str, made: str) -> None:
    handle = make_file_in_root(root, path, 0o640)
    try:
        assert os.readlink(f"/proc/self/fd/{handle}") == str(tmp_path / "root" / made)
    finally:
        os.close(handle)


@pytest.mark.parametrize(
    ("path", "number"),
    [("secret/x", errno.ENOTDIR), ("loop/x", errno.ELOOP), ("ping/a/b", errno.ELOOP), ("n" * 256, errno.ENAMETOOLONG)],
)
def test_what_cannot_be_made_is_an_error(root: int, path: str, number: int) -> None:
    for make in (make_folders_in_root, make_file_in_root):
        with pytest.raises(KernelError) as caught:
            make(root, path)
        assert caught.value.errno == number


def test_no_file_is_made_in_place_of_a_folder(root: int) -> None:
    with pytest.raises(KernelError) as caught:
        make_file_in_root(root, "a/b/..")
    assert caught.value.errno in {errno.EISDIR, errno.ENOENT}


def test_parent_and_name(root: int, tmp_path: Path) -> None:
    handle, name = open_parent_in_root(root, "var/run/x/")
    try:
        assert (os.readlink(f"/proc/self/fd/{handle}"), name) == (f"{tmp_path}/root/run", b"x")
    finally:
        os.close(handle)
    for path in ("", "/", "a/..", ".", "etc/."):
        with pytest.raises(KernelError):
            open_parent_in_root(root, path)


def test_reading_takes_regular_files_alone_and_so_much(root: int) -> None:
    assert read_in_root(root, "secret", 6) == b"inside"
    for path, limit, number in (("secret", 5, errno.EFBIG), ("fifo", 9, errno.EINVAL), ("etc", 9, errno.EINVAL)):
        with pytest.raises(KernelError) as caught:
            read_in_root(root, path, limit)
        assert caught.value.errno == number


@pytest.mark.soak
def test_a_rename_race_never_leads_outside(root: int, tmp_path: Path, outside: Path) -> None:
    """K-02: folder and link change places while names are resolved through both."""
    top = tmp_path / "root"
    (top / "swap/in").mkdir(parents=True)
    (top / "swap/in/secret").write_text("inside")
    (top / "link").symlink_to(outside)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    stop = threading.Event()

    def swap() -> None:
        here, there = bytes(top / "swap"), bytes(top / "link")
        while not stop.is_set():
            exchange(-100, here, -100, there, RENAME_EXCHANGE)

    threads = [threading.Thread(target=swap) for _ in range(2)]
    for thread in threads:
        thread.start()
    tried = spurious = missed = 0
    deadline = time.monotonic() + 60
    try:
        while tried < 100_000 or time.monotonic() < deadline:
            tried += 1
            try:
                handle = open_in_root(root, "swap/in/../../swap/in/secret", os.O_RDONLY)
            except KernelError as error:
                if error.errno not in {errno.ENOENT, errno.EAGAIN}:
                    raise
                spurious += error.errno == errno.EAGAIN
                missed += error.errno == errno.ENOENT
                continue
            with open(handle) as file:
                assert file.read() == "inside"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"{tried} look-ups, {missed} through the link, {spurious} spurious")
    assert spurious <= tried * 0.0012
