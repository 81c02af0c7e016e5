from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from havre.base.clock import ZERO_TIME, now_ns, parse_rfc3339, rfc3339, rfc3339_fixed

_NS = 10**9
_FIRST_NS = -62135596800 * _NS  # 0001-01-01T00:00:00Z
_LAST_NS = 253402300799 * _NS + _NS - 1  # 9999-12-31T23:59:59.999999999Z
moments = st.integers(_FIRST_NS + 1, _LAST_NS)


def test_now_is_the_wall_clock() -> None:
    before = time.time_ns()
    assert before <= now_ns() <= time.time_ns()


@pytest.mark.parametrize(
    ("time_ns", "text", "fixed"),
    [
        (1_577_836_800 * _NS, "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000000000Z"),
        (1_577_836_800 * _NS + 500_000_000, "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.500000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        (951_782_400 * _NS, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000000Z"),
        (_FIRST_NS + _NS, "0001-01-01T00:00:01Z", "0001-01-01T00:00:01.000000000Z"),
        (_LAST_NS, "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_both_forms(time_ns: int, text: str, fixed: str) -> None:
    assert rfc3339(time_ns) == text
    assert rfc3339_fixed(time_ns) == fixed


def test_zero_is_the_zero_time_of_go_except_in_logs() -> None:
    assert rfc3339(0) == ZERO_TIME
    assert parse_rfc3339(ZERO_TIME) == 0
    assert rfc3339_fixed(0) == "1970-01-01T00:00:00.000000000Z"


@given(moments)
@example(_FIRST_NS + 1)
@example(_LAST_NS)
def test_what_is_written_is_read_again(time_ns: int) -> None:
    assert parse_rfc3339(rfc3339(time_ns)) == time_ns
    assert parse_rfc3339(rfc3339_fixed(time_ns)) == time_ns
    assert len(rfc3339_fixed(time_ns)) == 30


@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC)),  # noqa: DTZ001  hypothesis adds the zone
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_an_offset_moves_the_moment(moment: datetime, minutes: int) -> None:
    moment = moment.replace(microsecond=0)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    shifted = f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{sign}{hours:02d}:{rest:02d}"
    expected = (moment - timedelta(minutes=minutes) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert parse_rfc3339(shifted) == expected * _NS


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2020-01-01T00:00:00z", 1_577_836_800 * _NS),
        ("2020-01-01t00:00:00Z", 1_577_836_800 * _NS),
        ("2020-01-01 00:00:00Z", 1_577_836_800 * _NS),
        ("2020-01-01T00:00:00", 1_577_836_800 * _NS),
        ("2020-01-01T00:00:00-00:00", 1_577_836_800 * _NS),
        ("2020-01-01T02:00:00.25+02:00", 1_577_836_800 * _NS + 250_000_000),
        ("1969-12-31T23:59:59.25Z", -750_000_000),
        ("2020-01-01T00:00:00.123456789999Z", 1_577_836_800 * _NS + 123_456_789),
        ("0001-01-01T00:00:00+01:00", _FIRST_NS - 3600 * _NS),
    ],
)
def test_other_writings(text: str, time_ns: int) -> None:
    assert parse_rfc3339(text) == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "now",
        "2020-01-01",
        "20200101T000000Z",
        "2020-W01-1T00:00:00Z",
        "2020-01-01T00:00Z",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00,5Z",
        "2020-01-01T00:00:00+00:00.5",
        "2020-01-01T00:00:00+00:00:01",
        "2020-01-01T00:00:00+25:00",
        "2020-01-01T24:00:00Z",
        "2020-01-01T23:59:60Z",
        "2021-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2020-13-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "\u0662\u0660\u0662\u0660-01-01T00:00:00Z",
        "2020-01-01T00:00:00.\u0665Z",
        "2020-01-01T00:00:00Z\n",
        " 2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z" * 1000,
    ],
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,+Z-]{0,20}"))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    try:
        time_ns = parse_rfc3339(text)
    except ValueError:
        return
    assert _FIRST_NS - 86400 * _NS <= time_ns <= _LAST_NS + 86400 * _NS
