"""Entries of `local` logs as they are read: in any pieces, from the end, and what damage leaves of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.logs.entries import ENTRY_LIMIT, LogLine
from havre.logs.local import LocalWriter
from havre.logs.local_entries import LocalDecoder
from havre.logs.rotating import NO_LIMITS

NOW = 1_700_000_000_000_000_001


def framed(entry: bytes) -> bytes:
    size = struct.pack(">I", len(entry))
    return size + entry + size


def entry(text: bytes, source: bytes = b"stdout", further: bytes = b"") -> bytes:
    return b"\x0a%c%b\x10\x05\x1a%c%b%b" % (len(source), source, len(text), text, further)


ONE, TWO = framed(entry(b"one")), framed(entry(b"two", b"stderr"))
LINES = [LogLine(5, 1, b"one\n", partial=False), LogLine(5, 2, b"two\n", partial=False)]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    """Gives a descriptor of a file of those bytes."""
    files: list[BinaryIO] = []

    def make(data: bytes) -> int:
        path = tmp_path / f"{len(files)}"
        path.write_bytes(data)
        files.append(path.open("rb"))
        return files[-1].fileno()

    yield make
    for file in files:
        file.close()


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_entries_come_in_any_pieces(size: int) -> None:
    decoder, data = LocalDecoder(), ONE + TWO
    found = [decoder.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert [line for lines in found for line in lines] == LINES


@pytest.mark.parametrize(
    ("further", "line"),
    [
        (b"\x2a\x02\x08\x01", LogLine(5, 1, b"x\n", partial=False)),  # the last piece
        (b"\x2a\x06\x08\x00\x12\x02id", LogLine(5, 1, b"x", partial=True)),
        (b"\x2a\x04\x12\x02id", LogLine(5, 1, b"x", partial=True)),  # protobuf leaves out what is 0
        (b"\x32\x02??\x38\x07", LogLine(5, 1, b"x\n", partial=False)),  # fields of a later version
    ],
)
def test_what_follows_the_text(further: bytes, line: LogLine) -> None:
    assert LocalDecoder().feed(framed(entry(b"x", further=further))) == [line]


@pytest.mark.parametrize(
    "damaged",
    [
        entry(b"x", b"stdnew"),
        b"",
        bytes(40),
        b"\x10\x05\x1a\x01x",  # nobody said it
        b"\x0d1234" + entry(b"x"),  # a kind of field that is not there
        b"\x10" + b"\xff" * 11,  # a number without end
        entry(b"x")[:-2] + b"\x50x",  # a text longer than its entry
        entry(b"x") + b"\x2a",
    ],
)
def test_an_entry_that_is_none_is_passed_over(damaged: bytes) -> None:
    assert LocalDecoder().feed(ONE + framed(damaged) + TWO) == LINES


def test_a_size_that_cannot_be_ends_a_file_and_not_the_next() -> None:
    decoder = LocalDecoder()
    assert decoder.feed(ONE + struct.pack(">I", ENTRY_LIMIT + 1) + TWO) == LINES[:1]
    assert decoder.feed(TWO) == []
    decoder.reset()
    assert decoder.feed(TWO) == LINES[1:]


def test_an_entry_begun_is_not_of_the_next_file() -> None:
    decoder = LocalDecoder()
    decoder.feed(ONE[:-3])
    decoder.reset()
    assert decoder.feed(TWO) == LINES[1:]


@pytest.mark.parametrize("cut", [0, 1, 4, 5, len(TWO) - 1])
@pytest.mark.parametrize(("wanted", "found"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_the_last_entries_begin_where_they_begin(
    opened: Callable[[bytes], int], cut: int, wanted: int, found: int
) -> None:
    whole = ONE + TWO + ONE
    torn = TWO[:cut]  # is being written
    at = len(whole) - (0, len(ONE), len(ONE + TWO), len(whole))[found]
    assert LocalDecoder().from_the_end(opened(whole + torn), wanted) == (found, at)


def test_the_end_is_found_after_damage(opened: Callable[[bytes], int]) -> None:
    data = ONE + b"damage" + TWO + ONE
    assert LocalDecoder().from_the_end(opened(data), 2) == (2, len(ONE) + 6)
    assert LocalDecoder().from_the_end(opened(data), 5) == (2, len(ONE) + 6)


def test_nothing_ends_an_empty_file(opened: Callable[[bytes], int]) -> None:
    assert LocalDecoder().from_the_end(opened(b""), 5) == (0, 0)
    assert LocalDecoder().from_the_end(opened(ONE[:6]), 5) == (0, 0)


@pytest.mark.parametrize("zeros", [8, 4096, 4093])
def test_zeros_that_a_power_cut_left_are_no_entries(opened: Callable[[bytes], int], zeros: int) -> None:
    data = ONE + TWO + bytes(zeros)
    assert LocalDecoder().feed(data) == LINES
    assert LocalDecoder().from_the_end(opened(data), 2) == (2, 0)
    assert LocalDecoder().from_the_end(opened(data), 1) == (1, len(ONE))


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(0, 3))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], wanted: int) -> None:
    data = ONE + b"".join(framed(part) if len(part) % 2 else part for part in parts)
    assert LocalDecoder().feed(data)[:1] == LINES[:1]
    path = tmp_path_factory.mktemp("log") / "x"
    path.write_bytes(data)
    with path.open("rb") as file:
        found, at = LocalDecoder().from_the_end(file.fileno(), wanted)
    assert 0 <= found <= wanted
    assert 0 <= at <= len(data)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=10), st.integers(0, 12))
def test_the_tail_is_the_end_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, bytes]], wanted: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "logs" / "x"
    writer = LocalWriter(path, NO_LIMITS)
    for stream, text in said:
        writer.write(stream, text.replace(b"\n", b"") + b"\n", NOW)
    writer.close()
    data = path.read_bytes() if said else b""
    lines = LocalDecoder().feed(data)
    assert [(line.stream, line.data) for line in lines] == [(s, t.replace(b"\n", b"") + b"\n") for s, t in said]
    if said:
        with path.open("rb") as file:
            found, at = LocalDecoder().from_the_end(file.fileno(), wanted)
        assert LocalDecoder().feed(data[at:]) == lines[len(lines) - found :]
        assert found == min(wanted, len(lines))
