"""A log sent elsewhere with a copy beside it: both get every word, and what either loses is counted."""

from __future__ import annotations

import resource
import select
import signal
import socket
from pathlib import Path

import pytest

from havre.logs.cached import CachedWriter
from havre.logs.journald import JournaldWriter
from havre.logs.local import LocalWriter
from havre.logs.local_entries import LocalDecoder
from havre.logs.rotating import NO_LIMITS
from havre.logs.sink import Writer
from tests.support.forked import in_child

NOW = 1_700_000_000_000_000_001
DEADLINE_S = 60
MANY = 20_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "copy.log"


def heard(listener: socket.socket) -> bytes:
    """The next line."""
    return listener.recv(1 << 18).partition(b"\n")[0].removeprefix(b"MESSAGE=")


def kept(path: Path) -> list[tuple[int, bytes]]:
    return [(line.stream, line.data) for line in LocalDecoder().feed(path.read_bytes())]


def test_both_get_every_word(listener: socket.socket, path: Path) -> None:
    writer: Writer = CachedWriter(JournaldWriter({}, listener.getsockname()), LocalWriter(path, NO_LIMITS))
    writer.write(1, b"one\ntw", NOW)
    writer.write(2, b"bad\n", NOW)
    writer.write(1, b"o\nrest", NOW)
    writer.end(1, NOW)
    writer.write(2, b"last", NOW)
    writer.close()
    writer.close()
    assert [heard(listener) for _ in range(5)] == [b"one", b"bad", b"two", b"rest", b"last"]
    assert kept(path) == [(1, b"one\n"), (2, b"bad\n"), (1, b"two\n"), (1, b"rest"), (2, b"last")]
    assert (writer.lost_lines, writer.lost_bytes, writer.waiting, writer.behind) == (0, 0, False, -1)


def test_without_a_copy_only_the_other_side_hears(listener: socket.socket) -> None:
    writer = CachedWriter(JournaldWriter({}, listener.getsockname()), None)
    writer.write(1, b"one\nrest", NOW)
    writer.close()
    assert [heard(listener) for _ in range(2)] == [b"one", b"rest"]
    assert (writer.lost_lines, writer.lost_bytes) == (0, 0)


def test_a_slow_peer_is_waited_for_and_the_copy_is_whole_at_once(listener: socket.socket, path: Path) -> None:
    writer = CachedWriter(JournaldWriter({}, listener.getsockname()), LocalWriter(path, NO_LIMITS))
    said = [b"line %d" % number for number in range(MANY)]
    writer.write(1, b"\n".join(said) + b"\n", NOW)
    assert writer.waiting
    assert kept(path) == [(1, line + b"\n") for line in said]
    found: list[bytes] = []
    while len(found) < MANY:
        found.append(heard(listener))
        if writer.waiting:
            assert select.select([], [writer.behind], [], DEADLINE_S)[1]
            writer.catch_up()
    assert found == said
    assert (writer.waiting, writer.behind, writer.lost_lines) == (False, -1, 0)
    writer.close()


def test_what_a_slow_peer_is_not_given_the_copy_has(listener: socket.socket, path: Path) -> None:
    writer = CachedWriter(JournaldWriter({}, listener.getsockname(), limit=50_000), LocalWriter(path, NO_LIMITS))
    writer.write(1, b"said\n" * MANY, NOW)
    assert 0 < writer.lost_lines < MANY
    assert writer.lost_bytes > 5 * writer.lost_lines
    assert kept(path) == [(1, b"said\n")] * MANY
    while writer.waiting:
        assert heard(listener) == b"said"
        writer.catch_up()
    writer.close()


def test_a_copy_on_a_full_disk_stops_nobody_and_is_counted(listener: socket.socket, path: Path) -> None:
    def body() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        remote = JournaldWriter({}, listener.getsockname(), limit=50_000)
        writer = CachedWriter(remote, LocalWriter(path, NO_LIMITS))
        for number in range(200):
            writer.write(1, b"line %d\n" % number, NOW)
            assert heard(listener) == b"line %d" % number
        assert remote.peer.lost_lines == 0
        assert writer.lost_lines == 200 - len(kept(path)) > 100
        copy_lines, copy_bytes = writer.lost_lines, writer.lost_bytes
        writer.write(1, b"said\n" * MANY, NOW)
        assert remote.peer.lost_lines > 0
        assert writer.lost_lines == remote.peer.lost_lines + copy_lines + MANY
        assert writer.lost_bytes > remote.peer.lost_bytes + copy_bytes
        while writer.waiting:
            heard(listener)
            writer.catch_up()
        writer.close()

    in_child(body)
