"""E-05 and E-18: without handles or space the engine says so, loses nothing, and goes on when there is some again."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host

pytestmark = pytest.mark.root

DISK_BYTES = 192 << 20


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    with running(Havre(host, tmp_path / "hv")) as made:
        assert isinstance(made, Havre)
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


@contextmanager
def few_handles(pid: int, spare: int) -> Iterator[None]:
    """*pid* may have *spare* handles more than it has now."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def handles_at_rest(engine: Havre) -> int:
    """How many handles the engine has once its pools are full: the same number for half a second."""
    seen: list[int] = []
    deadline = time.monotonic() + 20
    while len(set(seen[-10:])) != 1 or len(seen) < 10:
        assert time.monotonic() < deadline, seen
        seen.append(len(os.listdir(f"/proc/{engine.pid}/fd")))
        time.sleep(0.05)
    return seen[-1]


def clear(done: subprocess.CompletedProcess[bytes]) -> None:
    """Done, or refused in words that name no missing thing and no traceback."""
    words = done.stderr.decode().lower()
    assert "traceback" not in words
    for lie in ("no such image", "no such container", "unable to find image", "not found in $path"):
        assert lie not in words, words


@pytest.mark.parametrize("spare", [0, 2, 6, 12, 20])
def test_without_handles(engine: Havre, spare: int) -> None:
    """E-05."""
    engine.out("run", "-d", "--name", "stays", "busybox", "sleep", "1000")
    handles = handles_at_rest(engine)
    with few_handles(engine.pid, spare):
        for line in (
            ("run", "--rm", "busybox", "true"),
            ("exec", "stays", "true"),
            ("run", "-d", "--name", "maybe", "-p", "127.0.0.1::80", "busybox", "sleep", "1000"),
            ("save", "busybox", "-o", "/dev/null"),
            ("cp", "stays:/bin/busybox", "-"),
            ("ps", "-a"),
        ):
            clear(engine.docker(*line, timeout_s=90))
    assert engine.process is not None
    assert engine.process.poll() is None
    assert engine.out("run", "--rm", "busybox", "echo", "well") == "well"
    assert engine.out("exec", "stays", "echo", "well") == "well"
    engine.docker("rm", "-f", "maybe")
    deadline = time.monotonic() + 30
    while len(os.listdir(f"/proc/{engine.pid}/fd")) > handles + 2:
        assert time.monotonic() < deadline, sorted(os.listdir(f"/proc/{engine.pid}/fd"), key=int)
        time.sleep(0.1)
    assert "Traceback" not in engine.log.read_text()


@pytest.fixture
def on_a_small_disk(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "small", str(folder)], check=True)
    try:
        made = Havre(host, tmp_path / "hv")
        made.data_root = folder / "data"
        with running(made):
            made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
            yield made
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


def test_a_full_disk(on_a_small_disk: Havre) -> None:
    """E-18: nothing is "not found", removal works, and an engine starts where no byte is free."""
    engine = on_a_small_disk
    for name in ("one", "two"):
        engine.out("run", "-d", "--name", name, "busybox", "sleep", "1000")
    engine.out("tag", "busybox", "busybox:second")
    engine.out("volume", "create", "kept")
    assert engine.build("-", stdin=b"FROM busybox\nRUN echo known > /f\n").returncode == 0
    filler = fill(engine.data_root.parent)
    assert "Deleted build cache objects" in engine.out("builder", "prune", "-af")
    filler = fill(engine.data_root.parent)
    for line in (
        ("run", "--rm", "busybox", "true"),
        ("create", "--name", "third", "busybox", "true"),
        ("exec", "one", "true"),
        ("tag", "busybox", "busybox:third"),
        ("volume", "create", "more"),
        ("commit", "one"),
        ("build", "-"),
    ):
        clear(engine.docker(*line, stdin=b"FROM busybox\nRUN true\n" if line[0] == "build" else None))
    assert engine.out("ps", "--format", "{{.Names}}").split().count("one") == 1
    engine.kill()
    engine.start()
    assert {"one", "two"} <= set(engine.out("ps", "--format", "{{.Names}}").split())
    engine.docker("stop", "-t", "0", "two", check=True)
    engine.docker("rm", "two", check=True)
    engine.docker("rm", "-f", "one", check=True)
    engine.docker("rmi", "busybox:second", check=True)
    engine.docker("container", "prune", "-f", check=True)
    engine.docker("volume", "rm", "kept", check=True)
    engine.docker("system", "prune", "-f", check=True)
    filler.unlink()
    assert engine.out("run", "--rm", "busybox", "echo", "well") == "well"
    assert "Traceback" not in engine.log.read_text()
