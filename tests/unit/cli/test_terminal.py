"""Detach keys, found across reads; what only looks like them goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.cli.terminal import DetachKeys, parse_detach_keys
from havre.client.errors import ClientError

KEYS = b"\x10\x11"


def test_keys_by_name() -> None:
    assert parse_detach_keys("ctrl-p,ctrl-q") == KEYS
    assert parse_detach_keys("a,ctrl-@,ctrl-[") == b"a\x00\x1b"
    with pytest.raises(ClientError):
        parse_detach_keys("ctrl-,")


@pytest.mark.parametrize("pieces", [[b"ab\x10\x11"], [b"ab\x10", b"\x11"], [b"a", b"b", b"\x10", b"\x11tail"]])
def test_found_across_reads(pieces: list[bytes]) -> None:
    keys = DetachKeys(KEYS)
    assert b"".join(keys.feed(piece) for piece in pieces if not keys.found) == b"ab"
    assert keys.found


@given(st.lists(st.binary(max_size=6).map(lambda data: data.replace(b"\x11", b"x")), max_size=6))
def test_other_bytes_all_go_on(pieces: list[bytes]) -> None:
    keys = DetachKeys(KEYS)
    out = b"".join(keys.feed(piece) for piece in [*pieces, b"end"])
    assert out == b"".join(pieces) + b"end"
    assert not keys.found
