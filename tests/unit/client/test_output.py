from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.client.errors import ClientError
from havre.client.output import Output, gather, split_frames
from havre.wire.stream import header

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)))


@given(FRAMES, st.integers(1, 13))
def test_frames_come_back_however_they_are_cut(frames: list[tuple[int, bytes]], step: int) -> None:
    whole = b"".join(header(stream, len(payload)) + payload for stream, payload in frames)
    pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    assert list(split_frames(pieces)) == frames
    assert gather(pieces, framed=True) == tuple(b"".join(p for s, p in frames if s == n) for n in (1, 2))
    assert gather(pieces, framed=False) == (whole, b"")


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ClientError, match="not the header"):
        list(split_frames([b"HTTP/1.1 500"]))


def test_text_is_what_a_person_reads() -> None:
    assert Output(0, b"a\nb\xff\n").text == "a\nb�"
