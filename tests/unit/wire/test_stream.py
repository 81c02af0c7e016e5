from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.wire.stream import header, parse_header


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_a_header_tells_stream_and_length(stream: int, length: int) -> None:
    assert parse_header(header(stream, length)) == (stream, length)


def test_the_form() -> None:
    assert header(2, 258) == b"\x02\0\0\0\0\0\x01\x02"


@pytest.mark.parametrize("data", [b"", b"\x01\0\0\0\0\0\0", b"\x04\0\0\0\0\0\0\0", b"\x01\x01\0\0\0\0\0\0", b"x" * 9])
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(ValueError, match="not the header"):
        parse_header(data)
