"""Output cut into lines: nothing lost, nothing but long lines in pieces, whatever the reads bring."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.logs.sink import PARTIAL_LIMIT, Lines, Piece

NOW = 1_700_000_000_000_000_000


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(piece.text if piece.more else piece.text + b"\n" for piece in pieces)


def test_lines_come_when_they_are_whole() -> None:
    lines = Lines()
    assert lines.feed(b"on", NOW) == []
    assert lines.feed(b"e\n\ntw", NOW + 1) == [Piece(b"one", NOW + 1), Piece(b"", NOW + 1)]
    assert lines.feed(b"o\n", NOW + 2) == [Piece(b"two", NOW + 2)]
    assert lines.end(NOW + 3) == []


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    said = bytes(byte for byte in range(256) if byte != ord("\n"))
    assert Lines().feed(said + b"\n", NOW) == [Piece(said, NOW)]


def test_the_pieces_of_a_long_line_have_the_time_of_the_first() -> None:
    lines = Lines()
    assert lines.feed(b"x" * (PARTIAL_LIMIT - 1), NOW) == []
    assert lines.feed(b"xy", NOW + 1) == [Piece(b"x" * PARTIAL_LIMIT, NOW + 1, 1, more=True)]
    assert lines.feed(b"z" * PARTIAL_LIMIT, NOW + 2) == [
        Piece(b"y" + b"z" * (PARTIAL_LIMIT - 1), NOW + 1, 2, more=True)
    ]
    assert lines.feed(b"\nnext\n", NOW + 3) == [Piece(b"z", NOW + 1, 3), Piece(b"next", NOW + 3)]


def test_a_line_as_long_as_a_piece_ends_with_an_empty_one() -> None:
    whole = Piece(b"x" * PARTIAL_LIMIT, NOW, 1, more=True)
    assert Lines().feed(whole.text + b"\nnext\n", NOW) == [whole, Piece(b"", NOW, 2), Piece(b"next", NOW)]


def test_what_the_end_cuts_off_is_a_piece() -> None:
    lines = Lines()
    lines.feed(b"one\nrest", NOW)
    assert lines.end(NOW + 1) == [Piece(b"rest", NOW + 1, 1, more=True)]
    assert lines.end(NOW + 2) == []
    lines.feed(b"x" * PARTIAL_LIMIT + b"rest", NOW + 3)
    assert lines.end(NOW + 4) == [Piece(b"rest", NOW + 3, 2, more=True)]


def test_after_an_end_a_line_begins_anew() -> None:
    lines = Lines()
    lines.feed(b"x" * (PARTIAL_LIMIT + 1), NOW)
    lines.end(NOW)
    assert lines.feed(b"again\n", NOW + 1) == [Piece(b"again", NOW + 1)]


def test_without_a_time_it_is_now() -> None:
    lines = Lines()
    before = time.time_ns()
    (line,) = lines.feed(b"one\nrest")
    (rest,) = lines.end()
    assert before <= line.time_ns <= rest.time_ns <= time.time_ns()


@pytest.mark.parametrize("length", [PARTIAL_LIMIT - 1, PARTIAL_LIMIT, PARTIAL_LIMIT + 1, 3 * PARTIAL_LIMIT])
@given(cuts=st.lists(st.integers(0, 3 * PARTIAL_LIMIT + 10), max_size=6))
def test_long_lines_are_cut_alike_however_they_come(length: int, cuts: list[int]) -> None:
    said = b"x" * length + b"\nnext\n"
    lines, found, at = Lines(), [], 0
    for cut in [*sorted(cuts), len(said)]:
        found += lines.feed(said[at:cut], NOW)
        at = max(at, cut)
    assert found == Lines().feed(said, NOW)


@given(st.lists(st.text("a\n", max_size=9).map(str.encode), max_size=30))
def test_nothing_is_lost_and_nothing_added(reads: list[bytes]) -> None:
    lines, said = Lines(), b"".join(reads)
    found = [piece for read in reads for piece in lines.feed(read, NOW)]
    assert all(b"\n" not in piece.text and not piece.more for piece in found)
    assert joined(found + lines.end(NOW)) == said
