"""The files behind a log: grown, moved on, packed, thinned."""

import gzip
import os
import time
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.logs import rotating
from havre.logs.rotating import NO_LIMITS, Limits, RotatingFile, older_files

DEADLINE_S = 30


class Fours:
    """Entries of four bytes: see rotating.Format."""

    def end_at_or_after(self, block: bytes, at: int) -> int:
        return min(len(block), (at + 3) // 4 * 4)

    def end_before(self, _block: bytes, at: int) -> int:
        return at // 4 * 4

    def count(self, block: bytes) -> int:
        return len(block) // 4

    def mend(self, fd: int, size: int) -> int:
        os.ftruncate(fd, size // 4 * 4)
        return size // 4 * 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the newest file is."""
    return tmp_path / "log"


def written(path: Path, count: int, limits: Limits) -> RotatingFile:
    file = RotatingFile(path, Fours(), limits)
    for number in range(count):
        file.append(b"%04d" % number)
    file.close()
    return file


def texts(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.parent.iterdir()}


def test_without_limits_there_is_one_file(path: Path) -> None:
    written(path, 100, NO_LIMITS)
    assert texts(path) == {"log": b"".join(b"%04d" % number for number in range(100))}


def test_files_move_one_on_and_the_oldest_goes(path: Path) -> None:
    written(path, 7, Limits(max_size=8, max_files=3))
    assert texts(path) == {"log.2": b"00020003", "log.1": b"00040005", "log": b"0006"}


def test_one_file_alone_begins_anew(path: Path) -> None:
    written(path, 7, Limits(max_size=8, max_files=1))
    assert texts(path) == {"log": b"0006"}


def test_without_a_count_all_stay(path: Path) -> None:
    written(path, 7, Limits(max_size=4))
    assert older_files(str(path)) == [f"{path}.{number}" for number in range(1, 7)]


def test_an_entry_larger_than_the_limit_is_not_cut(path: Path) -> None:
    file = RotatingFile(path, Fours(), Limits(max_size=2, max_files=9))
    file.append(b"00010002")
    file.close()
    assert texts(path) == {"log.1": b"0001", "log": b"0002"}


def test_what_a_kill_cut_is_mended_at_the_next_opening(path: Path) -> None:
    path.write_bytes(b"0000xx")
    written(path, 1, NO_LIMITS)
    assert path.read_bytes() == b"00000000"


def test_older_files_are_packed(path: Path) -> None:
    written(path, 3, Limits(max_size=8, max_files=3, compress=True))
    packed = path.with_name("log.1.gz")
    deadline = time.monotonic() + DEADLINE_S
    while not packed.exists() or path.with_name("log.1").exists():  # by a process of its own
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert gzip.decompress(packed.read_bytes()) == b"00000001"
    assert older_files(str(path)) == [str(packed)]


def test_files_grow_too_old(path: Path) -> None:
    old = path.with_name("log.1")
    old.write_bytes(b"0000")
    os.utime(old, (1, 1))
    written(path, 3, Limits(max_size=8, max_files=5, max_age_s=3600))
    assert texts(path) == {"log.1": b"00000001", "log": b"0002"}


def test_older_files_make_way_on_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating, "_LOOK_EVERY", 4)
    for number in (1, 2):
        path.with_name(f"log.{number}").write_bytes(b"0000")
    written(path, 2, Limits(min_free=1 << 60))
    assert texts(path) == {"log": b"00000001"}


def test_a_folder_that_is_missing_is_told_at_the_start(path: Path) -> None:
    with pytest.raises(KernelError, match="open log"):
        RotatingFile(path / "no" / "folder", Fours(), NO_LIMITS)


def test_what_cannot_be_written_is_counted_and_the_next_is_tried(path: Path) -> None:
    file = RotatingFile(path, Fours(), Limits(max_size=4, max_files=2))
    file.append(b"0000")
    path.unlink()
    path.parent.rename(path.parent.with_name("gone"))
    file.append(b"00010002")
    assert (file.lost_lines, file.lost_bytes) in {(1, 4), (2, 8)}
    path.parent.with_name("gone").rename(path.parent)
    lost = file.lost_lines
    file.append(b"0003")
    file.close()
    assert file.lost_lines == lost
    assert path.read_bytes() == b"0003"
