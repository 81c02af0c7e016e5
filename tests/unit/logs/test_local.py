"""Docker's local log: written, cut, mended, and read by the decoder."""

import struct
from pathlib import Path

import pytest

from havre.logs.entries import LogLine
from havre.logs.local import LocalWriter, varint
from havre.logs.local_entries import LocalDecoder
from havre.logs.rotating import NO_LIMITS, Limits

NOW = 1_700_000_000_000_000_001


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a folder that is not there yet."""
    return tmp_path / "local-logs" / "container.log"


def read(path: Path) -> list[LogLine]:
    return LocalDecoder().feed(path.read_bytes())


@pytest.mark.parametrize(
    ("number", "raw"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (1 << 63, "80808080808080808001")],
)
def test_numbers_are_protobufs(number: int, raw: str) -> None:
    assert varint(number).hex() == raw


def test_an_entry_is_dockers(path: Path) -> None:
    writer = LocalWriter(path, NO_LIMITS)
    writer.write(1, b"hello\n", NOW)
    writer.close()
    entry = b"\x0a\x06stdout\x10" + varint(NOW) + b"\x1a\x05hello"
    assert path.read_bytes() == struct.pack(">I", len(entry)) + entry + struct.pack(">I", len(entry))


def test_what_is_written_is_read(path: Path) -> None:
    writer = LocalWriter(path, NO_LIMITS)
    writer.write(1, b"one\nt", NOW)
    writer.write(2, b"err\n", NOW + 1)
    writer.write(1, b"wo\n\n", NOW + 2)
    writer.write(1, b"rest", NOW + 3)
    writer.close()
    found = [(line.time_ns, line.stream, line.data, line.partial) for line in read(path)]
    assert found[:4] == [
        (NOW, 1, b"one\n", False),
        (NOW + 1, 2, b"err\n", False),
        (NOW + 2, 1, b"two\n", False),
        (NOW + 2, 1, b"\n", False),
    ]
    assert found[4][1:] == (1, b"rest", True)


@pytest.mark.parametrize("length", [16_383, 16_384, 16_385, 50_000])
def test_long_lines_come_back_whole(path: Path, length: int) -> None:
    writer = LocalWriter(path, NO_LIMITS)
    writer.write(1, b"x" * length + b"\nnext\n", NOW)
    writer.close()
    assert b"".join(line.data for line in read(path)) == b"x" * length + b"\nnext\n"


@pytest.mark.parametrize("cut", range(1, 30))
def test_an_entry_cut_by_a_kill_is_taken_off(path: Path, cut: int) -> None:
    writer = LocalWriter(path, NO_LIMITS)
    writer.write(1, b"whole\ncut\n", NOW)
    writer.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)
    writer = LocalWriter(path, NO_LIMITS)
    writer.write(1, b"after\n", NOW)
    writer.close()
    assert [line.data for line in read(path)] == [b"whole\n", b"after\n"]


def test_files_change_between_entries(path: Path) -> None:
    writer = LocalWriter(path, Limits(max_size=500, max_files=3))
    for number in range(60):
        writer.write(1, b"line %d\n" % number, NOW)
    writer.close()
    files = [path.with_name(f"{path.name}{ending}") for ending in (".2", ".1", "")]
    lines = [line.data for file in files for line in read(file)]
    assert lines == [b"line %d\n" % number for number in range(60 - len(lines), 60)]
    assert len(list(path.parent.iterdir())) == 3
