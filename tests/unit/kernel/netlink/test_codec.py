"""K-04: attributes that do not fit are refused, and no answer of the kernel can lead the parser astray."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from havre.kernel.netlink import addresses, links, routes
from havre.kernel.netlink.codec import (
    MAX_PAYLOAD,
    AttributeTooLong,
    MalformedMessage,
    Message,
    Request,
    attribute,
    nested,
    number,
    parse_attributes,
    parse_messages,
    text,
    to_number,
    to_text,
)


def test_the_longest_payload_fits_and_one_byte_more_is_refused() -> None:
    assert parse_attributes(attribute(7, bytes(MAX_PAYLOAD))) == {7: bytes(MAX_PAYLOAD)}
    with pytest.raises(AttributeTooLong, match="65532 bytes"):
        attribute(7, bytes(MAX_PAYLOAD + 1))


def test_attributes_that_are_too_long_only_together_are_refused() -> None:
    with pytest.raises(AttributeTooLong):
        nested(1, attribute(2, bytes(40_000)), attribute(3, bytes(40_000)))


@pytest.mark.parametrize(
    "build", [lambda long: text(20, long), lambda long: links.change_link(1, links.LinkChange(alias=long))]
)
def test_a_long_text_is_refused_and_not_cut(build: object) -> None:
    assert callable(build)
    with pytest.raises(AttributeTooLong):
        build("a" * 70_000)


def test_a_zero_byte_cannot_end_a_text_early() -> None:
    with pytest.raises(ValueError, match="zero byte"):
        text(20, "seen\0unseen")


@pytest.mark.parametrize(("value", "size"), [(256, 1), (1 << 32, 4), (-1, 4)])
def test_a_number_out_of_range_is_refused(value: int, size: int) -> None:
    with pytest.raises(OverflowError):
        number(1, value, size=size)


@given(some.dictionaries(some.integers(0, 0x3FFF), some.binary(max_size=300), max_size=8))
def test_attributes_come_back_as_they_went(wanted: dict[int, bytes]) -> None:
    assert parse_attributes(b"".join(attribute(kind, payload) for kind, payload in wanted.items())) == wanted


@given(
    some.integers(0, 2**32 - 1), some.text(alphabet=some.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
def test_numbers_and_texts_come_back(value: int, words: str) -> None:
    found = parse_attributes(number(1, value) + text(2, words))
    assert to_number(found[1]) == value
    assert to_text(found[2]) == words


@given(some.binary(max_size=400))
def test_random_bytes_are_parsed_or_refused(data: bytes) -> None:
    for parse in (parse_attributes, lambda raw: list(parse_messages(raw))):
        with contextlib.suppress(MalformedMessage):
            parse(data)


@given(some.binary(max_size=200))
def test_random_bodies_are_understood_or_refused(body: bytes) -> None:
    message = Message(16, 0, 1, 0, body)
    for parse in (links.parse_link, links.link_index, addresses.parse_address, routes.parse_route):
        with contextlib.suppress(MalformedMessage):
            parse(message)


@pytest.mark.parametrize("length", [0, 3, 8])
def test_an_attribute_whose_length_lies_is_refused(length: int) -> None:
    with pytest.raises(MalformedMessage):
        parse_attributes(struct.pack("=HH", length, 1))


def test_a_message_whose_length_lies_is_refused() -> None:
    good = Request(16, b"abc", "try").encode(5)
    with pytest.raises(MalformedMessage):
        list(parse_messages(good[:-4]))


def test_messages_follow_each_other_at_four_bytes() -> None:
    sent = Request(16, b"abc", "one").encode(5) + Request(17, b"", "two").encode(6)
    assert [(each.kind, each.sequence, each.body) for each in parse_messages(sent)] == [(16, 5, b"abc"), (17, 6, b"")]
