from __future__ import annotations

import struct

import pytest

from havre.kernel.netlink.codec import Message, attribute, text
from havre.networks.watch import Ours, concerns_bridge, touches_table

_OURS = Ours(bridge_indexes=frozenset({4}), tables=frozenset({"havre"}), thread_id=77)
_LINK = struct.Struct("=BxHiII")


def _nft(what: int, table: str) -> Message:
    return Message(10 << 8 | what, 0, 0, 0, bytes(4) + text(1, table))


def _generation(thread_id: int) -> Message:
    return Message(10 << 8 | 15, 0, 0, 0, bytes(4) + attribute(2, struct.pack(">I", thread_id)))


@pytest.mark.parametrize("what", [2, 5, 6, 8, 11, 12, 14])
def test_a_strangers_change_of_our_table_is_news(what: int) -> None:
    assert touches_table([_nft(what, "havre"), _generation(1)], _OURS)


def test_our_own_changes_and_other_tables_are_not() -> None:
    own = [_nft(2, "havre"), _generation(77)]
    others = [_nft(2, "filter"), _generation(1)]
    assert not touches_table([*own, *others], _OURS)
    assert touches_table([*own, _nft(8, "havre"), _generation(1), *others], _OURS)


@pytest.mark.parametrize(
    ("kind", "index", "flags", "news"),
    [(17, 4, 1, True), (17, 5, 1, False), (16, 4, 1, False), (16, 4, 0, True), (16, 5, 0, False)],
)
def test_a_bridge_that_goes_or_goes_down_is_news(kind: int, index: int, flags: int, *, news: bool) -> None:
    assert concerns_bridge(Message(kind, 0, 0, 0, _LINK.pack(0, 1, index, flags, 0)), _OURS) is news


@pytest.mark.parametrize(("index", "news"), [(4, True), (5, False)])
def test_an_address_that_the_bridge_loses_is_news(index: int, *, news: bool) -> None:
    body = struct.pack("=BBBBi", 2, 16, 0, 0, index) + attribute(2, bytes((172, 17, 0, 1)))
    assert concerns_bridge(Message(21, 0, 0, 0, body), _OURS) is news
