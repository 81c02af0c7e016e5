"""A log written by a process of its own."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.logs import peer as module
from havre.logs.apart import ApartWriter
from havre.logs.json_file import JSONFileWriter

DEADLINE_S = 30


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second attempt comes at once; last words may take as long as a busy machine needs."""
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    monkeypatch.setattr(module, "_LAST_WORDS_S", DEADLINE_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "log"


class Slow:
    """A writer to a disk that stands still while *gate* is locked."""

    lost_lines, lost_bytes, waiting, behind = 7, 70, False, -1

    def __init__(self, path: Path, gate: Path) -> None:
        self._path, self._gate = path, gate

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        with self._gate.open("rb") as gate, self._path.open("ab") as file:
            fcntl.flock(gate, fcntl.LOCK_SH)
            file.write(b"%d %d " % (stream, time_ns) + data)

    def end(self, stream: int, time_ns: int = 0) -> None:
        self.write(stream, b"end\n", time_ns)

    def catch_up(self) -> None:
        raise AssertionError("a file has nothing to catch up with")

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A locked file, and what opens it."""
    place = tmp_path / "gate"
    with place.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield place, lambda: fcntl.flock(file, fcntl.LOCK_UN)


def drained(writer: ApartWriter) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while writer.peer.waiting:
        assert time.monotonic() < deadline
        writer.peer.catch_up()
        time.sleep(0.005)


def test_the_file_is_as_if_written_here(path: Path) -> None:
    other = path.with_name("other")
    here = JSONFileWriter(other)
    apart = ApartWriter(lambda: JSONFileWriter(path), 1 << 20)
    for writer in (here, apart):
        for stream, data in ((1, b"one\ntw"), (2, b"error\n"), (1, b"o\nthree")):
            writer.write(stream, data, 1_700_000_000_123_000_000)
        writer.end(1, 1_700_000_000_123_000_000)
        writer.close()
    assert path.read_bytes() == other.read_bytes()
    assert (apart.peer.lost_lines, apart.peer.lost_bytes) == (0, 0)


def test_a_log_that_cannot_be_opened_is_told_at_once(path: Path) -> None:
    with pytest.raises(KernelError):
        ApartWriter(lambda: JSONFileWriter(path / "no" / "folder"), 1000)


def test_a_disk_that_stands_still_stops_nobody(path: Path, gate: tuple[Path, Callable[[], None]]) -> None:
    place, let_go = gate
    limit = 100_000
    writer = ApartWriter(lambda: Slow(path, place), limit)
    for number in range(30_000):
        writer.write(1, b"%08d\n" % number, 1)
    lost = writer.peer.lost_lines
    assert 0 < lost < 30_000
    let_go()
    drained(writer)
    writer.close()
    kept = path.read_bytes().splitlines()
    assert kept == [b"1 1 %08d" % number for number in range(len(kept))]  # the newest are those that are lost
    assert len(kept) == 30_000 - lost
    assert (writer.peer.lost_lines - lost, writer.peer.lost_bytes >= 70) == (7, True)  # what the other process lost


def test_a_disk_that_stands_still_to_the_end_is_not_waited_for(
    path: Path, gate: tuple[Path, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_WORDS_S", 0.05)
    place, let_go = gate
    writer = ApartWriter(lambda: Slow(path, place), 4 << 20)
    lines = [b"%08d" % number + b"x" * 990 + b"\n" for number in range(2000)]  # more than the kernel holds for a socket
    for line in lines:
        writer.write(2, line, 3)
    writer.end(2, 4)
    assert writer.peer.waiting
    writer.close()
    assert writer.peer.lost_lines == 0
    let_go()
    whole = b"".join(b"2 3 " + line for line in lines) + b"2 4 end\n"
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists() or path.stat().st_size < len(whole):  # it was in good hands
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert path.read_bytes() == whole


def test_a_writer_that_was_killed_is_followed_by_another(path: Path) -> None:
    before = children()
    writer = ApartWriter(lambda: JSONFileWriter(path), 1 << 20)
    writer.write(1, b"one\n")
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists() or not path.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (made,) = children() - before
    os.kill(made, signal.SIGKILL)
    os.waitpid(made, 0)
    writer.write(1, b"two\n")
    drained(writer)
    writer.close()
    assert [line[:13] for line in path.read_bytes().splitlines()] == [b'{"log":"one\\n', b'{"log":"two\\n']


def children() -> set[int]:
    return {int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
