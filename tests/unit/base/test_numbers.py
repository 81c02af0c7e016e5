from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int

UID_MAX = 2**32 - 2


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1", 1), ("007", 7), ("-0", 0), ("65535", 65535), (str(UID_MAX), UID_MAX)]
)
def test_numbers(text: str, value: int) -> None:
    assert parse_int(text, what="uid", high=UID_MAX) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "--1",
        "-1",
        "+1",
        "1_0",
        " 0",
        "0 ",
        "0\n",
        "\t0",
        "1.0",
        "1e3",
        "0x10",
        "0b1",
        "\u0660",
        "\uff11",  # a full-width digit on purpose
        "\u00b2",
        "\u22121",  # a minus sign on purpose
        "1\x00",
        "\x00",
        "a",
        "None",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "9" * 5000,
        "0" * 20,
    ],
)
def test_what_is_no_uid(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^invalid uid: ") as caught:
        parse_int(text, what="uid", high=UID_MAX)
    assert len(caught.value.message) < 400


def test_bounds_are_part_of_the_range() -> None:
    assert parse_int("-5", what="offset", low=-5, high=5) == -5
    assert parse_int("5", what="offset", low=-5, high=5) == 5
    with pytest.raises(InvalidInput, match="invalid offset: -6 is not between -5 and 5"):
        parse_int("-6", what="offset", low=-5, high=5)
    with pytest.raises(InvalidInput, match="invalid offset: 6 is not between -5 and 5"):
        parse_int("6", what="offset", low=-5, high=5)


def test_the_largest_number_by_default() -> None:
    assert parse_int(str(2**63 - 1), what="size") == 2**63 - 1
    with pytest.raises(InvalidInput):
        parse_int(str(2**63), what="size")


@given(st.integers(-(2**63), 2**63 - 1))
def test_each_number_is_read_as_it_is_written(value: int) -> None:
    assert parse_int(str(value), what="number", low=-(2**63)) == value


@given(st.text(max_size=30))
def test_any_text_is_a_number_in_range_or_refused(text: str) -> None:
    try:
        value = parse_int(text, what="number", high=1000)
    except InvalidInput:
        return
    assert 0 <= value <= 1000
    assert text.lstrip("-").isascii()
