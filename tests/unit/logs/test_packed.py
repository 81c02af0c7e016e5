"""Packed logs: whole or not at all, known for what they were, and read as far as damage lets."""

from __future__ import annotations

import gzip
import os
import random
import resource
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.logs import packed as module
from havre.logs.packed import pack, pack_apart, packed_inode, unpacked
from tests.support.forked import in_child

DEADLINE_S = 60
LINES = "".join(f"line {number} {random.Random(number).random()}\n" for number in range(20_000)).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "x.log.1"
    made.write_bytes(LINES)
    os.utime(made, ns=(1_700_000_000_000_000_000, 1_700_000_001_000_000_000))
    return made


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Callable[[bytes], bytes]]:
    """What is read of a packed file of those bytes."""
    opened: list[int] = []

    def text_of(raw: bytes) -> bytes:
        place = tmp_path / "raw.gz"
        place.write_bytes(raw)
        opened.append(os.open(place, os.O_RDONLY))
        opened.append(unpacked(opened[-1]))
        assert os.lseek(opened[-1], 0, os.SEEK_CUR) == 0
        return os.read(opened[-1], 1 << 24)

    yield text_of
    for fd in opened:
        os.close(fd)


def in_the_place_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.gz")


def test_a_packed_file_is_gzip_and_takes_the_place(path: Path, read: Callable[[bytes], bytes]) -> None:
    inode, times = path.stat().st_ino, path.stat().st_mtime_ns
    pack(str(path))
    made = in_the_place_of(path)
    assert [entry.name for entry in path.parent.iterdir()] == [made.name]
    raw = made.read_bytes()
    assert len(raw) < len(LINES) * 3 // 4
    assert gzip.decompress(raw) == read(raw) == LINES
    assert made.stat().st_mtime_ns == times
    assert made.stat().st_mode & 0o777 == 0o640
    with made.open("rb") as file:
        assert packed_inode(file.fileno()) == inode


def test_what_a_kill_left_half_done_is_done_again(path: Path) -> None:
    path.with_name(f"{path.name}.gz.new").write_bytes(LINES * 2)
    pack(str(path))
    assert gzip.decompress(in_the_place_of(path).read_bytes()) == LINES
    assert len(list(path.parent.iterdir())) == 1


def test_where_the_disk_is_full_the_file_stays(path: Path) -> None:
    def body() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with pytest.raises(OSError, match="File too large"):
            pack(str(path))

    in_child(body)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == LINES


def test_no_link_is_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    path.with_name(f"{path.name}.gz.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        pack(str(path))
    assert (victim.read_bytes(), path.read_bytes()) == (b"kept", LINES)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic links"):
        pack(str(link))
    assert link.is_symlink()


def test_packing_apart_keeps_nobody_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "x.log.1"
    os.mkfifo(fifo)  # whoever opens it to read waits for a writer
    readable, writable = os.pipe()
    pid = pack_apart(str(fifo))
    assert pid
    os.close(writable)
    try:
        assert select.select([readable], [], [], DEADLINE_S)[0], "the process holds the pipe"
        assert os.read(readable, 1) == b""
        fifo.write_bytes(b"said\n")
    finally:
        os.close(readable)
        os.waitpid(pid, 0)
    assert gzip.decompress(in_the_place_of(fifo).read_bytes()) == b"said\n"
    assert not fifo.exists()


def test_where_no_process_can_be_made_nothing_is_packed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert pack_apart(str(path)) == 0
    assert path.read_bytes() == LINES


@pytest.mark.parametrize(
    "raw", [b"", b"\x1f\x8b", gzip.compress(b"of somebody else"), module._HEAD, module._HEAD + b"12x\0", bytes(100)]
)
def test_other_files_tell_no_inode(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.gz").write_bytes(raw)
    with (tmp_path / "x.gz").open("rb") as file:
        assert packed_inode(file.fileno()) == 0


def test_a_file_cut_short_is_read_up_to_there(path: Path, read: Callable[[bytes], bytes]) -> None:
    pack(str(path))
    raw = in_the_place_of(path).read_bytes()
    assert read(raw[:-9]) == LINES
    half = read(raw[: len(raw) // 2])
    assert len(half) > len(LINES) // 3
    assert LINES.startswith(half)
    assert read(raw[:5]) == b""


@pytest.mark.parametrize("place", [-1, -6], ids=["size", "checksum"])
def test_a_wrong_checksum_loses_no_text(path: Path, read: Callable[[bytes], bytes], place: int) -> None:
    pack(str(path))
    raw = bytearray(in_the_place_of(path).read_bytes())
    raw[place] ^= 0xFF
    assert read(bytes(raw)) == LINES


def test_what_comes_before_damage_is_told(path: Path, read: Callable[[bytes], bytes]) -> None:
    pack(str(path))
    raw = in_the_place_of(path).read_bytes()
    half = len(raw) // 2
    whole = read(raw[:half])
    assert read(raw[:half] + bytes(1000) + raw[half + 1000 :]).startswith(whole)
    assert read(raw[:half] + b"\xff" * (len(raw) - half)).startswith(whole)


@pytest.mark.parametrize("raw", [b"", b"no gzip at all", bytes(1000), b"\x1f\x8b\x08\xff" + bytes(50)])
def test_what_is_no_gzip_says_nothing(read: Callable[[bytes], bytes], raw: bytes) -> None:
    assert read(raw) == b""


def test_what_follows_the_end_is_not_told(path: Path, read: Callable[[bytes], bytes]) -> None:
    pack(str(path))
    assert read(in_the_place_of(path).read_bytes() + b"after" * 200_000) == LINES
