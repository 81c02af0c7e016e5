"""Go's durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.registry.server.config.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("500ms", 0.5), ("168h", 604800), ("1.5s", 1.5), ("0", 0), (1_000_000_000, 1), ("1m0.5s", 60.5)],
)
def test_durations(text: str | int, seconds: float) -> None:
    assert parse_duration(text, "x") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "-1s", "1h ", "1d", "1,5s", -1])
def test_what_is_none(text: str | int) -> None:
    with pytest.raises(InvalidInput):
        parse_duration(text, "x")


@given(st.text(max_size=50))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_duration(text, "x") >= 0
    except InvalidInput:
        return
