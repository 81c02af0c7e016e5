import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.logs.frame import HEADER_SIZE, STDERR, STDOUT, frame, header, parse_header


def test_the_bytes_are_dockers() -> None:
    assert header(STDOUT, 5) == b"\x01\0\0\0\0\0\0\x05"
    assert frame(STDERR, b"oops") == b"\x02\0\0\0\0\0\0\x04oops"


@given(st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_headers_go_there_and_back(stream: int, size: int) -> None:
    raw = header(stream, size)
    assert len(raw) == HEADER_SIZE
    assert parse_header(raw) == (stream, size)


@pytest.mark.parametrize("raw", [b"", b"\x01\0\0\0\0\0\0", b"\x03" + bytes(7), b"\x01\x01" + bytes(6), bytes(9)])
def test_what_is_no_header_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not a stream header"):
        parse_header(raw)
