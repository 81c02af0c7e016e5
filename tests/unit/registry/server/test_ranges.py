"""Ranges of downloads and chunks of uploads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.registry.server.ranges import Span, arrived, parse_chunk, parse_range
from havre.registry.server.refusal import Refusal

SIZES = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 0)),
        ("bytes=5-", Span(5, 9)),
        ("bytes=-3", Span(7, 9)),
        ("bytes=-30", Span(0, 9)),
        ("bytes=0-1000", Span(0, 9)),
        ("Bytes = 2-3", Span(2, 3)),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("bytes=٠-٣", None),
    ],
)
def test_ranges_of_ten_bytes(header: str, span: Span | None) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=3-2", 10), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=-1", 0)]
)
def test_ranges_that_lie_outside(header: str, size: int) -> None:
    with pytest.raises(Refusal) as caught:
        parse_range(header, size)
    assert (caught.value.status, caught.value.headers["Content-Range"]) == (416, f"bytes */{size}")


@given(st.text(max_size=60) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}", fullmatch=True), SIZES)
def test_a_range_is_inside_or_refused(header: str, size: int) -> None:
    try:
        span = parse_range(header, size)
    except Refusal as refusal:
        assert refusal.status == 416
        return
    if span is not None:
        assert 0 <= span.first <= span.last < size
        assert span.size >= 1


@pytest.mark.parametrize("header", ["0-99", "bytes 0-99/200", "bytes=0-99", " 0-99 ", "bytes 0-99/*"])
def test_chunks_as_clients_write_them(header: str) -> None:
    assert parse_chunk(header) == Span(0, 99)


@given(st.text(max_size=60))
def test_a_chunk_is_one_or_refused(header: str) -> None:
    try:
        span = parse_chunk(header)
    except Refusal as refusal:
        assert refusal.status == 416
    else:
        assert 0 <= span.first <= span.last


@given(SIZES)
def test_what_arrived_is_told_and_read_back(size: int) -> None:
    assert parse_chunk(arrived(size)).last == max(0, size - 1)
